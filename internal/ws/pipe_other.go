//go:build !unix

package ws

// canAsk: the pipe's goroutine writes everything, and every reader waits with a buffer.
const canAsk = false

func writeNow(uintptr, []byte) (int, error) { return 0, nil }

func readNow(uintptr, []byte) (n int, again bool, err error) { return 0, false, nil }

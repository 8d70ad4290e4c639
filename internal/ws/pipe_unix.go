//go:build unix

package ws

import (
	"errors"
	"syscall"
)

// writeNow gives the kernel what it takes without waiting: Go's sockets are non-blocking.
func writeNow(fd uintptr, b []byte) (int, error) {
	for {
		n, err := syscall.Write(int(fd), b)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, syscall.EAGAIN):
			return 0, nil
		case !errors.Is(err, syscall.EINTR):
			return 0, err
		}
	}
}

//go:build !unix

package secret

// lockFolder does nothing here: run one rotation at a time.
func lockFolder(string) (unlock func(), err error) { return func() {}, nil }

//go:build unix

package secret

import (
	"os"
	"path/filepath"
	"syscall"
)

// lockFolder keeps other processes from changing the ring. The lock is the folder's, because the file is replaced,
// and it ends with the process.
func lockFolder(path string) (unlock func(), err error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		_ = dir.Close()
		return nil, err
	}
	return func() { _ = dir.Close() }, nil
}

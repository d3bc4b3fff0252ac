//go:build unix

package reload

import (
	"errors"
	"syscall"
)

// readOnly reports whether a path lies on a file system that is mounted
// read-only.
func readOnly(path string) bool {
	const write = 2
	return errors.Is(syscall.Access(path, write), syscall.EROFS)
}

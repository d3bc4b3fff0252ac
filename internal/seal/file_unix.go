//go:build unix

package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// judgeOwner refuses a key file that others may read or have put there.
func judgeOwner(f fs.FileInfo, mine int, where string) error {
	if f.Mode().Perm()&0o077 != 0 {
		return badKey(fmt.Sprintf("%s is open to others (mode %04o)", where, f.Mode().Perm()),
			"Close it with chmod 600. If others could have read it, then rotate: confluence-mcp secrets rotate.", nil)
	}
	if s, ok := f.Sys().(*syscall.Stat_t); ok && int(s.Uid) != mine {
		return badKey(where+" belongs to another user", "Give it to the user this program runs as.", nil)
	}
	return nil
}

// syncFolder makes a new name last through a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

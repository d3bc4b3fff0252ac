package seal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"confluence-mcp/internal/confluence"
)

// maxKeyFile bounds a key file; three keys are 300 bytes.
const maxKeyFile = 16 << 10

// keyFile is a file only its owner may read.
type keyFile struct {
	path string
	mine int // the user it must belong to
}

func (f keyFile) where() string { return "the key file " + f.path }

func (f keyFile) read() (string, error) {
	seen, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", errNoKeys
	}
	if err != nil {
		return "", f.unreadable(err)
	}
	if !seen.Mode().IsRegular() {
		return "", badKey(f.where()+" is not a regular file", "Put the key file itself there, not a link.", nil)
	}
	file, err := os.Open(f.path)
	if err != nil {
		return "", f.unreadable(err)
	}
	defer func() { _ = file.Close() }() // it was only read
	opened, err := file.Stat()
	if err != nil {
		return "", f.unreadable(err)
	}
	if !os.SameFile(seen, opened) {
		return "", badKey(f.where()+" was exchanged while it was read", "Try again.", nil)
	}
	if err := judgeOwner(opened, f.mine, f.where()); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil || len(text) > maxKeyFile {
		return "", badKey(f.where()+" is not a key of this program", "Restore it from a backup.", err)
	}
	return string(text), nil
}

func (f keyFile) unreadable(err error) error {
	return badKey(f.where()+" cannot be read: "+reason(err), "Make it readable for the user this program runs as, mode 0600.", err)
}

// write puts the text into a new file and moves it into place: at any moment
// there is either the old file or the new one.
func (f keyFile) write(text string, first bool) error {
	if err := f.place(text, first); err != nil {
		return &confluence.Error{Kind: confluence.Unavailable, Code: "seal.key", Op: "write key", Message: f.where() + " cannot be written: " + reason(err),
			Next: "Check that its folder exists, is yours and is not full.", Err: err}
	}
	return nil
}

func (f keyFile) place(text string, first bool) error {
	folder := filepath.Dir(f.path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(folder, ".seal-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone already after a rename
	_, err = temporary.WriteString(text)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if first { // a link never replaces what another process has made meanwhile
		if err := os.Link(temporary.Name(), f.path); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return syncFolder(folder)
	}
	if err := os.Rename(temporary.Name(), f.path); err != nil {
		return err
	}
	return syncFolder(folder)
}

func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

package reload

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/tools/txtar"
)

// Bounds of a folder. A profile has at most 256 KiB.
const (
	maxFile  = 256 << 10
	maxFiles = 200
)

// files is the text of a folder's profiles in order of name.
type files []file

type file struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

func (f files) digest() string {
	h := sha256.New()
	for _, one := range f {
		fmt.Fprintf(h, "%q %d\n%s", one.Name, len(one.Text), one.Text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// fs is the files as a file system.
func (f files) fs() fs.FS {
	archive := &txtar.Archive{}
	for _, one := range f {
		archive.Files = append(archive.Files, txtar.File{Name: one.Name, Data: []byte(one.Text)})
	}
	fsys, err := txtar.FS(archive)
	if err != nil {
		return broken{err}
	}
	return fsys
}

// broken is a file system that cannot be read.
type broken struct{ err error }

func (b broken) Open(string) (fs.File, error) { return nil, b.err }

// readDir reads every *.yaml of a folder, or refuses the folder.
func readDir(dir string) (files, error) {
	if dir == "" {
		return nil, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("profiles folder: %w", err)
	}
	defer root.Close()
	if err := trusted(root, "."); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("profiles folder: %w", err)
	}
	var out files
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".yaml" {
			continue
		}
		if len(out) == maxFiles {
			return nil, fmt.Errorf("the profiles folder has more than %d files", maxFiles)
		}
		text, err := readFile(root, e.Name())
		if err != nil {
			return nil, err
		}
		out = append(out, file{e.Name(), text})
	}
	slices.SortFunc(out, func(a, b file) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out, nil
}

// trusted refuses what others may write. On Windows the mode says nothing.
func trusted(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	if err != nil {
		return fmt.Errorf("profiles folder: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s: group or others may write it (mode %o); run chmod go-w", name, info.Mode().Perm())
	}
	return nil
}

// readFile reads one file that is what it claims to be, before and after.
func readFile(root *os.Root, name string) (string, error) {
	named, err := root.Lstat(name)
	if err != nil {
		return "", fmt.Errorf("profiles folder: %w", err)
	}
	if !named.Mode().IsRegular() {
		return "", fmt.Errorf("%s: not a plain file; links, folders and devices are refused", name)
	}
	if err := trusted(root, name); err != nil {
		return "", err
	}
	if named.Size() > maxFile {
		return "", fmt.Errorf("%s: %d bytes; at most %d are read", name, named.Size(), maxFile)
	}
	f, err := root.Open(name)
	if err != nil {
		return "", fmt.Errorf("profiles folder: %w", err)
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	after, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if !os.SameFile(named, before) || before.Size() != int64(len(text)) || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return "", fmt.Errorf("%s: %w", name, errMoving)
	}
	return string(text), nil
}

// errMoving is a file that was being written; the next look settles it.
var errMoving = errors.New("the file changed while it was read")

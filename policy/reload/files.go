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
	"strings"

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

// trusted refuses what others may write. On Windows the mode says nothing, and
// on a file system that is mounted read-only, as Kubernetes mounts a ConfigMap,
// nobody writes whatever the mode says.
func trusted(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	if err != nil {
		return fmt.Errorf("profiles folder: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 && !readOnly(filepath.Join(root.Name(), name)) {
		return fmt.Errorf("%s: group or others may write it (mode %o); run chmod go-w", name, info.Mode().Perm())
	}
	return nil
}

// maxLinks is how many links may stand between a name and its file: a
// ConfigMap has two, the name and ..data.
const maxLinks = 8

// behind follows links to the file a name stands for, inside the folder, and
// holds every folder and file on the way to what is asked of the folder itself.
func behind(root *os.Root, name string) (string, error) {
	at, left, links := ".", []string{name}, 0
	for len(left) > 0 {
		here := filepath.Join(at, left[0])
		info, err := root.Lstat(here)
		if err != nil {
			return "", fmt.Errorf("profiles folder: %w", err)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			if err := trusted(root, here); err != nil {
				return "", err
			}
			at, left = here, left[1:]
			continue
		}
		target, err := root.Readlink(here)
		if err != nil {
			return "", fmt.Errorf("profiles folder: %w", err)
		}
		next := filepath.Join(at, target)
		if links++; links > maxLinks || filepath.IsAbs(target) || !filepath.IsLocal(next) {
			return "", fmt.Errorf("%s: a link that leads out of the folder, or in circles", name)
		}
		at, left = ".", append(strings.Split(next, string(filepath.Separator)), left[1:]...)
	}
	return at, nil
}

// readFile reads one file that is what it claims to be, before and after.
func readFile(root *os.Root, name string) (string, error) {
	shown := name
	name, err := behind(root, name)
	if err != nil {
		return "", err
	}
	named, err := root.Lstat(name)
	if err != nil {
		return "", fmt.Errorf("profiles folder: %w", err)
	}
	if !named.Mode().IsRegular() {
		return "", fmt.Errorf("%s: not a plain file; folders and devices are refused", shown)
	}
	if named.Size() > maxFile {
		return "", fmt.Errorf("%s: %d bytes; at most %d are read", shown, named.Size(), maxFile)
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

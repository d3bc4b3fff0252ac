package reload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// keptRevisions is how many are kept, on disk and in memory.
const keptRevisions = 20

const (
	stampFormat = "20060102T150405.000000000Z"
	pinName     = "pin.json"
)

// Revision is one kept set of profiles.
type Revision struct {
	Revision string    `json:"revision"`
	Since    time.Time `json:"since"`
}

// keeper stores revisions in a private folder, one JSON file each, named
// time-revision.json. A keeper without a folder keeps nothing.
type keeper struct {
	dir      string
	readOnly bool
}

// pin is a rollback: Revision is in force while the folder's digest is Ignore.
type pin struct {
	Revision string `json:"revision"`
	Ignore   string `json:"ignore"`
}

// save stores files as the newest revision unless they already are, and drops
// the oldest.
func (k keeper) save(now time.Time, revision string, f files) error {
	if k.dir == "" || k.readOnly {
		return nil
	}
	names, err := k.names()
	if err != nil {
		return err
	}
	if n := len(names); n > 0 && strings.HasSuffix(names[n-1], "-"+revision+".json") {
		if kept, err := k.read(names[n-1]); err == nil && kept.digest() == f.digest() {
			return nil
		}
	}
	stamp := now.UTC().Format(stampFormat)
	if n := len(names); n > 0 && stamp <= names[n-1][:len(stamp)] {
		stamp = later(names[n-1][:len(stamp)])
	}
	if err := k.write(stamp+"-"+revision+".json", f); err != nil {
		return fmt.Errorf("keep revision %s: %w", revision, err)
	}
	for len(names)+1 > keptRevisions {
		if err := os.Remove(filepath.Join(k.dir, names[0])); err != nil {
			return fmt.Errorf("drop the oldest revision: %w", err)
		}
		names = names[1:]
	}
	return nil
}

// later is the stamp one nanosecond after another: revisions stay in order
// when the clock does not.
func later(stamp string) string {
	t, err := time.Parse(stampFormat, stamp)
	if err != nil {
		return stamp
	}
	return t.Add(1).Format(stampFormat)
}

// write puts a value into a file in one step: whoever reads sees the old file
// or the new one.
func (k keeper) write(name string, value any) error {
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return err
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(k.dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(raw)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(k.dir, name))
}

// names lists the kept files, oldest first.
func (k keeper) names() ([]string, error) {
	if k.dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(k.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("kept revisions: %w", err)
	}
	var out []string
	for _, e := range entries {
		if len(e.Name()) == len(stampFormat)+len("-0123456789ab.json") && e.Type().IsRegular() {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}

func (k keeper) read(name string) (files, error) {
	raw, err := os.ReadFile(filepath.Join(k.dir, name))
	if err != nil {
		return nil, fmt.Errorf("kept revision: %w", err)
	}
	var f files
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("kept revision %s: %w", name, err)
	}
	return f, nil
}

func (k keeper) newest() (files, error) {
	names, err := k.names()
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("there is no last good revision to start with")
	}
	return k.read(names[len(names)-1])
}

// find reads a revision; a revision kept twice is the same in both.
func (k keeper) find(revision string) (files, error) {
	names, err := k.names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, "-"+revision+".json") && len(revision) == 12 {
			return k.read(name)
		}
	}
	return nil, fmt.Errorf("revision %q is not kept", revision)
}

func (k keeper) list() ([]Revision, error) {
	names, err := k.names()
	if err != nil {
		return nil, err
	}
	out := make([]Revision, 0, len(names))
	for _, name := range slices.Backward(names) {
		since, err := time.Parse(stampFormat, name[:len(stampFormat)])
		if err != nil {
			continue
		}
		revision := strings.TrimSuffix(name[len(stampFormat)+1:], ".json")
		out = append(out, Revision{Revision: revision, Since: since})
	}
	return out, nil
}

func (k keeper) pin() (pin, bool) {
	var p pin
	raw, err := os.ReadFile(filepath.Join(k.dir, pinName))
	if k.dir == "" || err != nil {
		return p, false
	}
	return p, json.Unmarshal(raw, &p) == nil
}

func (k keeper) setPin(p pin) error {
	if k.readOnly {
		return errors.New("the revisions belong to another process")
	}
	if err := k.write(pinName, p); err != nil {
		return fmt.Errorf("keep the rollback: %w", err)
	}
	return nil
}

// unpin ends a rollback. A pin that could not be removed names a folder that
// no longer exists, and is ignored.
func (k keeper) unpin() {
	if k.dir != "" && !k.readOnly {
		_ = os.Remove(filepath.Join(k.dir, pinName))
	}
}

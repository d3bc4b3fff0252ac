// Package owner sees to it that one process owns a data folder, and lets the
// others work through it.
//
// The owner holds a lock on a file in the folder and listens on a socket only
// its user can open. A process that finds the folder owned sends its command
// line there ([Run]) or connects its standard streams ([Stream]) and is served
// as its own caller. A lock dies with its holder, so a crashed owner needs no
// cleaning up.
//
// The package knows neither MCP nor the commands: it carries bytes. Start
// reading with [Claim].
package owner

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gofrs/flock"
)

const (
	lockFile   = "owner.lock"
	noteFile   = "owner.json"
	socketFile = "owner.sock"
	// maxSocketPath is what every Unix takes in sun_path (macOS: 104 with the NUL).
	maxSocketPath = 100
)

// note is what the owner leaves for the others.
type note struct {
	PID    int    `json:"pid"`
	Socket string `json:"socket"`
}

// Held says that another process owns the folder.
type Held struct {
	Dir string
	PID int // 0 when the owner has not written it yet
}

// Error names the folder and the pid.
func (h *Held) Error() string {
	return "the data folder " + h.Dir + " is owned by process " + strconv.Itoa(h.PID)
}

// Owner is the right to a data folder, until Close or the end of the process.
type Owner struct {
	dir    string
	lock   *flock.Flock
	socket string
}

// Claim takes the folder dir, making it with mode 0700 when it is absent. The
// error is a [Held] while another process has it.
func Claim(dir string) (*Owner, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	taken, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if !taken {
		n, _ := read(dir) // without a note the pid stays 0
		return nil, &Held{Dir: dir, PID: n.PID}
	}
	o := &Owner{dir: dir, lock: lock, socket: socketPath(dir)}
	if err := o.leaveNote(); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return o, nil
}

func (o *Owner) leaveNote() error {
	b, err := json.Marshal(note{PID: os.Getpid(), Socket: o.socket})
	if err != nil {
		return err
	}
	temporary := filepath.Join(o.dir, noteFile+".new")
	if err := os.WriteFile(temporary, b, 0o600); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return os.Rename(temporary, filepath.Join(o.dir, noteFile))
}

func read(dir string) (note, error) {
	b, err := os.ReadFile(filepath.Join(dir, noteFile))
	if err != nil {
		return note{}, err
	}
	var n note
	return n, json.Unmarshal(b, &n)
}

// socketPath is inside the folder, or, where that path is too long for a
// socket address, in a folder of this user's below the temporary one.
func socketPath(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	if p := filepath.Join(abs, socketFile); len(p) <= maxSocketPath {
		return p
	}
	sum := sha256.Sum256([]byte(abs))
	return filepath.Join(os.TempDir(), "confluence-mcp-"+strconv.Itoa(os.Getuid()), hex.EncodeToString(sum[:8])+".sock")
}

// Listen opens the socket, mode 0600, in place of one a crashed owner left.
func (o *Owner) Listen() (net.Listener, error) {
	if filepath.Base(o.socket) != socketFile {
		if err := ownFolder(filepath.Dir(o.socket)); err != nil {
			return nil, fmt.Errorf("owner socket: %w", err)
		}
	}
	if err := os.Remove(o.socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("owner socket: %w", err)
	}
	l, err := net.Listen("unix", o.socket)
	if err != nil {
		return nil, fmt.Errorf("owner socket: %w", err)
	}
	if err := os.Chmod(o.socket, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// ownFolder makes the folder of a socket. One that is there already, below the
// temporary folder of everybody, must be this user's and closed to others:
// whoever owns it could put a socket of their own in the place of ours. Only
// its owner can change its mode.
func ownFolder(dir string) error {
	if err := os.Mkdir(dir, 0o700); err == nil || !errors.Is(err, os.ErrExist) {
		return err
	}
	at, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !at.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	return os.Chmod(dir, 0o700)
}

// Close gives the folder back.
func (o *Owner) Close() error {
	_ = os.Remove(filepath.Join(o.dir, noteFile)) // a stale note does no harm
	return o.lock.Unlock()
}

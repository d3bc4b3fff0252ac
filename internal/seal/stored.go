package seal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
)

// place keeps the text of master keys somewhere.
type place interface {
	// read gives the text; errNoKeys when there is none yet.
	read() (string, error)
	// write replaces it, durably and at once; first must not replace anything.
	write(text string, first bool) error
	// where names the place in messages, with the setting that leads to it.
	where() string
}

var errNoKeys = errors.New("no key yet")

// stored is a provider whose master keys are a text that it reads itself. The
// text has a line for each key, the present one last.
type stored struct {
	name  string
	place place
	mu    sync.Mutex
}

// keyWord begins every line of a key text.
const keyWord = "confluence-mcp-key-1"

// master is one master key. Its id is a digest of it, so that a mistyped or
// broken line is noticed.
type master struct {
	id  string
	key []byte
}

func newMaster(key []byte) master {
	sum := sha256.Sum256(append([]byte("confluence-mcp master key "), key...))
	return master{id: hex.EncodeToString(sum[:8]), key: key}
}

func (m master) line() string {
	return keyWord + " " + m.id + " " + base64.StdEncoding.EncodeToString(m.key) + "\n"
}

// NewKeyText makes the text of a new master key, for an environment variable or
// a secret store. It is one line.
func NewKeyText() Secret { return Secret{strings.TrimSpace(freshMaster().line())} }

func freshMaster() master {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // crypto/rand never fails
	return newMaster(key)
}

// parseMasters reads a key text. Several keys may also stand behind one another
// with commas, because a variable has one line.
func parseMasters(text, where string) ([]master, error) {
	var out []master
	for n, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ',' }) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		words := strings.Fields(line)
		var key []byte
		if len(words) == 3 && words[0] == keyWord {
			key, _ = base64.StdEncoding.DecodeString(words[2]) // an error leaves too few bytes
		}
		if len(key) != keyBytes || newMaster(key).id != words[1] {
			return nil, badKey(where+" is not a key of this program, or is damaged (key "+ordinal(n)+")",
				"Restore it from a backup. Without it the stored tokens cannot be read, and everybody connects again in a new data folder.", nil)
		}
		out = append(out, newMaster(key))
	}
	if len(out) == 0 {
		return nil, badKey(where+" holds no key", "Restore it from a backup.", nil)
	}
	return out, nil
}

func ordinal(n int) string { return string(rune('1' + min(n, 8))) }

func (s *stored) Name() string { return s.name }

func (s *stored) masters() ([]master, error) {
	text, err := s.place.read()
	if err != nil {
		return nil, err
	}
	return parseMasters(text, s.place.where())
}

// Wrap makes the first master key when there is none.
func (s *stored) Wrap(_ context.Context, key []byte) (string, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.masters()
	if errors.Is(err, errNoKeys) {
		if err := s.place.write(freshMaster().line(), true); err != nil {
			return "", nil, err
		}
		all, err = s.masters() // another process may have been first
	}
	if err != nil {
		return "", nil, s.missing(err)
	}
	now := all[len(all)-1]
	c, err := cipherOf(now.key)
	if err != nil {
		return "", nil, err
	}
	return now.id, c.Seal(nil, nil, key, wrapBound(now.id)), nil
}

func wrapBound(id string) []byte { return []byte("confluence-mcp wrapped key " + id) }

func (s *stored) Unwrap(_ context.Context, id string, wrapped []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.masters()
	if err != nil {
		return nil, s.missing(err)
	}
	for _, m := range all {
		if m.id != id {
			continue
		}
		c, err := cipherOf(m.key)
		if err != nil {
			return nil, err
		}
		key, err := c.Open(nil, nil, wrapped, wrapBound(id))
		if err != nil {
			return nil, badKey("a stored data key was changed", "Restore the database from a backup, or connect again in a new data folder.", err)
		}
		return key, nil
	}
	return nil, badKey(s.place.where()+" is not the one this data folder was sealed with: it has key "+all[len(all)-1].id+", key "+id+" is needed",
		"Restore the right one from a backup. Nothing was changed.", nil)
}

// missing says that there is no key where one must be.
func (s *stored) missing(err error) error {
	if !errors.Is(err, errNoKeys) {
		return err
	}
	return badKey(s.place.where()+" is missing, and this data folder has secrets sealed with it", "Restore it from a backup. Nothing was made in its place.", nil)
}

func (s *stored) Renew(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.masters()
	if errors.Is(err, errNoKeys) {
		return nil // Wrap makes the first
	}
	if err != nil {
		return err
	}
	return s.put(append(all, freshMaster()))
}

func (s *stored) Forget(_ context.Context, but string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.masters()
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.id == but && len(all) > 1 {
			return s.put([]master{m})
		}
	}
	return nil
}

func (s *stored) put(all []master) error {
	var text strings.Builder
	for _, m := range all {
		text.WriteString(m.line())
	}
	return s.place.write(text.String(), false)
}

// given is a key text that somebody else keeps: an environment variable.
type given struct{ text Secret }

func (g given) read() (string, error) {
	if g.text.Empty() {
		return "", badKey(g.where()+" is empty", "Make a key with: confluence-mcp secrets new-key, keep it in your secret store, and set it.", nil)
	}
	return g.text.value, nil
}

// write does nothing: a new key is put there by whoever keeps the variable, in
// front of a rotation, behind the old one and a comma.
func (given) write(string, bool) error { return nil }

func (given) where() string { return "the key in seal.key" }

package seal

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"

	"confluence-mcp/internal/confluence"
)

// Key is a data key as it lies in the database: wrapped by the master key
// Master of the provider Provider. Wrapped is no secret by itself.
type Key struct {
	ID       string // 16 hex digits
	Provider string
	Master   string
	Wrapped  []byte
}

// Keys is what a ring needs of a database. Safe for concurrent use, by several
// processes too.
type Keys interface {
	// SealKeys lists all data keys.
	SealKeys(ctx context.Context) ([]Key, error)
	// AddFirstKey stores a key unless there is one already; then it does nothing.
	AddFirstKey(ctx context.Context, k Key) error
	// Reseal replaces all keys by k, and every sealed record by what change makes
	// of it, in one transaction. An error of change leaves everything as it was.
	Reseal(ctx context.Context, k Key, change func(at Place, sealed []byte) ([]byte, error)) (records int, err error)
}

// Ring is the data keys of one database, opened. Safe for concurrent use.
type Ring struct {
	provider KeyProvider
	store    Keys

	mu     sync.RWMutex
	active string // id of the key that seals
	keys   map[string]cipher.AEAD
}

// OpenRing opens the data keys with the provider's master key, making both at
// first use.
//
// Kind Invalid, code seal.key, when the master key is missing, broken or
// another one than the database was sealed with: nothing is made in its place.
// Unavailable when the provider cannot be reached.
func OpenRing(ctx context.Context, provider KeyProvider, store Keys) (*Ring, error) {
	r := &Ring{provider: provider, store: store}
	stored, err := store.SealKeys(ctx)
	if err != nil {
		return nil, err
	}
	if len(stored) == 0 {
		if err := r.addFirst(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Ring) addFirst(ctx context.Context) error {
	_, k, err := r.newKey(ctx)
	if err != nil {
		return err
	}
	return r.store.AddFirstKey(ctx, k)
}

// newKey makes a data key and wraps it with the present master key.
func (r *Ring) newKey(ctx context.Context) (cipher.AEAD, Key, error) {
	var raw [keyBytes]byte
	var id [keyIDBytes]byte
	_, _ = rand.Read(raw[:]) // crypto/rand never fails
	_, _ = rand.Read(id[:])
	master, wrapped, err := r.provider.Wrap(ctx, raw[:])
	if err != nil {
		return nil, Key{}, err
	}
	opened, err := cipherOf(raw[:])
	return opened, Key{ID: hex.EncodeToString(id[:]), Provider: r.provider.Name(), Master: master, Wrapped: wrapped}, err
}

// load opens the keys as they are stored now.
func (r *Ring) load(ctx context.Context) error {
	stored, err := r.store.SealKeys(ctx)
	if err != nil {
		return err
	}
	keys := make(map[string]cipher.AEAD, len(stored))
	active := ""
	for _, k := range stored {
		if keys[k.ID], err = r.unwrap(ctx, k); err != nil {
			return err
		}
		active = k.ID
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active, r.keys = active, keys
	return nil
}

func (r *Ring) unwrap(ctx context.Context, k Key) (cipher.AEAD, error) {
	if k.Provider != r.provider.Name() {
		return nil, badKey("the secrets here are sealed with a key from "+k.Provider+", and the configuration names "+r.provider.Name(),
			"Set seal.provider to "+k.Provider+", or move them with: confluence-mcp secrets rotate --from "+k.Provider+".", nil)
	}
	raw, err := r.provider.Unwrap(ctx, k.Master, k.Wrapped)
	if err != nil {
		return nil, err
	}
	if len(raw) != keyBytes {
		return nil, badKey("a stored key has the wrong size", "Restore the database from a backup, or connect again in a new data folder.", nil)
	}
	return cipherOf(raw)
}

// Seal encrypts a secret for its place.
func (r *Ring) Seal(at Place, plain Secret) ([]byte, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return seal(r.keys[r.active], r.active, at, []byte(plain.value))
}

func seal(key cipher.AEAD, id string, at Place, plain []byte) ([]byte, error) {
	head, err := hex.DecodeString(id)
	if err != nil || len(head) != keyIDBytes || key == nil {
		return nil, &confluence.Error{Kind: confluence.Internal, Op: "seal", Ref: at.String(), Err: errors.New("the data key has no id")}
	}
	out := append([]byte{recordVersion}, head...)
	return key.Seal(out, nil, plain, at.bound(id)), nil
}

// Open decrypts what was sealed for this very place. A key that another process
// has made meanwhile is fetched.
//
// Kind Expired, code seal.record, when the record was changed, moved, cut or
// sealed elsewhere; there is no partial result.
func (r *Ring) Open(ctx context.Context, at Place, sealed []byte) (Secret, error) {
	id := KeyOf(sealed)
	if id == "" {
		return Secret{}, brokenRecord(at, "the sealed record is cut or of an unknown form")
	}
	if _, known := r.key(id); !known {
		if err := r.load(ctx); err != nil {
			return Secret{}, err
		}
	}
	plain, err := r.open(at, sealed)
	return Secret{string(plain)}, err
}

// open uses the keys at hand: it is called inside transactions, too.
func (r *Ring) open(at Place, sealed []byte) ([]byte, error) {
	id := KeyOf(sealed)
	key, known := r.key(id)
	if !known {
		return nil, brokenRecord(at, "the secret was sealed with a key that this data folder does not have")
	}
	plain, err := key.Open(nil, nil, sealed[recordHead:], at.bound(id))
	if err != nil {
		return nil, brokenRecord(at, "the sealed record was changed, or belongs to another row")
	}
	return plain, nil
}

func (r *Ring) key(id string) (cipher.AEAD, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	k, ok := r.keys[id]
	return k, ok
}

// Reload fetches the keys anew, after another process has rotated them.
func (r *Ring) Reload(ctx context.Context) error { return r.load(ctx) }

// Rotate replaces the keys and reseals every record, all of them or none. to
// takes over from the ring's provider; it may be the same one, which then makes
// a new master key if it can. It gives the number of records.
//
// The old master key is kept until every record is under the new one. A record
// that does not open stops the rotation with its error and nothing is changed;
// so does a provider that still has the old master key only, with kind Invalid,
// code seal.key: who is told of a rotation takes the old key away.
func (r *Ring) Rotate(ctx context.Context, to KeyProvider) (records int, err error) {
	if err := r.load(ctx); err != nil {
		return 0, err
	}
	before, err := r.store.SealKeys(ctx)
	if err != nil {
		return 0, err
	}
	if err := to.Renew(ctx); err != nil {
		return 0, err
	}
	next := &Ring{provider: to, store: r.store}
	fresh, k, err := next.newKey(ctx)
	if err != nil {
		return 0, err
	}
	if slices.ContainsFunc(before, func(old Key) bool { return old.Provider == k.Provider && old.Master == k.Master }) {
		return 0, badKey("there is no newer master key at "+k.Provider+" than "+k.Master+", which the secrets are sealed with; nothing was changed",
			"With environment, put a new key (confluence-mcp secrets new-key) behind the old one with a comma, restart the process that owns the data folder with both, and rotate then; with azurekv, make a new version of the key in the vault first.", nil)
	}
	records, err = r.store.Reseal(ctx, k, func(at Place, sealed []byte) ([]byte, error) {
		plain, err := r.open(at, sealed)
		if err != nil {
			return nil, err
		}
		return seal(fresh, k.ID, at, plain)
	})
	if err != nil {
		return 0, fmt.Errorf("rotate keys: %w", err)
	}
	r.mu.Lock()
	r.provider = to
	r.mu.Unlock()
	if err := r.load(ctx); err != nil {
		return records, err
	}
	return records, to.Forget(ctx, k.Master)
}

// badKey is a master or data key that cannot be used.
func badKey(message, next string, cause error) error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "seal.key", Op: "open key", Message: message, Next: next, Err: cause}
}

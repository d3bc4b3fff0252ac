package seal_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// memory is a database in memory: keys and sealed records.
type memory struct {
	mu      sync.Mutex
	keys    []seal.Key
	records map[seal.Place][]byte
	dies    bool // the transaction of Reseal is cut off before its commit
}

var errDied = errors.New("died")

func newMemory() *memory { return &memory{records: map[seal.Place][]byte{}} }

func (m *memory) SealKeys(context.Context) ([]seal.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.keys), nil
}

func (m *memory) AddFirstKey(_ context.Context, k seal.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.keys) == 0 {
		m.keys = []seal.Key{k}
	}
	return nil
}

func (m *memory) Reseal(_ context.Context, k seal.Key, change func(seal.Place, []byte) ([]byte, error)) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[seal.Place][]byte{}
	for at, sealed := range m.records {
		out, err := change(at, sealed)
		if err != nil {
			return 0, err
		}
		next[at] = out
	}
	if m.dies {
		return 0, errDied
	}
	m.keys, m.records = []seal.Key{k}, next
	return len(next), nil
}

func (m *memory) copyOf() *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memory{keys: slices.Clone(m.keys), records: maps.Clone(m.records)}
}

func provider(t *testing.T, c seal.Choice) seal.KeyProvider {
	t.Helper()
	p, err := c.Open()
	require.NoError(t, err)
	return p
}

func fileIn(t *testing.T, dir string) seal.KeyProvider {
	t.Helper()
	return provider(t, seal.Choice{File: filepath.Join(dir, "seal.key")})
}

func ring(t *testing.T, p seal.KeyProvider, m *memory) *seal.Ring {
	t.Helper()
	r, err := seal.OpenRing(t.Context(), p, m)
	require.NoError(t, err)
	return r
}

func sealed(t *testing.T, r *seal.Ring, at seal.Place, plain string) []byte {
	t.Helper()
	out, err := r.Seal(at, seal.NewSecret(plain))
	require.NoError(t, err)
	require.False(t, bytes.Contains(out, []byte(plain)))
	return out
}

// requireCode asserts kind and code of a refusal, and that it says what to do.
func requireCode(t *testing.T, err error, kind confluence.Kind, code string) {
	t.Helper()
	var e *confluence.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, kind, e.Kind, err)
	require.Equal(t, code, e.StableCode(), err)
	require.NotEmpty(t, e.Next)
	require.NotContains(t, err.Error()+e.Next, canary)
}

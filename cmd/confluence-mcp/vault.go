package main

import (
	"context"
	"sync"

	"confluence-mcp/internal/seal"
)

// keyFile is the name of the master key inside a data folder.
const keyFile = "seal.key"

// vault seals what the engine keeps. The keys are opened, or made, when there
// is something to seal: a server that keeps no secret has none.
type vault struct {
	choice seal.Choice
	keys   seal.Keys
	mu     sync.Mutex
	ring   *seal.Ring
}

func (v *vault) open(ctx context.Context) (*seal.Ring, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ring != nil {
		return v.ring, nil
	}
	master, err := v.choice.Open()
	if err != nil {
		return nil, err
	}
	v.ring, err = seal.OpenRing(ctx, master, v.keys)
	return v.ring, err
}

// Reload implements store.Sealer: it takes over keys that were rotated beside
// this vault.
func (v *vault) Reload(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ring == nil {
		return nil
	}
	return v.ring.Reload(ctx)
}

// Seal implements registry.Vault.
func (v *vault) Seal(ctx context.Context, at seal.Place, plain seal.Secret) ([]byte, error) {
	ring, err := v.open(ctx)
	if err != nil {
		return nil, err
	}
	return ring.Seal(at, plain)
}

// Open implements registry.Vault.
func (v *vault) Open(ctx context.Context, at seal.Place, sealed []byte) (seal.Secret, error) {
	ring, err := v.open(ctx)
	if err != nil {
		return seal.Secret{}, err
	}
	return ring.Open(ctx, at, sealed)
}

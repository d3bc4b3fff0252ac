package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

func cursorPlace() seal.Place { return seal.Place{Table: "cursor_key", Row: "1", Column: "key"} }

// CursorKey gives the 32 bytes that cursors are made with, drawn once for a data
// folder: a cursor outlives the process that made it. They are sealed where the
// folder has keys to seal with, and alone are no reason to make some. It is
// called after [Precious.SealWith].
func (p *Precious) CursorKey(ctx context.Context) ([]byte, error) {
	record, err := p.Sealed(ctx, cursorPlace())
	if err == nil {
		secret, err := p.sealer.Open(ctx, cursorPlace(), record)
		return []byte(secret.Reveal()), err
	}
	if confluence.KindOf(err) != confluence.NotFound {
		return nil, fmt.Errorf("read the key of cursors: %w", err)
	}
	key := make([]byte, 32)
	err = p.db.QueryRowContext(ctx, "SELECT key FROM cursor_key").Scan(&key)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		_, _ = rand.Read(key) // it never fails
	case err != nil:
		return nil, fmt.Errorf("read the key of cursors: %w", err)
	}
	return key, p.keepCursorKey(ctx, key)
}

func (p *Precious) keepCursorKey(ctx context.Context, key []byte) error {
	keys, err := p.SealKeys(ctx)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		_, err := p.db.ExecContext(ctx, "INSERT INTO cursor_key(one, key) VALUES (1, ?) ON CONFLICT DO NOTHING", key)
		return err
	}
	record, err := p.sealer.Seal(ctx, cursorPlace(), seal.NewSecret(string(key)))
	if err != nil {
		return err
	}
	return p.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM cursor_key"); err != nil { // it was there before there was a key to seal it with
			return err
		}
		return putSealed(ctx, tx, cursorPlace(), record)
	})
}

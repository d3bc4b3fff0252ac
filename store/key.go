package store

import (
	"context"
	"database/sql"
	"fmt"

	"confluence-mcp/internal/seal"
)

// SealKeys implements [seal.Keys].
func (p *Precious) SealKeys(ctx context.Context) ([]seal.Key, error) {
	rows, err := p.db.QueryContext(ctx, "SELECT id, provider, master, wrapped FROM seal_key ORDER BY created, id")
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err below has the error that counts
	var out []seal.Key
	for rows.Next() {
		var k seal.Key
		if err := rows.Scan(&k.ID, &k.Provider, &k.Master, &k.Wrapped); err != nil {
			return nil, fmt.Errorf("list keys: %w", err)
		}
		out = append(out, k)
	}
	return out, rows.Err()
}

// AddFirstKey implements [seal.Keys].
func (p *Precious) AddFirstKey(ctx context.Context, k seal.Key) error {
	_, err := p.db.ExecContext(ctx, `INSERT INTO seal_key(id, provider, master, wrapped, created) SELECT ?, ?, ?, ?, ?
		WHERE NOT EXISTS (SELECT 1 FROM seal_key)`, k.ID, k.Provider, k.Master, k.Wrapped, at(p.now()))
	if err != nil {
		return fmt.Errorf("add key: %w", err)
	}
	return nil
}

// Reseal implements [seal.Keys].
func (p *Precious) Reseal(ctx context.Context, k seal.Key, change func(seal.Place, []byte) ([]byte, error)) (records int, err error) {
	err = p.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO seal_key(id, provider, master, wrapped, created) VALUES (?,?,?,?,?)", k.ID, k.Provider, k.Master, k.Wrapped, at(p.now()))
		if err != nil {
			return fmt.Errorf("add key: %w", err)
		}
		places, err := sealedPlaces(ctx, tx)
		if err != nil {
			return err
		}
		for _, at := range places {
			if err := resealOne(ctx, tx, at, change); err != nil {
				return err
			}
		}
		records = len(places)
		_, err = tx.ExecContext(ctx, "DELETE FROM seal_key WHERE id <> ?", k.ID)
		return err
	})
	if err != nil {
		return 0, err
	}
	return records, p.wipe(ctx) // what the old key sealed is not left in the log
}

func sealedPlaces(ctx context.Context, tx *sql.Tx) ([]seal.Place, error) {
	rows, err := tx.QueryContext(ctx, "SELECT owner, row, field FROM sealed ORDER BY owner, row, field")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err below has the error that counts
	var out []seal.Place
	for rows.Next() {
		var at seal.Place
		if err := rows.Scan(&at.Table, &at.Row, &at.Column); err != nil {
			return nil, err
		}
		out = append(out, at)
	}
	return out, rows.Err()
}

func resealOne(ctx context.Context, tx *sql.Tx, at seal.Place, change func(seal.Place, []byte) ([]byte, error)) error {
	old, err := getSealed(ctx, tx, at)
	if err != nil {
		return err
	}
	record, err := change(at, old)
	if err != nil {
		return err
	}
	return putSealed(ctx, tx, at, record)
}

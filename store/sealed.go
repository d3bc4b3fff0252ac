package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// PutSealed keeps a sealed record in its place, over what was there. Kind
// Conflict, code seal.key, when its key was rotated away: seal it again.
func (p *Precious) PutSealed(ctx context.Context, at seal.Place, record []byte) error {
	return p.inTx(ctx, func(tx *sql.Tx) error { return putSealed(ctx, tx, at, record) })
}

// Sealed gives the record of a place. Kind NotFound when there is none.
func (p *Precious) Sealed(ctx context.Context, at seal.Place) ([]byte, error) {
	return getSealed(ctx, p.db, at)
}

// EraseSealed removes the records of a row of a table from the disk.
func (p *Precious) EraseSealed(ctx context.Context, table, row string) error {
	if _, err := p.db.ExecContext(ctx, "DELETE FROM sealed WHERE owner = ? AND row = ?", table, row); err != nil {
		return fmt.Errorf("erase secrets of %s %s: %w", table, row, err)
	}
	return p.wipe(ctx)
}

func putSealed(ctx context.Context, tx *sql.Tx, at seal.Place, record []byte) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO sealed(owner, row, field, key, record) VALUES (?,?,?,?,?)
		ON CONFLICT(owner, row, field) DO UPDATE SET key = excluded.key, record = excluded.record`, at.Table, at.Row, at.Column, seal.KeyOf(record), record)
	if err != nil && strings.Contains(err.Error(), "FOREIGN KEY") {
		return &confluence.Error{Kind: confluence.Conflict, Code: "seal.key", Op: "store secret", Ref: at.String(), Message: "the key was rotated meanwhile", Next: "Try again."}
	}
	if err != nil {
		return fmt.Errorf("store secret of %s: %w", at, err)
	}
	return nil
}

func getSealed(ctx context.Context, q oneRow, at seal.Place) ([]byte, error) {
	var record []byte
	err := q.QueryRowContext(ctx, "SELECT record FROM sealed WHERE owner = ? AND row = ? AND field = ?", at.Table, at.Row, at.Column).Scan(&record)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, &confluence.Error{Kind: confluence.NotFound, Op: "find secret", Ref: at.String(), Message: "there is none", Next: "Connect, or enter the token again."}
	}
	if err != nil {
		return nil, fmt.Errorf("find secret of %s: %w", at, err)
	}
	return record, nil
}

// wipe empties the write-ahead log: deleted rows are overwritten in the database
// (secure_delete), but older pages are still in the log until then.
func (p *Precious) wipe(ctx context.Context) error {
	var busy, inLog, moved int
	if err := p.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &inLog, &moved); err != nil {
		return fmt.Errorf("empty the database's log: %w", err)
	}
	if busy != 0 {
		return &confluence.Error{Kind: confluence.Unavailable, Op: "erase", Message: "what was deleted is still in the database's log, because another process reads it", Next: "End the other process; the log is emptied with the next change."}
	}
	return nil
}

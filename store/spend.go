package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// spentKept is how long a write counts against a limit, at most.
const spentKept = 24 * time.Hour

// NoteSpent keeps a write that is about to run, so that a restart gives nobody
// a new budget. Writes of more than a day ago are forgotten.
func (p *Precious) NoteSpent(ctx context.Context, principal string, deletion bool, when time.Time) error {
	err := p.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO spent(principal, deletion, at) VALUES (?,?,?)", principal, deletion, at(when)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM spent WHERE at < ?", at(when.Add(-spentKept)))
		return err
	})
	if err != nil {
		return fmt.Errorf("note a write of %s: %w", principal, err)
	}
	return nil
}

// SpentSince calls each with every write noted from a time on, in order of
// time.
func (p *Precious) SpentSince(ctx context.Context, from time.Time, each func(principal string, deletion bool, when time.Time)) (err error) {
	rows, err := p.db.QueryContext(ctx, "SELECT principal, deletion, at FROM spent WHERE at >= ? ORDER BY at, rowid", at(from))
	if err != nil {
		return fmt.Errorf("read past writes: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			principal, stamp string
			deletion         bool
		)
		if err := rows.Scan(&principal, &deletion, &stamp); err != nil {
			return fmt.Errorf("read past writes: %w", err)
		}
		when, err := fromStamp(stamp)
		if err != nil {
			return fmt.Errorf("read past writes: %w", err)
		}
		each(principal, deletion, when)
	}
	return rows.Err()
}

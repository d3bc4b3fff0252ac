package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Taint says when somebody last read restricted content and content from
// outside; zero is never.
type Taint struct {
	Who                  string
	Restricted, External time.Time
}

// NoteTaints keeps marks, each with the later time of what there is and what
// comes, and forgets those before oldest.
func (p *Precious) NoteTaints(ctx context.Context, oldest time.Time, marks ...Taint) error {
	err := p.inTx(ctx, func(tx *sql.Tx) error {
		for _, m := range marks {
			restricted, external := stampOf(m.Restricted), stampOf(m.External)
			_, err := tx.ExecContext(ctx, `INSERT INTO taint(who, restricted, external, at) VALUES (?,?,?,?) ON CONFLICT(who) DO UPDATE SET
				restricted = max(restricted, excluded.restricted), external = max(external, excluded.external), at = max(at, excluded.at)`,
				m.Who, restricted, external, max(restricted, external))
			if err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM taint WHERE at < ?", at(oldest))
		return err
	})
	if err != nil {
		return fmt.Errorf("note who read restricted content: %w", err)
	}
	return nil
}

// stampOf is a time that may be never.
func stampOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return at(t)
}

func fromOptional(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return fromStamp(s)
}

// TaintsSince calls each with every mark of a time or later.
func (p *Precious) TaintsSince(ctx context.Context, oldest time.Time, each func(Taint)) (err error) {
	rows, err := p.db.QueryContext(ctx, "SELECT who, restricted, external FROM taint WHERE at >= ? ORDER BY who", at(oldest))
	if err != nil {
		return fmt.Errorf("read who read restricted content: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			m                    Taint
			restricted, external string
		)
		if err := rows.Scan(&m.Who, &restricted, &external); err != nil {
			return fmt.Errorf("read who read restricted content: %w", err)
		}
		var err2 error
		m.Restricted, err = fromOptional(restricted)
		m.External, err2 = fromOptional(external)
		if err := errors.Join(err, err2); err != nil {
			return fmt.Errorf("read who read restricted content: %w", err)
		}
		each(m)
	}
	return rows.Err()
}

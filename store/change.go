package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// changesKept is how long a change can be undone.
const changesKept = 90 * 24 * time.Hour

func changePlace(id string) seal.Place {
	return seal.Place{Table: "change", Row: id, Column: "undo"}
}

// NoteChange keeps a write with what undoing it needs, sealed. Changes older
// than 90 days are forgotten. Kind Unavailable when there is nothing to seal
// with (see [Precious.SealWith]).
func (p *Precious) NoteChange(ctx context.Context, c audit.Change) error {
	if p.sealer == nil {
		return &confluence.Error{Kind: confluence.Unavailable, Op: "note change", Ref: c.On, Message: "there is no key to seal it with"}
	}
	err := p.sealing(ctx, func() error {
		sealed, err := p.sealer.Seal(ctx, changePlace(c.ID), seal.NewSecret(string(c.Undo)))
		if err != nil {
			return err
		}
		return p.inTx(ctx, func(tx *sql.Tx) error { return p.keepChange(ctx, tx, c, sealed) })
	})
	if err != nil {
		return fmt.Errorf("note change of %s: %w", c.On, err)
	}
	return nil
}

func (p *Precious) keepChange(ctx context.Context, tx *sql.Tx, c audit.Change, sealed []byte) error {
	if _, err := tx.ExecContext(ctx, "INSERT INTO change(id, principal, site, tool, what, version, at) VALUES (?,?,?,?,?,?,?)", c.ID, c.Principal, c.Site, c.Tool, c.On, c.Version, at(c.Time)); err != nil {
		return err
	}
	if err := putSealed(ctx, tx, changePlace(c.ID), sealed); err != nil {
		return err
	}
	oldest := at(p.now().Add(-changesKept))
	if _, err := tx.ExecContext(ctx, "DELETE FROM sealed WHERE owner = 'change' AND row IN (SELECT id FROM change WHERE at < ?)", oldest); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM change WHERE at < ?", oldest)
	return err
}

// Change finds a change of a principal on a site; ok is false when there is
// none of that id.
func (p *Precious) Change(ctx context.Context, principal, site, id string) (c audit.Change, ok bool, err error) {
	var when string
	var undone sql.NullString
	c = audit.Change{ID: id, Principal: principal, Site: site}
	err = p.db.QueryRowContext(ctx, "SELECT tool, what, version, at, undone FROM change WHERE id = ? AND principal = ? AND site = ?", id, principal, site).
		Scan(&c.Tool, &c.On, &c.Version, &when, &undone)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Change{}, false, nil
	}
	if err == nil {
		c.Time, err = fromStamp(when)
	}
	if err == nil {
		c.Undone, err = fromMaybe(undone)
	}
	if err == nil {
		c.Undo, err = p.openChange(ctx, id)
	}
	if err != nil {
		return audit.Change{}, false, fmt.Errorf("find change: %w", err)
	}
	return c, true, nil
}

// ChangeThatMade finds the change of a principal that made a version, the last
// where several did; ok is false when it was not one of theirs.
func (p *Precious) ChangeThatMade(ctx context.Context, v audit.Version) (c audit.Change, ok bool, err error) {
	var id string
	err = p.db.QueryRowContext(ctx, "SELECT id FROM change WHERE principal = ? AND site = ? AND what = ? AND version = ? AND tool = ? ORDER BY at DESC LIMIT 1", v.Principal, v.Site, v.On, v.Number, v.Tool).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Change{}, false, nil
	}
	if err != nil {
		return audit.Change{}, false, fmt.Errorf("find the change of %s: %w", v.On, err)
	}
	return p.Change(ctx, v.Principal, v.Site, id)
}

func (p *Precious) openChange(ctx context.Context, id string) ([]byte, error) {
	record, err := p.Sealed(ctx, changePlace(id))
	if err != nil {
		return nil, err
	}
	if p.sealer == nil {
		return nil, errors.New("there is no key to open it with")
	}
	plain, err := p.sealer.Open(ctx, changePlace(id), record)
	return []byte(plain.Reveal()), err
}

// MarkUndone has a change undone, once.
func (p *Precious) MarkUndone(ctx context.Context, id string, when time.Time) error {
	if _, err := p.db.ExecContext(ctx, "UPDATE change SET undone = ? WHERE id = ? AND undone IS NULL", at(when), id); err != nil {
		return fmt.Errorf("mark change as undone: %w", err)
	}
	return nil
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"confluence-mcp/internal/audit"
)

// deedsKept is how long a change can be undone by its number.
const deedsKept = 90 * 24 * time.Hour

// NoteDeed keeps a change in place of the principal's earlier one to the same
// page. Changes older than 90 days are forgotten.
func (p *Precious) NoteDeed(ctx context.Context, d audit.Deed) error {
	err := p.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO deed(principal, site, page, before, made, base_sha256, at) VALUES (?,?,?,?,?,?,?)`,
			d.Principal, d.Site, d.PageID, d.Before, d.Made, d.BaseSHA256, at(d.Time))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM deed WHERE at < ?", at(p.now().Add(-deedsKept)))
		return err
	})
	if err != nil {
		return fmt.Errorf("note change of page %s: %w", d.PageID, err)
	}
	return nil
}

// LastDeed gives the last change of a principal to a page; ok is false when
// there is none.
func (p *Precious) LastDeed(ctx context.Context, principal, site, pageID string) (d audit.Deed, ok bool, err error) {
	var when string
	d = audit.Deed{Principal: principal, Site: site, PageID: pageID}
	err = p.db.QueryRowContext(ctx, "SELECT before, made, base_sha256, at FROM deed WHERE principal = ? AND site = ? AND page = ?", principal, site, pageID).
		Scan(&d.Before, &d.Made, &d.BaseSHA256, &when)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Deed{}, false, nil
	}
	if err == nil {
		d.Time, err = fromStamp(when)
	}
	if err != nil {
		return audit.Deed{}, false, fmt.Errorf("find change of page %s: %w", pageID, err)
	}
	return d, true, nil
}

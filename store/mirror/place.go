package mirror

import (
	"context"
	"database/sql"
	"errors"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
)

// Place gives a page, blog post or folder without its body: where it stands, and
// what it is called. Kind NotFound as in [Mirror.Page].
func (m *Mirror) Place(ctx context.Context, who identity.Caller, ref Ref) (Page, error) {
	const op = "place page"
	var out Page
	err := m.reads(ctx, op, who, func(r *reading) error {
		found, err := r.first(idQuery, ref.ID, ref.Integration)
		if err == nil && found == nil {
			err = missing(op, "page "+ref.ID)
		}
		if err == nil {
			out, err = r.finish(found)
		}
		return err
	})
	if err != nil {
		return Page{}, err
	}
	return out, nil
}

// DamagedBody reports whether an error is of one page's body alone: it is not
// what was written, or not there. Other pages can be read, and a full pass puts
// it right.
func DamagedBody(err error) bool {
	var e *confluence.Error
	return errors.As(err, &e) && e.Code == damagedCode && e.Op == "read body" || errors.Is(err, sql.ErrNoRows)
}

package mirror

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"confluence-mcp/internal/identity"
)

// Titles finds what the caller may see by its title alone, without an index: the
// nodes that say most of the words first, then by order of first reading. match
// gives how much a title says, 0 for nothing; nil lists everything the filter
// leaves. Folders are left out unless Type asks for them.
func (m *Mirror) Titles(ctx context.Context, who identity.Caller, f Filter, match func(title string) int) ([]uint32, error) {
	var found []said
	err := m.reads(ctx, "search titles", who, func(r *reading) error {
		found = nil
		q, err := r.query(f, position{})
		if err != nil || q == nil {
			return err
		}
		if f.Type == "" {
			q.and("n.type IN ('page', 'blogpost')")
		}
		rows, err := r.QueryContext(ctx, "SELECT n.idx, n.integration, n.id, p.title"+pageTables+"WHERE "+strings.Join(q.where, " AND ")+" ORDER BY n.idx", q.args...)
		if err != nil {
			return fmt.Errorf("list titles: %w", err)
		}
		defer rows.Close()
		found, err = r.said(rows, q, match)
		return err
	})
	slices.SortStableFunc(found, func(a, b said) int { return cmp.Compare(b.words, a.words) })
	out := make([]uint32, 0, len(found))
	for _, h := range found {
		out = append(out, h.idx)
	}
	return out, err
}

// said is how many of the words that are looked for a title says.
type said struct {
	idx   uint32
	words int
}

// said reads the titles of a list, of what the caller sees.
func (r *reading) said(rows *sql.Rows, q *query, match func(string) int) (found []said, err error) {
	for rows.Next() {
		var p row
		if err := rows.Scan(&p.Index, &p.Integration, &p.ID, &p.Title); err != nil {
			return nil, fmt.Errorf("read a title: %w", err)
		}
		one := said{idx: p.Index}
		if match != nil {
			one.words = match(p.Title)
		}
		if match != nil && one.words == 0 || q.ancestor != 0 && !r.view.Snapshot().Under(p.Index, q.ancestor) || !r.sees(p.Index) {
			continue
		}
		found = append(found, one)
	}
	return found, rows.Err()
}

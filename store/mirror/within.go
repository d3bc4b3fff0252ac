package mirror

import (
	"context"
	"database/sql"
	"strings"

	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
)

// Within says what part of an integration, or of one space of it, a caller sees,
// for a question that somebody answers who sees more: the keys of the spaces he
// may view, and in them the ids of what is hidden from him. Of a tree that is
// hidden only the top is named: nothing below it can be seen. whole is false,
// and the rest empty, when more than most would have to be named.
func (m *Mirror) Within(ctx context.Context, who identity.Caller, integration int64, spaceKey string, most int) (spaces, hidden []string, whole bool, err error) {
	const op = "say what is seen"
	seen, err := m.Spaces(ctx, who, integration, "")
	if err != nil {
		return nil, nil, false, err
	}
	err = m.reads(ctx, op, who, func(r *reading) error {
		spaces, hidden, whole = nil, nil, true
		for _, s := range seen {
			if spaceKey != "" && !strings.EqualFold(s.Key, spaceKey) {
				continue
			}
			spaces = append(spaces, s.Key)
			tops, err := r.tops(s.Index, most-len(hidden))
			if err != nil {
				return err
			}
			if hidden = append(hidden, tops...); len(hidden) > most || len(spaces) > most {
				whole = false
				return nil
			}
		}
		return nil
	})
	if err != nil || !whole {
		return nil, nil, false, err
	}
	return spaces, hidden, true, nil
}

// tops lists what is hidden of a space below what is not, or below what was not
// found any more, one more than most at the utmost.
func (r *reading) tops(space uint32, most int) ([]string, error) {
	var out []string
	rows, err := r.QueryContext(r.ctx, `SELECT n.idx, n.id, coalesce(up.gone, 0) FROM node n LEFT JOIN node up ON up.idx = n.parent
		WHERE n.space = ? AND n.gone = 0 ORDER BY n.idx`, space)
	err = eachRow(rows, err, func(s *sql.Rows) error {
		var idx uint32
		var id string
		var orphan int64
		if len(out) > most {
			return nil
		}
		if err := s.Scan(&idx, &id, &orphan); err != nil {
			return err
		}
		if r.sees(idx) {
			return nil
		}
		up := r.view.Snapshot().Parent(idx)
		if up == 0 || orphan != 0 || r.view.Check(up) == guard.Visible || r.view.Snapshot().SpaceOf(up) != space {
			out = append(out, id)
		}
		return nil
	})
	return out, err
}

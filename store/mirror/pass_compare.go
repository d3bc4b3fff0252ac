package mirror

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"confluence-mcp/store/guard"
)

// Listed is what a listing tells of content without its body. Partial says that
// it does not tell labels and attachments, which are then not compared.
type Listed struct {
	ID          string
	Version     int
	Title       string
	Position    *int
	Labels      []string
	Attachments map[string]int // version by id
	Partial     bool
}

// SweptAt is when the rights of the space were last read completely, before
// this pass; zero when they never were.
func (p *Pass) SweptAt() time.Time { return fromMicros(p.space.swept) }

// Outdated compares a listing with the stored content. It gives the ids of what
// is missing or different, and of what is the same and was read before since.
func (p *Pass) Outdated(ctx context.Context, listed []Listed, since time.Time) (changed, old []string, err error) {
	want := make(map[string]*Listed, len(listed))
	for i := range listed {
		want[listed[i].ID] = &listed[i]
	}
	files, err := p.files(ctx, want)
	if err != nil {
		return nil, nil, p.m.failure("compare content", err)
	}
	rows, err := p.m.read.QueryContext(ctx, "SELECT "+pageColumns+pageTables+"WHERE n.space = ?", p.space.idx)
	err = eachRow(rows, err, func(r *sql.Rows) error {
		var have row
		if err := have.scan(r); err != nil {
			return err
		}
		l := want[have.ID]
		if l == nil {
			return nil
		}
		if l.equals(&have, files[have.ID]) && have.sound() {
			delete(want, have.ID)
			if micros(have.ReadAt) < micros(since) {
				old = append(old, have.ID)
			}
		}
		return nil
	})
	for id := range want {
		changed = append(changed, id)
	}
	slices.Sort(changed)
	slices.Sort(old)
	return changed, old, p.m.failure("compare content", err)
}

// files counts and compares the stored attachments of the space: true where
// they are the listed ones, and sound.
func (p *Pass) files(ctx context.Context, want map[string]*Listed) (map[string]bool, error) {
	left := make(map[string]int, len(want))
	same := make(map[string]bool, len(want))
	for id, l := range want {
		left[id], same[id] = len(l.Attachments), true
	}
	rows, err := p.m.read.QueryContext(ctx, "SELECT "+attachmentColumns+attachmentTables+"WHERE n.space = ?", p.space.idx)
	err = eachRow(rows, err, func(r *sql.Rows) error {
		var f file
		if err := f.scan(r); err != nil {
			return err
		}
		if l := want[f.PageID]; l != nil {
			listed, known := l.Attachments[f.ID]
			same[f.PageID] = same[f.PageID] && known && listed == f.Version.Number && f.sound()
			left[f.PageID]--
		}
		return nil
	})
	for id, n := range left {
		same[id] = same[id] && n == 0
	}
	return same, err
}

func (l *Listed) equals(have *row, files bool) bool {
	if l.Version != have.Version.Number || l.Title != have.Title || (l.Position == nil) != (have.Position == nil) || l.Position != nil && *l.Position != *have.Position {
		return false
	}
	if l.Partial {
		return true
	}
	return files && slices.Equal(slices.Sorted(slices.Values(have.Labels)), slices.Sorted(slices.Values(l.Labels)))
}

// Missing gives the nodes of the space that are there and were not observed: what
// a complete [Pass.Tighten] would hide or remove.
func (p *Pass) Missing(ctx context.Context) ([]string, error) {
	var out []string
	rows, err := p.m.read.QueryContext(ctx, "SELECT id FROM node WHERE space = ? AND gone = 0", p.space.idx)
	err = eachRow(rows, err, func(r *sql.Rows) error {
		var id string
		err := r.Scan(&id)
		if _, there := p.seen[id]; !there {
			out = append(out, id)
		}
		return err
	})
	return out, p.m.failure("compare nodes", err)
}

// Laxer reports whether the observations admit anybody to known nodes whom the
// published rights do not, or place one elsewhere: what should be read twice
// before it is published. Nodes that are new do not count.
func (p *Pass) Laxer(ctx context.Context) (bool, error) {
	laxer, err := p.grantsLaxer()
	if laxer || err != nil {
		return laxer, err
	}
	left := make(map[string]bool, len(p.seen))
	for id := range p.seen {
		left[id] = true
	}
	rows, err := p.m.read.QueryContext(ctx, comparedNodes+"n.space = ?", p.space.idx)
	err = eachRow(rows, err, func(r *sql.Rows) error {
		id, more, err := p.compare(r)
		delete(left, id)
		laxer = laxer || more
		return err
	})
	for id := range left { // new ones, and those that were moved here
		if laxer || err != nil {
			break
		}
		rows, err = p.m.read.QueryContext(ctx, comparedNodes+"n.integration = ? AND n.id = ? AND n.space <> 0", p.space.integration, id)
		err = eachRow(rows, err, func(r *sql.Rows) error {
			_, laxer, err = p.compare(r)
			return err
		})
	}
	return laxer, p.m.failure("compare rights", err)
}

const comparedNodes = `SELECT n.idx, n.integration, n.id, n.type, n.space, n.parent, n.state, n.clause, n.gone, n.hash, n.cause, coalesce(up.id, '')
	FROM node n LEFT JOIN node up ON up.idx = n.parent WHERE `

// compare reads a row and tells whether the observed node is laxer.
func (p *Pass) compare(r *sql.Rows) (id string, laxer bool, err error) {
	var row node
	var parent string
	if err := r.Scan(&row.idx, &row.integration, &row.id, &row.kind, &row.space, &row.parent, &row.state, &row.clause, &row.gone, &row.hash, &row.cause, &parent); err != nil {
		return "", false, err
	}
	n := p.seen[row.id]
	return row.id, n != nil && p.nodeLaxer(&row, n, parent), nil
}

func (p *Pass) grantsLaxer() (bool, error) {
	if p.grants == nil || p.space.swept == 0 {
		return false, nil
	}
	old, err := decode(p.space.integration, p.space.grants)
	if err != nil {
		return true, nil //nolint:nilerr // what cannot be read admits nobody: anything is laxer
	}
	return p.space.sealed && !p.sealed || len(common(old, *p.grants)) != len(*p.grants), nil
}

func (p *Pass) nodeLaxer(row *node, n *Node, parent string) bool {
	if n.ParentID != parent {
		return true
	}
	of, err := decode(row.integration, row.clause)
	if row.space != p.space.idx || row.gone != 0 || err != nil || !sound(row.hash, row.fields()...) {
		return true
	}
	both := meet(guard.Clause{State: row.state, Of: of}, n.Clause)
	return both.State != n.Clause.State || len(both.Of) != len(n.Clause.Of)
}

// Again observes nodes once more, right before their content is put, and
// publishes at once what got stricter of them and, since [Pass.Grants] was told
// again, of the space. Kind Invalid before
// [Pass.Tighten] and after [Pass.Loosen].
func (p *Pass) Again(ctx context.Context, nodes ...Node) error {
	if p.phase != tightened {
		return p.order("observe again")
	}
	if err := p.Observe(nodes...); err != nil {
		return err
	}
	return p.m.commit(ctx, "observe again", func(b *batch) error {
		if err := p.tightenSpace(b); err != nil {
			return err
		}
		for _, n := range nodes {
			if err := p.place(b, p.seen[n.ID], false); err != nil {
				return err
			}
		}
		return nil
	})
}

// Hold keeps the clauses of nodes from getting laxer in this pass: they were read
// once only, or the content could not be read anew, and what is stored of it is of
// a time when fewer might see it.
func (p *Pass) Hold(ids ...string) {
	if p.held == nil {
		p.held = map[string]bool{}
	}
	for _, id := range ids {
		p.held[id] = true
	}
}

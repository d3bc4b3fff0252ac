package mirror

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// Pass is one reading of one space. Its methods are called in this order:
//
//	Observe, Grants      what was read of rights: the whole space, once or twice
//	Tighten              publishes what got stricter, and hides what vanished
//	Put                  publishes content, batch by batch
//	Loosen               publishes what got laxer
//	End
//
// Rights that were observed twice count only as far as both observations agree:
// a change that happened between the reading of a parent and of its child can
// look laxer than anything that ever was, and does not do so twice. A pass that
// is not complete only ever tightens. A node that passes over two spaces observed
// stands where the pass that began later did, and not where it was gone again.
//
// A Pass is not safe for concurrent use. Passes over different spaces may go on
// side by side.
type Pass struct {
	m       *Mirror
	id      int64
	space   space
	started time.Time
	phase   phase
	seen    map[string]*Node
	grants  *[]guard.Principal
	sealed  bool
	done    bool            // the observations are complete
	held    map[string]bool // nodes whose rights are not loosened: see Hold

	stricter map[string]bool // nodes that may be stored stricter than they were observed last
	began    uint64          // the epoch
	gone     map[uint32]bool // nodes observed as gone
	beside   map[uint32]bool // other spaces that nodes of this pass stand below
}

type phase int

const (
	observing phase = iota
	tightened
	loosened
	ended
)

// Node is what a sync read of the rights of one node: of a page, a blog post or
// anything else that can be above a page.
type Node struct {
	ID       string
	Type     string
	ParentID string // empty at the root
	Clause   guard.Clause
	Cause    string // why it is sealed, or that the list was cut off; for the report
	Gone     bool   // it was there and, read again, was not any more: sealed unless another space has it
}

// Begin starts a pass over a space, which it makes known, hidden at first.
func (w *Writer) Begin(ctx context.Context, integration int64, sp confluence.Space) (*Pass, error) {
	if integration <= 0 || sp.ID == "" {
		return nil, invalid("begin pass", "a pass needs an integration and a space")
	}
	p := &Pass{m: w.m, started: w.m.now(), seen: map[string]*Node{}, stricter: map[string]bool{}, gone: map[uint32]bool{}, beside: map[uint32]bool{}}
	err := w.m.commit(ctx, "begin pass", func(b *batch) error {
		s, err := b.putSpace(integration, sp)
		if err != nil {
			return err
		}
		p.space, p.began = s, w.m.published.Load().snapshot.Epoch()
		r, err := b.run("INSERT INTO pass(integration, space, started, ended, complete, report) VALUES (?, ?, ?, 0, 0, '')", integration, s.idx, micros(p.started))
		if err != nil {
			return err
		}
		p.id, err = r.LastInsertId()
		return err
	})
	return p, err
}

func (b *batch) putSpace(integration int64, sp confluence.Space) (space, error) {
	var s space
	err := s.scan(b.one("SELECT "+spaceColumns+" FROM space WHERE integration = ? AND id = ?", integration, sp.ID))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return s, err
	}
	if _, ok := s.guarded(); err != nil || !ok {
		s.integration, s.id, s.grants, s.sealed, s.swept = integration, sp.ID, "[]", true, 0
	}
	s.key, s.name, s.kind, s.status = sp.Key, sp.Name, sp.Type, sp.Status
	s.homepage, s.description, s.webURL = sp.HomepageID, sp.Description, sp.WebURL
	if err != nil {
		r, err := b.run("INSERT INTO space(integration, id, key, name, type, status, homepage, description, web_url, grants, sealed, swept, hash) VALUES (?, ?, ?, '', '', '', '', '', '', '[]', 1, 0, x'')", integration, sp.ID, sp.Key)
		if err != nil {
			return s, err
		}
		idx, err := r.LastInsertId()
		if err != nil {
			return s, err
		}
		s.idx = uint32(idx)
	}
	return s, b.saveSpace(&s)
}

func (b *batch) saveSpace(s *space) error {
	s.hash = rowHash(s.fields()...)
	g, _ := s.guarded()
	idx := s.idx
	b.rights = append(b.rights, func(f *guard.Forest) { f.SetSpace(idx, g) })
	return b.exec("UPDATE space SET key = ?, name = ?, type = ?, status = ?, homepage = ?, description = ?, web_url = ?, grants = ?, sealed = ?, swept = ?, hash = ? WHERE idx = ?",
		s.key, s.name, s.kind, s.status, s.homepage, s.description, s.webURL, s.grants, s.sealed, s.swept, s.hash, s.idx)
}

// Observe takes what was read of nodes. Seen again, a node's clause admits only
// whom both readings admit; its place is the last one read.
func (p *Pass) Observe(nodes ...Node) error {
	if p.phase >= loosened {
		return p.order("observe")
	}
	for _, n := range nodes {
		if n.ID == "" || n.ID == n.ParentID {
			return invalid("observe", fmt.Sprintf("node %q below %q", n.ID, n.ParentID))
		}
		if old, again := p.seen[n.ID]; again {
			n.Clause = meet(old.Clause, n.Clause)
		}
		p.seen[n.ID] = &n
		if p.phase == tightened {
			p.stricter[n.ID] = true
		}
	}
	return nil
}

// Grants takes who may view the space; sealed when that could not be read. Read
// again, only those named both times count.
func (p *Pass) Grants(view []guard.Principal, sealed bool) error {
	if p.phase >= loosened {
		return p.order("grants")
	}
	if p.grants != nil {
		view = common(*p.grants, view)
	}
	p.grants, p.sealed = &view, p.sealed || sealed
	return nil
}

func (p *Pass) order(op string) error {
	return invalid(op, "a pass goes observe, tighten, put, loosen, end")
}

// End closes the pass, and forgets those before it over the space. The report is
// for people, and JSON.
func (p *Pass) End(ctx context.Context, report string) error {
	if p.phase == ended {
		return p.order("end pass")
	}
	complete := p.phase == loosened
	p.phase = ended
	return p.m.commit(ctx, "end pass", func(b *batch) error {
		if err := b.exec("DELETE FROM pass WHERE space = ? AND id < ?", p.space.idx, p.id); err != nil {
			return err
		}
		return b.exec("UPDATE pass SET ended = ?, complete = ?, report = ? WHERE id = ?", micros(p.m.now()), complete, report, p.id)
	})
}

// meet admits whom both clauses admit.
func meet(a, b guard.Clause) guard.Clause {
	switch {
	case a.State == guard.Sealed || b.State == guard.Sealed:
		return guard.Clause{}
	case a.State == guard.Open:
		return b
	case b.State == guard.Open:
		return a
	case a.State == guard.Opaque && b.State == guard.Opaque:
		return a
	case a.State == guard.Opaque || b.State == guard.Opaque:
		return guard.Clause{}
	}
	return guard.Clause{State: guard.Listed, Of: common(a.Of, b.Of)}
}

func common(a, b []guard.Principal) []guard.Principal {
	in := make(map[guard.Principal]bool, len(a))
	for _, p := range a {
		in[p] = true
	}
	out := []guard.Principal{}
	for _, p := range b {
		if in[p] {
			out = append(out, p)
		}
	}
	return out
}

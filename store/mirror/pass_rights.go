package mirror

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"confluence-mcp/store/guard"
)

// Vanished is what a complete pass did not find any more.
type Vanished struct {
	Hidden int  // not found for the first time: hidden, kept
	Purged int  // not found again: removed
	Held   bool // so much vanished at once that only the next pass may remove it; tell somebody
	Left   int  // nodes of the space that are there
}

// A deletion of more than this at once is held.
const (
	heldNodes = 100
	heldShare = 5 // a fifth
)

// Tighten publishes, in one batch, every node in its place with what got
// stricter, and what got stricter of the space's grants. complete says that the
// observations are the whole space: then nodes that were not observed are
// hidden, and those an earlier complete pass hid are removed. Otherwise nothing
// is, and [Pass.Loosen] is refused.
//
// It may be called again after more observations. Kind Invalid when called too
// late.
func (p *Pass) Tighten(ctx context.Context, complete bool) (Vanished, error) {
	var v Vanished
	if p.phase >= loosened {
		return v, p.order("tighten")
	}
	err := p.m.commit(ctx, "tighten", func(b *batch) error {
		v = Vanished{}
		if err := p.tightenSpace(b); err != nil {
			return err
		}
		if err := p.placeAll(b); err != nil {
			return err
		}
		if !complete {
			return nil
		}
		p.m.looks[p.space.idx] = look{p.began, p.gone}
		return p.vanish(b, &v)
	})
	if err == nil {
		p.phase, p.done = tightened, complete && p.grants != nil
	}
	return v, err
}

func (p *Pass) tightenSpace(b *batch) error {
	if p.grants == nil || p.space.swept == 0 {
		return nil // hidden until the first loosening
	}
	old, err := decode(p.space.integration, p.space.grants)
	if err != nil {
		return err
	}
	s := p.space
	s.grants, s.sealed = encode(common(old, *p.grants)), s.sealed || p.sealed
	if err := b.saveSpace(&s); err != nil {
		return err
	}
	p.space = s
	return nil
}

// placeAll places every observed node.
func (p *Pass) placeAll(b *batch) error {
	if len(p.seen) > fewNodes {
		if err := p.readRows(b); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.seen)) {
		if err := p.place(b, p.seen[id], false); err != nil {
			return err
		}
	}
	return nil
}

// loosenAll places the nodes that may not be stored as they were observed.
func (p *Pass) loosenAll(b *batch) error {
	if len(p.stricter) > fewNodes {
		if err := p.readRows(b); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.stricter)) {
		if n := p.seen[id]; n != nil {
			if err := p.place(b, n, !p.held[id]); err != nil {
				return err
			}
		}
	}
	return nil
}

// fewNodes are looked up one by one.
const fewNodes = 200

// readRows reads the rows of the space at once: most of them are as they were.
func (p *Pass) readRows(b *batch) error {
	b.known = make(map[string]node, len(p.seen))
	rows, err := b.QueryContext(b.ctx, "SELECT "+nodeColumns+" FROM node WHERE space = ?", p.space.idx)
	return eachRow(rows, err, func(r *sql.Rows) error {
		var n node
		err := n.scan(r)
		b.known[n.id] = n
		return err
	})
}

// place stores a node where it was observed: loosened with the clause that was
// observed, before that with what it and the stored one both admit.
func (p *Pass) place(b *batch, n *Node, loosen bool) error {
	row, known, err := b.node(p.space.integration, n.ID)
	if err != nil {
		return err
	}
	if stays, err := p.stays(b, &row, n); stays || err != nil {
		return err
	}
	if n.Gone {
		p.gone[row.idx] = true
	} else {
		delete(p.gone, row.idx)
	}
	next := row
	next.kind, next.space, next.cause = n.Type, p.space.idx, n.Cause
	if next.parent, err = p.parent(b, n.ParentID); err != nil {
		return err
	}
	if next.parent != row.parent || next.space != row.space {
		p.news() // its words come under answers that were not about them
	}
	if row.space != 0 && next.space != row.space {
		if err := b.changed(row.idx, false); err != nil { // an index knows the space of what it finds
			return err
		}
	}
	clause := n.Clause
	// A placeholder was sealed because nobody had read it, not by Confluence.
	if known && !loosen && row.space != 0 && sound(row.hash, row.fields()...) {
		of, err := decode(row.integration, row.clause)
		if err != nil {
			return err
		}
		clause = meet(guard.Clause{State: row.state, Of: of}, n.Clause)
	}
	if loosen {
		next.gone = 0
	}
	if next.gone != 0 || clause.State != n.Clause.State || len(clause.Of) != len(n.Clause.Of) {
		p.stricter[n.ID] = true
	}
	next.state, next.clause = clause.State, encode(clause.Of)
	return b.saveNode(&row, &next)
}

// node finds a row, or makes a placeholder that admits nobody.
func (b *batch) node(integration int64, id string) (n node, known bool, err error) {
	if n, known = b.known[id]; known {
		return n, true, nil
	}
	err = n.scan(b.one("SELECT "+nodeColumns+" FROM node WHERE integration = ? AND id = ?", integration, id))
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return n, err == nil, err
	}
	r, err := b.run("INSERT INTO node(integration, id, type, space, parent, state, clause, gone, hash, cause) VALUES (?, ?, '', 0, 0, 0, '[]', 0, x'', 'not read yet')", integration, id)
	if err != nil {
		return n, false, err
	}
	idx, err := r.LastInsertId()
	if err != nil {
		return n, false, err
	}
	n = node{idx: uint32(idx), integration: integration, id: id, clause: "[]", cause: "not read yet"}
	first := n
	return n, false, b.saveNode(&first, &n)
}

// stays reports whether a node is left in the other space it stands in: it was
// gone from here, or was observed there by a pass that began later than this one,
// or its content was read there since. Which of two passes at one time is right
// about a node nobody knows; the next ones will.
func (p *Pass) stays(b *batch, row *node, n *Node) (bool, error) {
	if row.space == 0 || row.space == p.space.idx {
		return false, nil
	}
	there := p.m.looks[row.space]
	if n.Gone || there.began > p.began && row.gone == 0 && !there.gone[row.idx] {
		return true, nil
	}
	var read int64
	err := b.one("SELECT read FROM page WHERE node = ?", row.idx).Scan(&read)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return read > micros(p.started), err
}

// parent finds the row above an observed node.
func (p *Pass) parent(b *batch, id string) (uint32, error) {
	if id == "" {
		return 0, nil
	}
	n, _, err := b.node(p.space.integration, id)
	if n.space != 0 && n.space != p.space.idx {
		p.beside[n.space] = true
	}
	return n.idx, err
}

// news ends every yes about what this pass publishes: about the space, and about
// others that have a class of its nodes.
func (p *Pass) news() {
	p.m.asked.news(p.space.idx)
	for space := range p.beside {
		p.m.asked.news(space)
	}
}

// saveNode writes what changed of a row.
func (b *batch) saveNode(old, n *node) error {
	n.hash = rowHash(n.fields()...)
	if b.known != nil {
		b.known[n.id] = *n
	}
	if string(old.hash) == string(n.hash) && sound(old.hash, old.fields()...) && old.kind == n.kind && old.cause == n.cause {
		return nil
	}
	g, _ := n.guarded()
	idx := n.idx
	b.rights = append(b.rights, func(f *guard.Forest) { f.Put(idx, g) })
	return b.exec("UPDATE node SET type = ?, space = ?, parent = ?, state = ?, clause = ?, gone = ?, hash = ?, cause = ? WHERE idx = ?",
		n.kind, n.space, n.parent, n.state, n.clause, n.gone, n.hash, n.cause, n.idx)
}

// vanish hides what was not observed, and removes what an earlier pass hid.
func (p *Pass) vanish(b *batch, v *Vanished) error {
	if b.known == nil {
		if err := p.readRows(b); err != nil {
			return err
		}
	}
	var hide, purge []node
	for id, n := range b.known {
		switch there := p.seen[id] != nil; {
		case n.space != p.space.idx: // a placeholder above a node of this space
		case there:
			v.Left++
		case n.gone == 0:
			hide = append(hide, n)
		case n.gone != p.id:
			purge = append(purge, n)
		}
	}
	byIndex := func(a, b node) int { return cmp.Compare(a.idx, b.idx) }
	slices.SortFunc(hide, byIndex)
	slices.SortFunc(purge, byIndex)
	v.Hidden, v.Purged = len(hide), len(purge)
	v.Held = len(hide) > heldNodes || len(hide)*heldShare > len(hide)+v.Left && len(hide) > 1
	for _, n := range hide {
		next := n
		next.gone, next.cause = p.id, "not found any more"
		if err := b.saveNode(&n, &next); err != nil {
			return err
		}
	}
	return b.purge(purge)
}

// purge removes nodes; one that others stand under stays as a placeholder.
func (b *batch) purge(nodes []node) error {
	for _, n := range nodes {
		if err := b.changed(n.idx, true); err != nil {
			return err
		}
		for _, table := range []string{"page", "body", "label", "attachment"} {
			if err := b.exec("DELETE FROM "+table+" WHERE node = ?", n.idx); err != nil {
				return err
			}
		}
		empty := node{idx: n.idx, integration: n.integration, id: n.id, clause: "[]", cause: "removed"}
		if err := b.saveNode(&n, &empty); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if err := b.exec("DELETE FROM node WHERE idx = ?1 AND NOT EXISTS (SELECT 1 FROM node WHERE parent = ?1)", n.idx); err != nil {
			return err
		}
	}
	return nil
}

// Confirm removes nodes of the space that Confluence, asked about each of them,
// says are in the trash or gone. Nodes that are not hidden yet are hidden and
// removed at once.
func (p *Pass) Confirm(ctx context.Context, ids ...string) error {
	if p.phase >= loosened {
		return p.order("confirm")
	}
	return p.m.commit(ctx, "confirm", func(b *batch) error {
		var gone []node
		for _, id := range ids {
			var n node
			err := n.scan(b.one("SELECT "+nodeColumns+" FROM node WHERE integration = ? AND id = ? AND space = ?", p.space.integration, id, p.space.idx))
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			delete(p.seen, id)
			gone = append(gone, n)
		}
		return b.purge(gone)
	})
}

// Loosen publishes the rights as they were observed, and that the space was read
// completely when the pass began. Kind Invalid when the last Tighten was not of
// a complete space.
func (p *Pass) Loosen(ctx context.Context) error {
	if p.phase != tightened || !p.done {
		return p.order("loosen")
	}
	err := p.m.commit(ctx, "loosen", func(b *batch) error {
		if err := p.loosenAll(b); err != nil {
			return err
		}
		s := p.space
		s.grants, s.sealed, s.swept = encode(*p.grants), p.sealed, micros(p.started)
		p.space = s
		p.news()
		return b.saveSpace(&p.space)
	})
	if err == nil {
		p.phase = loosened
	}
	return err
}

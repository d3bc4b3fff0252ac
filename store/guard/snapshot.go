package guard

import (
	"maps"
	"slices"
	"time"

	"confluence-mcp/internal/identity"
)

// Space is a space and who may view it.
type Space struct {
	Integration int64
	View        []Principal // users, groups and classes with a read grant; empty: nobody
	Sealed      bool        // the grants could not be read
	SweptAt     time.Time   // when rights of the whole space were last read completely
}

// SetSpace says what a space is. Index 0 is no space and is ignored. A space
// that was never set is hidden, and so is one without integration.
func (f *Forest) SetSpace(idx uint32, s Space) {
	if idx == 0 {
		return
	}
	f.room(idx)
	f.spaces[idx] = s
	f.views[idx] = f.table.set(s.View, true)
	f.rights.n++
}

// room makes place for a space, hidden until it is set.
func (f *Forest) room(idx uint32) {
	if int(idx) < len(f.spaces) && !f.lent {
		return
	}
	if f.lent {
		f.spaces, f.views, f.lent = slices.Clone(f.spaces), slices.Clone(f.views), false
	}
	for int(idx) >= len(f.spaces) {
		f.spaces = append(f.spaces, Space{})
		f.views = append(f.views, sealedClause)
		f.rights.n++
	}
}

// Snapshot is everything that decides visibility, at one moment. It never
// changes and may be read by anybody at once.
type Snapshot struct {
	epoch  uint64
	rights stamp
	table  *table
	sets   [][]uint32
	cells  chunks[cell]
	fences chunks[fence]
	used   uint32
	free   []uint32
	broken map[uint32]Node
	spaces []Space
	views  []uint32
	people directory
}

// Snapshot makes the state so far visible under a number of the caller's
// choice. It costs a few pointers for each 4,096 nodes, and nothing else for
// what did not change.
func (f *Forest) Snapshot(epoch uint64) *Snapshot {
	f.mend()
	f.lent = true
	return &Snapshot{
		epoch: epoch, rights: f.rights, table: f.table, sets: f.table.sets,
		cells: f.cells.share(), fences: f.fences.share(), used: f.used, free: slices.Clone(f.free), broken: maps.Clone(f.broken),
		spaces: f.spaces, views: f.views, people: f.people.share(),
	}
}

// Epoch is the number the snapshot was made under.
func (s *Snapshot) Epoch() uint64 { return s.epoch }

// Verifies reports whether any integration's rights leave something to be
// answered by Confluence itself.
func (s *Snapshot) Verifies() bool {
	for _, site := range s.people.sites {
		if site.Mode == Synced && site.Opaque == VerifyOpaque {
			return true
		}
	}
	return false
}

// Passes reports whether a restriction would let a caller through at a time, by
// what is known of him. Where rights are not synced it restricts nobody.
func (s *Snapshot) Passes(c identity.Caller, integration int64, own Clause, now time.Time) bool {
	for _, one := range s.people.standings(c, now) {
		switch {
		case one.site.ID != integration:
		case one.site.Mode != Synced, own.State == Open, own.State == Listed && one.super:
			return true
		case own.State == Listed:
			return slices.ContainsFunc(own.Of, func(p Principal) bool { return p.Kind != Class && slices.Contains(one.of, p) })
		}
	}
	return false
}

// Parent gives the node above idx, 0 at a root and for unknown nodes.
func (s *Snapshot) Parent(idx uint32) uint32 { return s.cells.at(idx).parent }

// SpaceOf gives the space of a node, 0 for unknown nodes.
func (s *Snapshot) SpaceOf(idx uint32) uint32 { return s.cells.at(idx).space }

// Under reports whether a node stands somewhere below another.
func (s *Snapshot) Under(idx, ancestor uint32) bool {
	if ancestor == 0 {
		return false
	}
	for p := s.Parent(idx); p != 0; p = s.Parent(p) {
		if p == ancestor {
			return true
		}
	}
	return false
}

// Space gives what is known of a space; its integration is 0 when nothing is.
func (s *Snapshot) Space(idx uint32) Space {
	if int(idx) >= len(s.spaces) {
		return Space{}
	}
	return s.spaces[idx]
}

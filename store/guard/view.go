package guard

import (
	"time"

	"confluence-mcp/internal/identity"
)

// Verdict is the answer about a node.
type Verdict uint8

// The verdicts; the zero value hides.
const (
	Hidden  Verdict = iota
	Visible         // the caller may see it
	Verify          // only if Confluence itself says so: an ancestor's restriction cannot be read
)

// View is one snapshot as one caller may see it. It never changes and may be
// used by anybody at once; a query keeps the one it began with.
type View struct {
	snapshot *Snapshot
	*verdicts
	read    memberships
	answers map[uint32]bool // of Confluence, by class
}

// memberships are when those of a caller were read, by integration.
type memberships map[int64]time.Time

func membershipsOf(stand []standing) memberships {
	out := memberships{}
	for _, one := range stand {
		if !one.read.IsZero() {
			out[one.site.ID] = one.read
		}
	}
	return out
}

// verdicts hold as long as no guard and no space changes, from a time until
// another.
type verdicts struct {
	term
	spaces []bool
	guards []Verdict
}

// term is a time from which and, if not zero, a time until which.
type term struct{ from, until time.Time }

func (t term) holds(now time.Time) bool {
	return !now.Before(t.from) && (t.until.IsZero() || now.Before(t.until))
}

// View judges a caller. An unknown caller sees nothing.
func (s *Snapshot) View(c identity.Caller, now time.Time) *View {
	stand := s.people.standings(c, now)
	return &View{snapshot: s, verdicts: s.judge(stand, now), read: membershipsOf(stand)}
}

// Check says whether the caller may see a node. A node the snapshot does not
// know is hidden.
func (v *View) Check(idx uint32) Verdict {
	n := v.snapshot.cells.at(idx)
	if !v.spaces[n.space] {
		return Hidden
	}
	verdict := v.guards[n.guard]
	if verdict != Verify {
		return verdict
	}
	switch yes, known := v.answers[v.Class(idx)]; {
	case !known:
		return Verify
	case yes:
		return Visible
	}
	return Hidden
}

// Class names what a node shares its verdict with: the nearest node, itself or
// above, that has a restriction. Where [View.Check] says [Verify], Confluence's
// answer about one node of a class is its answer about all. 0 where there is none.
func (v *View) Class(idx uint32) uint32 {
	return v.snapshot.fences.at(v.snapshot.cells.at(idx).guard).node
}

// With gives the view in which answers of Confluence, by class, stand in the place
// of [Verify]. They admit nobody to what the view hides.
func (v *View) With(answers map[uint32]bool) *View {
	out := *v
	out.answers = answers
	return &out
}

// Sees reports whether the caller may see a node for sure.
func (v *View) Sees(idx uint32) bool { return v.Check(idx) == Visible }

// SeesSpace reports whether the caller may view a space, whatever is in it.
func (v *View) SeesSpace(idx uint32) bool { return int(idx) < len(v.spaces) && v.spaces[idx] }

// Stale reports whether the rights of a space, or the caller's own memberships
// where it is, were read longer ago than [Integration.MaxAge]: what is shown of
// it is to be marked. Rights that are not synced are as old as the last complete
// reading of the space.
func (v *View) Stale(space uint32, now time.Time) bool {
	sp := v.snapshot.Space(space)
	site, known := v.snapshot.people.sites[sp.Integration]
	return known && (site.stale(sp.SweptAt, now) || site.Mode == Synced && site.stale(v.read[site.ID], now))
}

// Snapshot gives what the view looks at.
func (v *View) Snapshot() *Snapshot { return v.snapshot }

func (s *Snapshot) judge(stand []standing, now time.Time) *verdicts {
	j := judge{snapshot: s, now: now, sites: make(map[int64]standing, len(stand)), out: &verdicts{term: term{from: now}}}
	for _, one := range stand {
		j.sites[one.site.ID] = one
	}
	j.readClauses(stand)
	j.readSpaces()
	j.readGuards()
	return j.out
}

// judge is the evaluation of one caller.
type judge struct {
	snapshot *Snapshot
	now      time.Time
	sites    map[int64]standing
	clauses  []bool // by number: names the caller
	out      *verdicts
}

func (j *judge) readClauses(stand []standing) {
	var of []Principal
	for _, one := range stand {
		of = append(of, one.of...)
	}
	mine := map[uint32]bool{}
	for _, id := range j.snapshot.table.numbers(of) {
		mine[id] = true
	}
	j.clauses = make([]bool, len(j.snapshot.sets))
	bits := bitset(mine)
	for i, set := range j.snapshot.sets {
		for _, p := range set {
			if int(p>>6) < len(bits) && bits[p>>6]&(1<<(p&63)) != 0 {
				j.clauses[i] = true
				break
			}
		}
	}
}

func bitset(of map[uint32]bool) []uint64 {
	var out []uint64
	for p := range of {
		for int(p>>6) >= len(out) {
			out = append(out, 0)
		}
		out[p>>6] |= 1 << (p & 63)
	}
	return out
}

func (j *judge) readSpaces() {
	j.out.spaces = make([]bool, len(j.snapshot.spaces))
	for i := 1; i < len(j.out.spaces); i++ {
		j.out.spaces[i] = j.space(j.snapshot.spaces[i], j.snapshot.views[i])
	}
}

func (j *judge) space(sp Space, grants uint32) bool {
	stand, known := j.sites[sp.Integration]
	if !known || sp.Sealed {
		return false
	}
	switch stand.site.Mode {
	case OwnerOnly:
		return stand.owner
	case Public:
		return true
	}
	if !fresh(stand.site, sp.SweptAt, j.now) {
		return false
	}
	if !j.clauses[grants] && !stand.super {
		return false
	}
	j.out.until = sooner(j.out.until, sp.SweptAt.Add(stand.site.hardMaxAge()))
	return true
}

// sooner gives the earlier of two ends; the zero time is no end.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// readGuards judges every guard after those above it.
func (j *judge) readGuards() {
	n := j.snapshot.used + 1
	j.out.guards = make([]Verdict, n)
	j.out.guards[0] = Visible
	done := make([]bool, n)
	done[0] = true
	var path []uint32
	for g := uint32(1); g < n; g++ {
		for at := g; !done[at]; at = j.snapshot.fences.at(at).up {
			path = append(path, at)
			done[at] = true
		}
		for len(path) > 0 {
			at := path[len(path)-1]
			path = path[:len(path)-1]
			fence := j.snapshot.fences.at(at)
			j.out.guards[at] = both(j.out.guards[fence.up], j.own(fence))
		}
	}
}

func both(a, b Verdict) Verdict {
	if a == Hidden || b == Hidden {
		return Hidden
	}
	return max(a, b)
}

// own is the verdict of one clause.
func (j *judge) own(f fence) Verdict {
	stand := j.sites[j.snapshot.spaces[j.snapshot.cells.at(f.node).space].Integration]
	owner := stand.owner && stand.site.Mode == OwnerOnly
	switch {
	case f.clause == sealedClause || f.node == 0:
		return Hidden
	case owner || stand.super:
		return Visible
	case f.clause != opaqueClause:
		if j.clauses[f.clause] {
			return Visible
		}
		return Hidden
	case stand.site.Opaque == TrustOpaque:
		return Visible
	case stand.site.Opaque == VerifyOpaque && stand.site.Mode == Synced:
		return Verify
	}
	return Hidden
}

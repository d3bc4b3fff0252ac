package markup

import "slices"

// claim is what one operation of a call changes.
type claim struct {
	cuts   []span
	leaves []int32 // new words
	blocks []int32 // new blocks
}

// claimed collects what an operation added to the plan since the given lengths.
func (pl *planner) claimed(cuts, leaves, inserts int) claim {
	var c claim
	for _, s := range pl.cuts[cuts:] {
		if s.from < s.to {
			c.cuts = append(c.cuts, span{s.from, s.to})
		} else {
			c.blocks = append(c.blocks, s.from)
		}
	}
	for _, x := range pl.leaves[leaves:] {
		c.leaves = append(c.leaves, x.at)
	}
	for _, x := range pl.inserts[inserts:] {
		c.blocks = append(c.blocks, x.at)
	}
	return c
}

// overlaps tells whether two operations change the same place. New blocks may
// stand side by side; new words may not touch what another operation changes.
func (c claim) overlaps(o claim) bool { return c.hits(o) || o.hits(c) }

func (c claim) hits(o claim) bool {
	for _, s := range c.cuts {
		if s.hits(o) {
			return true
		}
	}
	return slices.ContainsFunc(c.leaves, func(at int32) bool { return slices.Contains(o.leaves, at) })
}

// hits tells whether a cut meets what a claim cuts, or where it writes.
func (s span) hits(o claim) bool {
	return slices.ContainsFunc(o.cuts, func(x span) bool { return s.from < x.to && x.from < s.to }) ||
		slices.ContainsFunc(o.leaves, func(at int32) bool { return s.from <= at && at <= s.to }) ||
		slices.ContainsFunc(o.blocks, func(at int32) bool { return s.from < at && at < s.to })
}

package markup

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
		for _, x := range o.cuts {
			if s.from < x.to && x.from < s.to {
				return true
			}
		}
		for _, at := range o.leaves {
			if s.from <= at && at <= s.to {
				return true
			}
		}
		for _, at := range o.blocks {
			if s.from < at && at < s.to {
				return true
			}
		}
	}
	for _, at := range c.leaves {
		for _, x := range o.leaves {
			if at == x {
				return true
			}
		}
	}
	return false
}

package guard

const (
	chunkBits = 12
	chunkSize = 1 << chunkBits
)

// chunks is an array in pieces, so that a snapshot costs the pieces that
// changed. Pieces are shared with snapshots until somebody edits them.
type chunks[T any] struct {
	list  []*[chunkSize]T
	owned []bool // this piece is nobody else's yet
}

// at gives the zero value behind the end.
func (c *chunks[T]) at(i uint32) T {
	if k := i >> chunkBits; int(k) < len(c.list) {
		return c.list[k][i%chunkSize]
	}
	var zero T
	return zero
}

// edit gives the place of i in a piece that no snapshot shares. It is valid
// until the next share.
func (c *chunks[T]) edit(i uint32) *T {
	k := int(i >> chunkBits)
	for k >= len(c.list) {
		c.list = append(c.list, new([chunkSize]T))
		c.owned = append(c.owned, true)
	}
	if !c.owned[k] {
		piece := *c.list[k]
		c.list[k], c.owned[k] = &piece, true
	}
	return &c.list[k][i%chunkSize]
}

// share gives a copy that will not change, and gives up ownership.
func (c *chunks[T]) share() chunks[T] {
	clear(c.owned)
	return chunks[T]{list: append([]*[chunkSize]T(nil), c.list...)}
}

// resume makes an editable array of a shared one.
func (c *chunks[T]) resume() chunks[T] {
	return chunks[T]{list: append([]*[chunkSize]T(nil), c.list...), owned: make([]bool, len(c.list))}
}

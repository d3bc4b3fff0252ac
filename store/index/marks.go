package index

// The marks of a page are the words of its title and text in order, stop words
// left out, as hashes of 23 bits: what a phrase is held against. One page in a
// million that has all words of a phrase elsewhere is taken for a match; a
// position for every word would make the index twice as large.
//
// A mark is three bytes, the first above 127; or one byte, the place in a table
// of 128 where the last mark of that place stands. A title and a text are
// parted by mark 0, which no word has.

const partingMark = 0

// mark hashes a word (FNV-1a, folded).
func mark(term string) uint32 {
	h := uint32(2166136261)
	for i := range len(term) {
		h = (h ^ uint32(term[i])) * 16777619
	}
	return max((h>>23^h)&0x7fffff, 1)
}

type markTable [128]uint32

// append writes a mark.
func (t *markTable) append(to []byte, m uint32) []byte {
	at := m & 127
	if t[at] == m {
		return append(to, byte(at))
	}
	t[at] = m
	return append(to, byte(m>>16)|0x80, byte(m>>8), byte(m))
}

// readMarks appends the marks of a page; what is cut off at the end is left out.
func readMarks(from []byte, to []uint32) []uint32 {
	var t markTable
	for len(from) > 0 {
		if from[0] < 0x80 {
			to = append(to, t[from[0]])
			from = from[1:]
			continue
		}
		if len(from) < 3 {
			break
		}
		m := uint32(from[0]&0x7f)<<16 | uint32(from[1])<<8 | uint32(from[2])
		t[m&127] = m
		to = append(to, m)
		from = from[3:]
	}
	return to
}

// hasRun reports whether marks hold a run of others.
func hasRun(marks, run []uint32) bool {
	for i := 0; i+len(run) <= len(marks); i++ {
		if marks[i] != run[0] {
			continue
		}
		n := 1
		for n < len(run) && marks[i+n] == run[n] {
			n++
		}
		if n == len(run) {
			return true
		}
	}
	return false
}

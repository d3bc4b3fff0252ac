package index

import "bytes"

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

// run is marks that are looked for side by side.
type run struct {
	marks []uint32
	long  [2][]byte // the first two, as they are written where they are new
	short [2]byte   // and where they are in the table
}

func newRun(words []string) run {
	var r run
	for i, w := range words {
		m := mark(w)
		r.marks = append(r.marks, m)
		if i < 2 {
			r.long[i], r.short[i] = []byte{byte(m>>16) | 0x80, byte(m >> 8), byte(m)}, byte(m&127)
		}
	}
	return r
}

// maybe reports whether stored marks can hold the run: whether its first two
// stand side by side in any of the ways they can be written. That is ten times
// faster than reading all marks, and seldom wrong.
func (r *run) maybe(stored []byte) bool {
	if len(r.marks) < 2 {
		return true
	}
	for rest := stored; ; rest = rest[1:] {
		at := bytes.Index(rest, r.long[0])
		if at < 0 {
			break
		}
		rest = rest[at:]
		if r.secondIn(rest[len(r.long[0]):]) {
			return true
		}
	}
	for rest := stored; ; {
		at := bytes.IndexByte(rest, r.short[0])
		if at < 0 {
			return false
		}
		rest = rest[at+1:]
		if r.secondIn(rest) {
			return true
		}
	}
}

func (r *run) secondIn(rest []byte) bool {
	return len(rest) > 0 && rest[0] == r.short[1] || bytes.HasPrefix(rest, r.long[1])
}

// in reports whether marks hold the run.
func (r *run) in(marks []uint32) bool {
	want := r.marks
	for i := 0; i+len(want) <= len(marks); i++ {
		if marks[i] != want[0] {
			continue
		}
		n := 1
		for n < len(want) && marks[i+n] == want[n] {
			n++
		}
		if n == len(want) {
			return true
		}
	}
	return false
}

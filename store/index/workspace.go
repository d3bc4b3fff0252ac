package index

import "sync"

// workspace is the memory of one search in one segment.
type workspace struct {
	score []float32 // by document
	found []uint64  // bits
	here  []uint64  // bits, of one part
}

// pools lend the memory of searches, which would otherwise be garbage of the
// size of the index.
type pools struct{ spaces, lists sync.Pool }

func (p *pools) workspace(docs int) *workspace {
	w, ok := p.spaces.Get().(*workspace)
	words := (docs + 63) / 64
	if !ok || cap(w.score) < docs || cap(w.found) < words {
		return &workspace{score: make([]float32, docs), found: make([]uint64, words), here: make([]uint64, words)}
	}
	w.score, w.found, w.here = w.score[:docs], w.found[:words], w.here[:words]
	clear(w.score)
	clear(w.found)
	return w
}

func (p *pools) postings() *postings {
	if l, ok := p.lists.Get().(*postings); ok {
		l.docs, l.freq = l.docs[:0], l.freq[:0]
		return l
	}
	return &postings{}
}

// mostKept bounds what a pool keeps of one search, in postings (8 bytes each).
const mostKept = 4 << 20

func (p *pools) giveBack(l *postings) {
	if cap(l.docs) <= mostKept {
		p.lists.Put(l)
	}
}

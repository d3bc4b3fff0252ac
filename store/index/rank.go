package index

import (
	"container/heap"
	"math"
	"slices"
)

// BM25F: frequencies and lengths are weighted sums over title, headings, labels
// and text, so that a page is one field with one saturation.
const (
	bm25K1 = 1.2
	bm25B  = 0.75
)

// collection is what scores need to know of the whole index. Documents that
// the caller may not see count: scores are never shown.
type collection struct {
	docs int
	base float32 // k1 (1-b)
	slow float32 // k1 b / mean length
}

func collect(segs []*live) collection {
	var docs int
	var sum uint64
	for _, s := range segs {
		docs += s.count
		sum += s.sum
	}
	if docs == 0 || sum == 0 {
		return collection{base: bm25K1}
	}
	return collection{docs: docs, base: bm25K1 * (1 - bm25B), slow: float32(bm25K1 * bm25B * float64(docs) / float64(sum))}
}

func (c collection) idf(found int) float32 {
	return float32(math.Log(1 + (float64(c.docs)-float64(found)+0.5)/(float64(found)+0.5)))
}

// score adds what a word is worth to each document that has it.
func (c collection) score(to []float32, s *live, p postings, idf float32) {
	length := s.length
	freq := p.freq[:len(p.docs)]
	for i, doc := range p.docs {
		f := float32(freq[i])
		to[doc] += idf * f / (f + c.base + c.slow*float32(length[doc]))
	}
}

// once is what a word is worth that stands once in a page of mean length.
func once(idf float32) float32 { return idf / (1 + bm25K1) }

// top keeps the best hits. Equal scores are in the order of nodes.
type top struct {
	limit int
	after *Hit // only what comes after it
	hits  []Hit
}

func before(a, b Hit) bool {
	if a.Score != b.Score {
		return a.Score > b.Score
	}
	return a.Index < b.Index
}

func (t *top) Len() int           { return len(t.hits) }
func (t *top) Less(i, j int) bool { return before(t.hits[j], t.hits[i]) }
func (t *top) Swap(i, j int)      { t.hits[i], t.hits[j] = t.hits[j], t.hits[i] }

// Push is for package heap.
func (t *top) Push(x any) { t.hits = append(t.hits, x.(Hit)) }

// Pop is for package heap.
func (t *top) Pop() any {
	last := t.hits[len(t.hits)-1]
	t.hits = t.hits[:len(t.hits)-1]
	return last
}

func (t *top) offer(h Hit) {
	if t.after != nil && !before(*t.after, h) {
		return
	}
	if len(t.hits) < t.limit {
		heap.Push(t, h)
		return
	}
	if t.limit > 0 && before(h, t.hits[0]) {
		t.hits[0] = h
		heap.Fix(t, 0)
	}
}

func (t *top) sorted() []Hit {
	slices.SortFunc(t.hits, func(a, b Hit) int {
		if before(a, b) {
			return -1
		}
		return 1
	})
	return t.hits
}

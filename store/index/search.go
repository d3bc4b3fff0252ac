package index

import (
	"context"
	"math/bits"
	"slices"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// Query is a question and what narrows it. Text is in the language of
// questions: words, "phrases", beginnings*, +word and -word; empty or * is
// everything, in the order of nodes. What is zero does not narrow.
//
// Folders are found only with the type folder. After is the Next of an answer
// to the same question; the package binds it to the question, not to a caller.
type Query struct {
	Text         string
	Integration  int64
	SpaceKey     string
	Type         string // page, blogpost, folder
	Label        string
	AuthorID     string    // who made it, or saved the newest version
	UpdatedSince time.Time // to the second
	Ancestor     uint32    // index of a node: everything below
	Limit        int       // 0: 10, at most 1,000
	After        string
	Facets       bool
}

// Limits of one answer, and the default of Config.SlowTime.
const (
	defaultLimit = 10
	mostHits     = 1000
	slowTime     = 150 * time.Millisecond
)

// Hit is a node that was found. Scores compare within one answer only, and are
// not to be shown: they depend on pages the caller may not see.
type Hit struct {
	Index uint32
	Score float64
}

// Answer is what a caller finds.
type Answer struct {
	Hits   []Hit
	Total  int      // of all pages of the answer; exact, unless Cut
	Facets Facets   // when asked for
	Next   string   // cursor of what follows; empty at the end
	Fuzzy  bool     // nothing matched as written: words one letter off were taken
	Cut    bool     // a phrase or a beginning took too long: there may be more
	Terms  *Terms   // to find the words in a text
	Unsure []uint32 // nodes that match, one of each class of which only Confluence knows whether the caller sees it; not in the rest of the answer
}

// mostUnsure bounds the classes of one answer that are to be asked about.
const mostUnsure = 64

// Search answers a question with what the view shows, and nothing else. The
// text of a question is never wrong. Kind Invalid for a cursor of another
// question; kind Unavailable with code "index.building" while there is no index
// that was complete once: a part is no answer.
func (x *Index) Search(ctx context.Context, v *guard.View, q Query) (a Answer, err error) {
	after, err := q.start()
	if err != nil {
		return Answer{}, err
	}
	if v == nil {
		return Answer{}, &confluence.Error{Kind: confluence.Denied, Op: "search", Message: "nobody asks"}
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	on, err := x.borrow()
	if err != nil {
		return Answer{}, err
	}
	defer x.giveBack(on)
	s := search{ctx: ctx, view: v, query: q, words: x.words, patience: x.cfg.SlowTime, top: top{limit: min(limit, mostHits), after: after}}
	err = x.guarded(on, func() error {
		a, err = s.answer(on, x.words.question(q.Text))
		return err
	})
	return a, err
}

// search is one question being answered.
type search struct {
	ctx      context.Context
	slow     context.Context // ends when phrases and the like have had their time
	patience time.Duration
	view     *guard.View
	query    Query
	segs     []*live
	stats    collection
	pools    *pools
	arena    *postings // of all parts
	words    *analyser
	parts    []part
	page     marked
	top      top
	total    int
	facets   *counting
	cut      bool
	unsure   map[uint32]uint32 // a node by its class
	expanded bool              // near words instead of those asked for
}

func (s *search) answer(on *shelf, asked question) (Answer, error) {
	slow, cancel := context.WithTimeout(s.ctx, s.patience)
	defer cancel()
	s.slow, s.pools, s.arena = slow, &on.pools, on.pools.postings()
	defer s.pools.giveBack(s.arena)
	snap, err := on.snapshot()
	if err != nil {
		return Answer{}, unavailable("search", err)
	}
	defer snap.Close()
	if _, err := decodeSeq(snap.Internal()[seqKey]); err != nil || on.cause() != nil {
		return Answer{}, building()
	}
	if s.segs, err = on.segments.of(snap); err != nil {
		return Answer{}, err
	}
	s.stats = collect(s.segs)
	if err := s.run(asked); err != nil {
		return Answer{}, err
	}
	if s.total == 0 && !s.cut && len(s.unsure) == 0 {
		near, err := s.near(on, asked)
		if err != nil {
			return Answer{}, err
		}
		if len(near.clauses) > 0 {
			if err := s.run(near); err != nil {
				return Answer{}, err
			}
			s.expanded = s.total > 0
			asked = near
		}
	}
	return s.result(asked), nil
}

func (s *search) result(asked question) Answer {
	a := Answer{Total: s.total, Cut: s.cut, Fuzzy: s.expanded, Terms: s.terms(asked)}
	a.Hits = s.top.sorted()
	if len(a.Hits) > 0 && len(a.Hits) == s.top.limit {
		a.Next = s.query.cursor(a.Hits[len(a.Hits)-1])
	}
	if s.facets != nil {
		a.Facets = s.facets.facets()
	}
	for _, node := range s.unsure {
		a.Unsure = append(a.Unsure, node)
	}
	slices.Sort(a.Unsure)
	return a
}

// run answers from all segments.
func (s *search) run(asked question) error {
	if s.query.Facets {
		s.facets = newCounting()
	}
	if !asked.all && len(asked.clauses) == 0 {
		return nil
	}
	if err := s.look(asked); err != nil {
		return err
	}
	for i, seg := range s.segs {
		if err := s.ctx.Err(); err != nil {
			return &confluence.Error{Kind: confluence.Unavailable, Op: "search", Err: err, Message: "the search was given up"}
		}
		if err := s.segment(i, seg, asked.all); err != nil {
			return err
		}
	}
	return nil
}

// segment finds and counts in one segment.
func (s *search) segment(i int, seg *live, all bool) error {
	narrow, ok, err := s.narrowing(seg)
	if err != nil || !ok {
		return err
	}
	w := s.pools.workspace(seg.docs)
	defer s.pools.spaces.Put(w)
	s.match(w, i, seg, all)
	var facets *tally
	if s.facets != nil {
		facets = newTally(seg)
		defer func() { s.facets.add(facets) }()
	}
	for word, set := range w.found {
		for ; set != 0; set &= set - 1 {
			doc := uint32(word<<6 + bits.TrailingZeros64(set))
			shown, err := s.shows(i, &narrow, doc)
			if err != nil {
				return err
			}
			if !shown {
				continue
			}
			s.total++
			s.top.offer(Hit{Index: seg.node[doc], Score: float64(w.score[doc])})
			if facets != nil {
				facets.count(doc)
			}
		}
	}
	return nil
}

// shows reports whether a document that has the words is in the answer: it fits
// what narrows, the caller sees it, and it has the phrases.
func (s *search) shows(segment int, narrow *narrowing, doc uint32) (bool, error) {
	node := narrow.seg.node[doc]
	if !narrow.keeps(doc, node) {
		return false, nil
	}
	verdict := s.view.Check(node)
	if verdict == guard.Hidden {
		return false, nil
	}
	said, err := s.phrases(segment, narrow.seg, doc)
	if verdict == guard.Visible || !said || err != nil {
		return said, err
	}
	s.doubt(node)
	return false, nil
}

// doubt remembers one node of each class that only Confluence can judge.
func (s *search) doubt(node uint32) {
	if s.unsure == nil {
		s.unsure = map[uint32]uint32{}
	}
	class := s.view.Class(node)
	if _, known := s.unsure[class]; !known && len(s.unsure) < mostUnsure {
		s.unsure[class] = node
	}
}

// match sets found to the documents that may match, phrases by their words
// only, and score to what they are worth.
func (s *search) match(w *workspace, i int, seg *live, all bool) {
	must := false
	for p := range s.parts {
		if part := &s.parts[p]; !part.not {
			clear(w.here)
			s.mark(part, w.here, i)
			s.score(part, w.score, i)
			w.take(part.must, must)
			must = must || part.must
		}
	}
	if all {
		fill(w.found, seg.docs)
	}
	for p := range s.parts {
		if part := &s.parts[p]; part.not && part.kind != phrase {
			clear(w.here)
			s.mark(part, w.here, i)
			without(w.found, w.here)
		}
	}
	without(w.found, seg.gone)
}

// take adds what is here to what was found; once there is a part that must be,
// only such parts decide.
func (w *workspace) take(must, before bool) {
	switch {
	case must && !before:
		w.found, w.here = w.here, w.found
	case must:
		for k := range w.found {
			w.found[k] &= w.here[k]
		}
	case !before:
		for k := range w.found {
			w.found[k] |= w.here[k]
		}
	}
}

func without(set, these []uint64) {
	for k := range these {
		set[k] &^= these[k]
	}
}

func fill(set []uint64, n int) {
	for k := range set {
		set[k] = ^uint64(0)
	}
	if n%64 != 0 {
		set[len(set)-1] = 1<<(n%64) - 1
	}
}

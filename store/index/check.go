package index

import (
	"context"
	"slices"
)

// Report compares the index with the mirror, both directions. Sound needs an
// index that is not behind.
type Report struct {
	Seq       int64
	Behind    int64
	Rows      int      // pages of the mirror
	Documents int      // of the index
	Missing   []uint32 // nodes of the mirror that are not in the index
	Extra     []uint32 // nodes of the index that are not in the mirror
	Twice     []uint32 // nodes the index has more than once
	Stale     []uint32 // nodes with other content, or in another space
}

// Sound reports that documents are rows.
func (r Report) Sound() bool {
	return r.Behind == 0 && len(r.Missing)+len(r.Extra)+len(r.Twice)+len(r.Stale) == 0 && r.Rows == r.Documents
}

// inIndex is what the index says of a node.
type inIndex struct {
	length, saved uint32
	space         spaceName
	seen          bool
}

// Check reads all pages and compares the index with them. Nothing is repaired:
// Rebuild does that. Kind Unavailable when either cannot be read.
func (x *Index) Check(ctx context.Context) (r Report, err error) {
	s, err := x.borrow()
	if err != nil {
		return r, err
	}
	defer x.giveBack(s)
	known := map[uint32]*inIndex{}
	err = x.guarded(s, func() error {
		if err := s.verify(); err != nil {
			return err
		}
		known, err = s.contents(&r)
		return err
	})
	if err != nil {
		return r, err
	}
	r.Seq, _ = s.seq()
	if err := x.compare(ctx, known, &r); err != nil {
		return r, unavailable("check", err)
	}
	for node, d := range known {
		if !d.seen {
			r.Extra = append(r.Extra, node)
		}
	}
	slices.Sort(r.Extra)
	_, last, err := x.cfg.Log.Range(ctx)
	r.Behind = last - r.Seq
	return r, unavailable("check", err)
}

func (s *shelf) contents(r *Report) (map[uint32]*inIndex, error) {
	snap, err := s.snapshot()
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	segs, err := s.segments.of(snap)
	if err != nil {
		return nil, err
	}
	out := map[uint32]*inIndex{}
	for _, seg := range segs {
		for doc, node := range seg.node {
			if seg.gone != nil && seg.gone[doc>>6]>>(doc&63)&1 == 1 {
				continue
			}
			r.Documents++
			if out[node] != nil {
				r.Twice = append(r.Twice, node)
			}
			out[node] = &inIndex{length: seg.length[doc], saved: seg.saved[doc], space: seg.spaces[seg.space[doc]]}
		}
	}
	return out, nil
}

func (x *Index) compare(ctx context.Context, known map[uint32]*inIndex, r *Report) error {
	for after := uint32(0); ; {
		pages, err := x.cfg.Log.All(ctx, after, readPages)
		if err != nil || len(pages) == 0 {
			return err
		}
		for i := range pages {
			p := &pages[i]
			after = p.Index
			r.Rows++
			d := known[p.Index]
			if d == nil {
				r.Missing = append(r.Missing, p.Index)
				continue
			}
			d.seen = true
			terms := x.words.document(p).numbers()
			if int(d.length) != terms["l"].Frequency()-1 || int(d.saved) != terms["u"].Frequency()-1 || d.space != (spaceName{p.Integration, p.SpaceKey}) {
				r.Stale = append(r.Stale, p.Index)
			}
		}
	}
}

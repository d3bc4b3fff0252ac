package index

import (
	"slices"
	"strings"

	"confluence-mcp/store/guard"
)

// folderType is found only when it is asked for: a folder has no text.
const folderType = "folder"

// narrowing is what of a query is not about words, made ready for one segment.
type narrowing struct {
	seg      *live
	spaces   []bool // by place; nil: any
	kinds    []bool
	within   []uint64 // bits; nil: any
	since    uint32
	ancestor uint32
	rights   *guard.Snapshot
}

// narrowing gives false when nothing of the segment can match.
func (s *search) narrowing(seg *live) (narrowing, bool, error) {
	q := s.query
	n := narrowing{seg: seg, ancestor: q.Ancestor, rights: s.view.Snapshot(), kinds: make([]bool, len(seg.kinds))}
	for i, k := range seg.kinds {
		n.kinds[i] = k == q.Type || q.Type == "" && k != folderType
	}
	if q.SpaceKey != "" || q.Integration != 0 {
		n.spaces = make([]bool, len(seg.spaces))
		for i, sp := range seg.spaces {
			n.spaces[i] = q.isIn(sp)
		}
	}
	if !q.UpdatedSince.IsZero() {
		n.since = uint32(max(q.UpdatedSince.Unix(), 0))
	}
	for _, k := range []struct{ mark, value string }{{"L", q.Label}, {"A", q.AuthorID}} {
		if k.value != "" {
			if err := n.keyword(k.mark + k.value); err != nil {
				return n, false, err
			}
		}
	}
	return n, slices.Contains(n.kinds, true) && (n.spaces == nil || slices.Contains(n.spaces, true)), nil
}

func (q Query) isIn(s spaceName) bool {
	return (q.SpaceKey == "" || strings.EqualFold(s.key, q.SpaceKey)) && (q.Integration == 0 || s.integration == q.Integration)
}

// keyword keeps only documents with a keyword.
func (n *narrowing) keyword(word string) error {
	docs, err := n.seg.keywords.documents(word)
	if err != nil {
		return err
	}
	set := newBits(n.seg.docs)
	setAll(set, docs)
	if n.within != nil {
		for k := range set {
			set[k] &= n.within[k]
		}
	}
	n.within = set
	return nil
}

func (n *narrowing) keeps(doc, node uint32) bool {
	return n.kinds[n.seg.kind[doc]] &&
		(n.spaces == nil || n.spaces[n.seg.space[doc]]) &&
		n.seg.saved[doc] >= n.since &&
		(n.within == nil || n.within[doc>>6]>>(doc&63)&1 == 1) &&
		(n.ancestor == 0 || n.rights.Under(node, n.ancestor))
}

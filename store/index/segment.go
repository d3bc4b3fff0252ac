package index

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"
	scorchsegment "github.com/blevesearch/scorch_segment_api/v2"
)

// segment is what is kept in memory of one of bleve's segments, which never
// change: about 25 bytes a document, read once.
type segment struct {
	docs    int
	node    []uint32 // by number of the document in the segment
	length  []uint32
	saved   []uint32 // Unix seconds
	space   []uint16 // places in spaces
	kind    []uint8  // places in kinds
	spaces  []spaceName
	kinds   []string
	labels  []string
	label   []uint32 // places in labels, of one document after the other
	labelAt []uint32 // where those of a document begin; one more than documents
	sum     uint64   // of length

	words, keywords lexicon
}

type spaceName struct {
	integration int64
	key         string
}

// live is a segment with the documents that were deleted of it.
type live struct {
	*segment
	bleve   *scorch.SegmentSnapshot
	gone    []uint64 // bits; nil: none
	deleted *roaring.Bitmap
	sum     uint64
	count   int
}

// segments remembers segments by bleve's ids. It is safe for concurrent use.
type segments struct {
	mu    sync.Mutex
	known map[uint64]*live
}

// of gives the segments of a snapshot, and forgets those that are in none.
func (s *segments) of(snap *scorch.IndexSnapshot) ([]*live, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := snap.Segments()
	out := make([]*live, 0, len(all))
	for _, seg := range all {
		l, err := s.one(seg)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	if len(s.known) > 2*len(out)+16 {
		s.known = make(map[uint64]*live, len(out))
		for _, l := range out {
			s.known[l.bleve.Id()] = l
		}
	}
	return out, nil
}

func (s *segments) one(seg *scorch.SegmentSnapshot) (*live, error) {
	old := s.known[seg.Id()]
	if old != nil && old.deleted == seg.Deleted() && old.bleve.Segment() == seg.Segment() {
		return old, nil
	}
	l := &live{bleve: seg, deleted: seg.Deleted()}
	if old != nil && old.bleve.Segment() == seg.Segment() {
		l.segment = old.segment
	} else {
		var err error
		if l.segment, err = readSegment(seg.Segment()); err != nil {
			return nil, err
		}
	}
	l.sum, l.count = l.segment.sum, l.docs
	if l.deleted != nil && !l.deleted.IsEmpty() {
		l.gone = newBits(l.docs)
		l.deleted.Iterate(func(doc uint32) bool {
			l.gone[doc>>6] |= 1 << (doc & 63)
			l.sum -= uint64(l.length[doc])
			l.count--
			return true
		})
	}
	if s.known == nil {
		s.known = map[uint64]*live{}
	}
	s.known[seg.Id()] = l
	return l, nil
}

func newBits(n int) []uint64 { return make([]uint64, (n+63)/64) }

var errShape = errors.New("a segment of the index is not what was written")

func readSegment(from scorchsegment.Segment) (*segment, error) {
	s := &segment{docs: int(from.Count())}
	var err error
	if s.words, err = openLexicon(from, fieldWords); err != nil {
		return nil, err
	}
	if s.keywords, err = openLexicon(from, fieldKeywords); err != nil {
		return nil, err
	}
	numbers, err := openLexicon(from, fieldNumbers)
	if err != nil {
		return nil, err
	}
	for _, column := range []struct {
		term string
		to   *[]uint32
	}{{"i", &s.node}, {"l", &s.length}, {"u", &s.saved}} {
		if *column.to, err = s.column(numbers, column.term); err != nil {
			return nil, err
		}
	}
	for _, n := range s.length {
		s.sum += uint64(n)
	}
	return s, s.readKeywords()
}

// column reads a number that every document has.
func (s *segment) column(from lexicon, term string) ([]uint32, error) {
	list := postings{docs: make([]uint32, 0, s.docs), freq: make([]uint32, 0, s.docs)}
	if err := from.list(term, &list); err != nil {
		return nil, err
	}
	if len(list.docs) != s.docs {
		return nil, errShape
	}
	for i, doc := range list.docs {
		if int(doc) != i || list.freq[i] == 0 {
			return nil, errShape
		}
		list.freq[i]--
	}
	return list.freq, nil
}

// readKeywords turns lists of documents into what each document has.
func (s *segment) readKeywords() error {
	s.space, s.kind = make([]uint16, s.docs), make([]uint8, s.docs)
	s.labelAt = make([]uint32, s.docs+1)
	var labelled [][]uint32
	var broken error
	err := s.keywords.each([]byte{'B'}, nil, nil, func(term []byte, docs []uint32) bool {
		if len(docs) > 0 && int(docs[len(docs)-1]) >= s.docs {
			broken = errShape
		} else {
			broken = s.keyword(string(term), docs, &labelled)
		}
		return broken == nil
	})
	if err == nil {
		err = broken
	}
	s.fillLabels(labelled)
	return err
}

func (s *segment) keyword(term string, docs []uint32, labelled *[][]uint32) error {
	switch term[0] {
	case 'T':
		s.kinds = append(s.kinds, term[1:])
		for _, d := range docs {
			s.kind[d] = uint8(len(s.kinds) - 1)
		}
	case 'S':
		number, key, _ := strings.Cut(term[1:], ":")
		integration, err := strconv.ParseInt(number, 10, 64)
		if err != nil || len(s.spaces) > 0xfffe {
			return errShape
		}
		s.spaces = append(s.spaces, spaceName{integration, key})
		for _, d := range docs {
			s.space[d] = uint16(len(s.spaces) - 1)
		}
	case 'L':
		s.labels = append(s.labels, term[1:])
		*labelled = append(*labelled, slices.Clone(docs))
		for _, d := range docs {
			s.labelAt[d+1]++
		}
	}
	return nil
}

func (s *segment) fillLabels(labelled [][]uint32) {
	for d := range s.docs {
		s.labelAt[d+1] += s.labelAt[d]
	}
	s.label = make([]uint32, s.labelAt[s.docs])
	next := append([]uint32(nil), s.labelAt[:s.docs]...)
	for l, docs := range labelled {
		for _, d := range docs {
			s.label[next[d]] = uint32(l)
			next[d]++
		}
	}
}

// marks gives the marks of a document as they are stored, in the memory it is
// lent.
func (l *live) marks(doc uint32, lent []byte) ([]byte, error) {
	out := lent[:0]
	err := l.bleve.Segment().VisitStoredFields(uint64(doc), func(name string, _ byte, value []byte, _ []uint64) bool {
		if name == fieldMarks {
			out = append(out, value...)
			return false
		}
		return true
	})
	return out, err
}

package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"
	bleve "github.com/blevesearch/bleve_index_api"
	scorchsegment "github.com/blevesearch/scorch_segment_api/v2"
	"github.com/blevesearch/vellum"
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

	words *dictionary // nil while bleve has the segment in memory only
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
	numbers, err := from.Dictionary(fieldNumbers)
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
	if err := s.readKeywords(from); err != nil {
		return nil, err
	}
	s.words, err = openDictionary(from, fieldWords)
	return s, err
}

// column reads a number that every document has.
func (s *segment) column(from scorchsegment.TermDictionary, term string) ([]uint32, error) {
	list, err := from.PostingsList([]byte(term), nil, nil)
	if err != nil {
		return nil, err
	}
	out := make([]uint32, s.docs)
	n := 0
	for it := list.Iterator(true, true, false, nil); ; n++ {
		p, err := it.Next()
		if err != nil {
			return nil, err
		}
		if p == nil {
			break
		}
		if p.Number() >= uint64(s.docs) || p.Frequency() == 0 {
			return nil, errShape
		}
		out[p.Number()] = uint32(p.Frequency() - 1)
	}
	if n != s.docs {
		return nil, errShape
	}
	return out, nil
}

// readKeywords turns lists of documents into what each document has.
func (s *segment) readKeywords(from scorchsegment.Segment) error {
	dict, err := from.Dictionary(fieldKeywords)
	if err != nil {
		return err
	}
	s.space, s.kind = make([]uint16, s.docs), make([]uint8, s.docs)
	s.labelAt = make([]uint32, s.docs+1)
	var labelled [][]uint32
	for it := dict.AutomatonIterator(nil, nil, nil); ; {
		entry, err := it.Next()
		if err != nil {
			return err
		}
		if entry == nil {
			break
		}
		if entry.Term[0] == 'A' {
			continue
		}
		docs, err := documents(dict, entry.Term)
		if err != nil {
			return err
		}
		if err := s.keyword(entry.Term, docs, &labelled); err != nil {
			return err
		}
	}
	s.fillLabels(labelled)
	return nil
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
		*labelled = append(*labelled, docs)
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

// documents lists the documents of a segment that have a term.
func documents(dict scorchsegment.TermDictionary, term string) ([]uint32, error) {
	list, err := dict.PostingsList([]byte(term), nil, nil)
	if err != nil {
		return nil, err
	}
	out := make([]uint32, 0, list.Count())
	for it := list.Iterator(false, false, false, nil); ; {
		p, err := it.Next()
		if err != nil || p == nil {
			return out, err
		}
		out = append(out, uint32(p.Number()))
	}
}

// dictionary reads the words of a segment file without bleve's readers in
// between, which cost ten times what is read. The layout is that of zap
// version 17; another version, or a segment in memory, is read by bleve.
type dictionary struct {
	data []byte
	fst  *vellum.FST
}

const zapVersion = 17

// zapFile is what bleve's segment files offer.
type zapFile interface {
	Data() []byte
	DictAddr(field string) (uint64, error)
	Version() uint32
	NumDocs() uint64
}

func openDictionary(from scorchsegment.Segment, name string) (*dictionary, error) {
	f, ok := from.(zapFile)
	if !ok || f.Version() != zapVersion {
		return nil, nil
	}
	at, err := f.DictAddr(name)
	if err != nil {
		return nil, nil //nolint:nilerr // no document of the segment has a word
	}
	data := f.Data()
	size, n := binary.Uvarint(data[at:min(at+binary.MaxVarintLen64, uint64(len(data)))])
	at += uint64(n)
	if n <= 0 || size == 0 || at+size > uint64(len(data)) {
		return nil, errShape
	}
	fst, err := vellum.Load(data[at : at+size])
	if err != nil {
		return nil, fmt.Errorf("read dictionary: %w", err)
	}
	return &dictionary{data: data, fst: fst}, nil
}

const (
	oneHitMask = uint64(0xc000000000000000)
	oneHit     = uint64(0x8000000000000000)
	oneHitDoc  = uint64(0x7fffffff)
)

// postings are documents in rising order and how often each has the word.
type postings struct {
	docs []uint32
	freq []uint32
}

// list appends the postings that a value of the dictionary stands for.
func (d *dictionary) list(value uint64, out *postings) error {
	from := len(out.docs)
	frequencies, err := d.open(value, out)
	if err != nil {
		return err
	}
	n := len(out.docs) - from
	out.freq = grow(out.freq, n)
	if frequencies == 0 {
		out.freq[from] = 1
		return nil
	}
	return readFrequencies(d.data[frequencies:], out.freq[from:from+n])
}

// documents appends the documents alone.
func (d *dictionary) documents(value uint64, out *postings) error {
	_, err := d.open(value, out)
	return err
}

// open appends documents and gives where their frequencies are; 0 where it is
// one document that has the word once.
func (d *dictionary) open(value uint64, out *postings) (frequencies uint64, err error) {
	if value&oneHitMask == oneHit {
		out.docs = append(out.docs, uint32(value&oneHitDoc))
		return 0, nil
	}
	if value >= uint64(len(d.data)) {
		return 0, errShape
	}
	r := varints{rest: d.data[value:]}
	frequencies, _, size := r.next(), r.next(), r.next()
	if r.bad || size > uint64(len(r.rest)) || frequencies == 0 || frequencies >= uint64(len(d.data)) {
		return 0, errShape
	}
	return frequencies, appendDocuments(r.rest[:size], &out.docs)
}

func appendDocuments(roar []byte, to *[]uint32) error {
	var set roaring.Bitmap
	if _, err := set.FromBuffer(roar); err != nil {
		return fmt.Errorf("read postings: %w", err)
	}
	at, n := len(*to), int(set.GetCardinality())
	*to = grow(*to, n)
	it := set.ManyIterator()
	for at < len(*to) {
		got := it.NextMany((*to)[at:])
		if got == 0 {
			return errShape
		}
		at += got
	}
	return nil
}

func grow(s []uint32, n int) []uint32 {
	if cap(s)-len(s) < n {
		s = append(make([]uint32, 0, 2*cap(s)+n), s...)
	}
	return s[:len(s)+n]
}

// readFrequencies reads pairs of frequency and length; the length is 1.
func readFrequencies(from []byte, to []uint32) error {
	r := varints{rest: from}
	for range r.next() {
		r.next()
	}
	i := readPairs(&r, to, 0)
	for ; i < len(to) && !r.bad; i++ {
		n := r.next() >> 1
		if to[i] = uint32(n); n > 0 {
			r.next()
		}
		if b := r.rest; len(b) >= 2 && b[0] < 0x80 && b[1] < 0x80 && i+1 < len(to) {
			i = readPairs(&r, to, i+1) - 1
		}
	}
	if r.bad {
		return errShape
	}
	return nil
}

func readPairs(r *varints, to []uint32, i int) int {
	b := r.rest
	for i < len(to) && len(b) >= 2 && b[0] < 0x80 && b[1] < 0x80 {
		to[i] = uint32(b[0] >> 1)
		b = b[2:]
		i++
	}
	r.rest = b
	return i
}

type varints struct {
	rest []byte
	bad  bool
}

func (r *varints) next() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// list appends the postings of a word, deleted documents included.
func (l *live) list(word string, out *postings) error {
	if l.words != nil {
		value, ok, err := l.words.fst.Get([]byte(word))
		if err != nil || !ok {
			return err
		}
		return l.words.list(value, out)
	}
	dict, err := l.bleve.Segment().Dictionary(fieldWords)
	if err != nil {
		return err
	}
	return appendPostings(dict, word, out)
}

func appendPostings(dict scorchsegment.TermDictionary, word string, out *postings) error {
	list, err := dict.PostingsList([]byte(word), nil, nil)
	if err != nil {
		return err
	}
	for it := list.Iterator(true, true, false, nil); ; {
		p, err := it.Next()
		if err != nil || p == nil {
			return err
		}
		out.docs = append(out.docs, uint32(p.Number()))
		out.freq = append(out.freq, uint32(p.Frequency()))
	}
}

// each calls for words of a segment from one on, in order, until told to stop.
func (l *live) each(from, until []byte, accepts scorchsegment.Automaton, call func(word []byte) bool) error {
	dict, err := l.bleve.Segment().Dictionary(fieldWords)
	if err != nil {
		return err
	}
	for it := dict.AutomatonIterator(accepts, from, until); ; {
		var entry *bleve.DictEntry
		if entry, err = it.Next(); err != nil || entry == nil {
			return err
		}
		if !call([]byte(entry.Term)) {
			return nil
		}
	}
}

// marks gives the words of a document's title and text, 3 bytes each.
func (l *live) marks(doc uint32) ([]byte, error) {
	var out []byte
	err := l.bleve.Segment().VisitStoredFields(uint64(doc), func(name string, _ byte, value []byte, _ []uint64) bool {
		if name == fieldMarks {
			out = bytes.Clone(value)
		}
		return out == nil
	})
	return out, err
}

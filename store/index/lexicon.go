package index

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"
	scorchsegment "github.com/blevesearch/scorch_segment_api/v2"
	"github.com/blevesearch/vellum"
)

// lexicon is the words of one field of a segment and the documents that have
// each, deleted ones included. It is safe for concurrent use.
type lexicon struct {
	file *dictionary // nil while bleve has the segment in memory only
	from scorchsegment.Segment
	name string
}

func openLexicon(from scorchsegment.Segment, name string) (lexicon, error) {
	file, err := openDictionary(from, name)
	return lexicon{file, from, name}, err
}

// list appends the postings of a word.
func (l lexicon) list(word string, out *postings) error {
	if l.file != nil {
		value, ok, err := l.file.fst.Get([]byte(word))
		if err != nil || !ok {
			return err
		}
		return l.file.list(value, out)
	}
	return l.listSlowly(word, out)
}

// documents gives the documents of a word, where a field has no frequencies.
func (l lexicon) documents(word string) ([]uint32, error) {
	var out postings
	if l.file == nil {
		err := l.listSlowly(word, &out)
		return out.docs, err
	}
	value, ok, err := l.file.fst.Get([]byte(word))
	if err == nil && ok {
		_, err = l.file.open(value, &out)
	}
	return out.docs, err
}

func (l lexicon) listSlowly(word string, out *postings) error {
	dict, err := l.from.Dictionary(l.name)
	if err != nil {
		return err
	}
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

// each calls with the words from one on that an automaton accepts (nil: all)
// and their documents, which are lent; until told to stop.
func (l lexicon) each(from, until []byte, accepts vellum.Automaton, call func(word []byte, docs []uint32) bool) error {
	if l.file == nil {
		return l.eachSlowly(from, until, accepts, call)
	}
	var it *vellum.FSTIterator
	var err error
	if accepts == nil {
		it, err = l.file.fst.Iterator(from, until)
	} else {
		it, err = l.file.fst.Search(accepts, from, until)
	}
	var out postings
	for ; err == nil; err = it.Next() {
		word, value := it.Current()
		out.docs = out.docs[:0]
		if _, err := l.file.open(value, &out); err != nil {
			return err
		}
		if !call(word, out.docs) {
			return nil
		}
	}
	if errors.Is(err, vellum.ErrIteratorDone) {
		return nil
	}
	return err
}

func (l lexicon) eachSlowly(from, until []byte, accepts vellum.Automaton, call func(word []byte, docs []uint32) bool) error {
	dict, err := l.from.Dictionary(l.name)
	if err != nil {
		return err
	}
	var automaton scorchsegment.Automaton
	if accepts != nil {
		automaton = accepts
	}
	for it := dict.AutomatonIterator(automaton, from, until); ; {
		entry, err := it.Next()
		if err != nil || entry == nil {
			return err
		}
		var out postings
		if err := l.listSlowly(entry.Term, &out); err != nil {
			return err
		}
		if !call([]byte(entry.Term), out.docs) {
			return nil
		}
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

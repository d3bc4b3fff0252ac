package index

import "math/bits"

// part is a clause with what the index has of it.
type part struct {
	clause
	words []listed
	idf   float32    // of a beginning
	sets  [][]uint64 // of a beginning: bits, by segment
	pairs [][]uint32 // of a phrase: documents with all its words, by segment
	runs  []run      // of a phrase: its forms as marks
}

// listed is a word and where its postings of each segment are in the arena.
type listed struct {
	word  string
	idf   float32
	found int // documents
	spans []span
}

type span struct{ from, to int }

func (s *search) postings(w *listed, segment int) postings {
	at := w.spans[segment]
	return postings{s.arena.docs[at.from:at.to], s.arena.freq[at.from:at.to]}
}

// look reads what the index has of every clause.
func (s *search) look(asked question) error {
	s.parts = make([]part, len(asked.clauses))
	for i, c := range asked.clauses {
		p := &s.parts[i]
		p.clause = c
		var err error
		switch c.kind {
		case beginning:
			err = s.lookBeginning(p)
		case phrase:
			err = s.lookPhrase(p)
		default:
			err = s.lookWord(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lookWord reads the forms of a word. They are one word: what is rare in one
// language is not worth more.
func (s *search) lookWord(p *part) error {
	found := 0
	for _, form := range p.forms {
		w, err := s.list(form[0])
		if err != nil {
			return err
		}
		found += w.found
		p.words = append(p.words, w)
	}
	for i := range p.words {
		p.words[i].idf = s.stats.idf(min(found, s.stats.docs))
	}
	return nil
}

func (s *search) list(word string) (listed, error) {
	w := listed{word: word, spans: make([]span, len(s.segs))}
	for i, seg := range s.segs {
		from := len(s.arena.docs)
		if err := seg.words.list(word, s.arena); err != nil {
			return w, err
		}
		w.spans[i] = span{from, len(s.arena.docs)}
		docs := s.arena.docs[from:]
		for _, d := range docs {
			if int(d) >= seg.docs {
				return w, errShape
			}
		}
		w.found += len(docs) - seg.countGone(docs)
	}
	w.idf = s.stats.idf(w.found)
	return w, nil
}

func (l *live) countGone(docs []uint32) int {
	if l.gone == nil {
		return 0
	}
	n := 0
	for _, d := range docs {
		n += int(l.gone[d>>6] >> (d & 63) & 1)
	}
	return n
}

// mostWords is how many words of a segment a beginning stands for.
const mostWords = 2000

func (s *search) lookBeginning(p *part) error {
	found, err := s.gather(p, p.forms[0][0])
	if err != nil {
		return err
	}
	if found == 0 {
		if err := s.shortened(p); err != nil {
			return err
		}
	}
	return nil
}

// gather marks the documents that have a word of that beginning.
func (s *search) gather(p *part, start string) (found int, err error) {
	p.sets = make([][]uint64, len(s.segs))
	until := append([]byte(start), 0xff)
	for i, seg := range s.segs {
		set, words := newBits(seg.docs), 0
		err := seg.words.each([]byte(start), until, nil, func(_ []byte, docs []uint32) bool {
			for _, d := range docs {
				if int(d) < seg.docs {
					set[d>>6] |= 1 << (d & 63)
				}
			}
			words++
			s.cut = s.cut || words >= mostWords || s.slow.Err() != nil
			return words < mostWords && s.slow.Err() == nil
		})
		if err != nil {
			return 0, err
		}
		for k, gone := range seg.gone {
			set[k] &^= gone
		}
		for _, w := range set {
			found += bits.OnesCount64(w)
		}
		p.sets[i] = set
	}
	p.idf = s.stats.idf(found)
	return found, nil
}

// shortestStem is how short an ending may leave a word for it to stand in for a
// beginning; longestEnding how much may be taken off.
const (
	shortestStem  = 4
	longestEnding = 5
)

// shortened takes a beginning that reaches into the ending which the index took
// off: what is left of the word is asked for instead.
func (s *search) shortened(p *part) error {
	whole := p.forms[0][0]
	for cut := 1; cut <= longestEnding && len(whole)-cut >= shortestStem; cut++ {
		w, err := s.list(whole[:len(whole)-cut])
		if err != nil {
			return err
		}
		if w.found > 0 {
			p.kind, p.words = oneWord, []listed{w}
			return nil
		}
	}
	return nil
}

// mark sets the bits of the documents of a segment that may match.
func (s *search) mark(p *part, to []uint64, segment int) {
	switch p.kind {
	case beginning:
		copy(to, p.sets[segment])
	case phrase:
		setAll(to, p.pairs[segment])
	default:
		for i := range p.words {
			setAll(to, s.postings(&p.words[i], segment).docs)
		}
	}
}

func setAll(to []uint64, docs []uint32) {
	for _, d := range docs {
		to[d>>6] |= 1 << (d & 63)
	}
}

// score adds what the part is worth.
func (s *search) score(p *part, to []float32, segment int) {
	if p.kind == beginning {
		worth := once(p.idf)
		for k, set := range p.sets[segment] {
			for ; set != 0; set &= set - 1 {
				to[k<<6+bits.TrailingZeros64(set)] += worth
			}
		}
		return
	}
	for i := range p.words {
		w := &p.words[i]
		s.stats.score(to, s.segs[segment], s.postings(w, segment), w.idf)
	}
}

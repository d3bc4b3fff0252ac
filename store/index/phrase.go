package index

import "slices"

func (s *search) lookPhrase(p *part) error {
	p.pairs = make([][]uint32, len(s.segs))
	places := map[string]int{}
	for _, form := range p.forms {
		var words []int
		for _, word := range form {
			at, ok := places[word]
			if !ok {
				w, err := s.list(word)
				if err != nil {
					return err
				}
				at = len(p.words)
				places[word], p.words = at, append(p.words, w)
			}
			words = append(words, at)
		}
		p.runs = append(p.runs, newRun(form))
		for i := range s.segs {
			p.pairs[i] = union(p.pairs[i], s.together(p, words, i))
		}
	}
	return nil
}

// together lists the documents of a segment that have all words.
func (s *search) together(p *part, words []int, segment int) []uint32 {
	lists := make([][]uint32, 0, len(words))
	for _, at := range words {
		lists = append(lists, s.postings(&p.words[at], segment).docs)
	}
	slices.SortFunc(lists, func(a, b []uint32) int { return len(a) - len(b) })
	out := slices.Clone(lists[0])
	for _, l := range lists[1:] {
		out = intersect(out, l)
	}
	return out
}

// intersect keeps of a what b has too; both rise.
func intersect(a, b []uint32) []uint32 {
	kept := a[:0]
	for _, d := range a {
		at, ok := gallop(b, d)
		if ok {
			kept = append(kept, d)
		}
		b = b[at:]
	}
	return kept
}

func gallop(in []uint32, want uint32) (int, bool) {
	step := 1
	for step < len(in) && in[step] < want {
		step *= 2
	}
	from := step / 2
	at, ok := slices.BinarySearch(in[min(from, len(in)):min(step+1, len(in))], want)
	return at + min(from, len(in)), ok
}

func union(a, b []uint32) []uint32 {
	if len(a) == 0 {
		return b
	}
	out := append(a, b...)
	slices.Sort(out)
	return slices.Compact(out)
}

// phrases reports whether a document has every phrase where it must, and none
// where it must not.
func (s *search) phrases(segment int, seg *live, doc uint32) (bool, error) {
	s.page.stored, s.page.marks = s.page.stored[:0], s.page.marks[:0]
	for i := range s.parts {
		p := &s.parts[i]
		if p.kind != phrase {
			continue
		}
		has := false
		if _, may := slices.BinarySearch(p.pairs[segment], doc); may {
			if s.slow.Err() != nil {
				s.cut = true
				return false, nil
			}
			var err error
			if has, err = s.page.has(p.runs, seg, doc); err != nil {
				return false, err
			}
		}
		if has == p.not {
			return false, nil
		}
	}
	return true, nil
}

// marked are the marks of the document being looked at, read when they are
// needed, once; the memory is kept for the next.
type marked struct {
	stored []byte
	marks  []uint32
}

func (m *marked) has(runs []run, seg *live, doc uint32) (has bool, err error) {
	if len(m.stored) == 0 {
		if m.stored, err = seg.marks(doc, m.stored); err != nil {
			return false, err
		}
	}
	for i := range runs {
		if !runs[i].maybe(m.stored) {
			continue
		}
		if len(m.marks) == 0 {
			m.marks = readMarks(m.stored, m.marks)
		}
		if runs[i].in(m.marks) {
			return true, nil
		}
	}
	return false, nil
}

package index

import "strings"

// Terms are the words of a question as the index took them, near words
// included. They find them again in a text, for passages and highlights.
type Terms struct {
	words    *analyser
	stops    bool // stop words are words
	exact    map[string]Mark
	starts   []string
	startsAs []Mark
}

// Mark is a place of a text where a word of the question stands: Start and End
// are bytes. Term numbers the clauses of the question from 0, in their order;
// Weight is how much the word says: the rarer the more.
type Mark struct {
	Start, End int
	Term       int
	Weight     float64
}

func (s *search) terms(asked question) *Terms {
	t := &Terms{words: s.words, stops: asked.stops, exact: map[string]Mark{}}
	for i := range s.parts {
		p := &s.parts[i]
		if p.not {
			continue
		}
		if asked.clauses[i].kind == beginning {
			t.starts = append(t.starts, asked.clauses[i].forms[0][0])
			t.startsAs = append(t.startsAs, Mark{Term: i, Weight: float64(p.idf)})
		}
		for _, w := range p.words {
			if _, ok := t.exact[w.word]; !ok {
				t.exact[w.word] = Mark{Term: i, Weight: float64(w.idf)}
			}
		}
	}
	return t
}

// Empty reports that there is no word to look for: everything was asked for.
func (t *Terms) Empty() bool { return len(t.exact) == 0 && len(t.starts) == 0 }

// Marks gives the places of a text where words of the question stand, in order.
// The text may be any part of a page; its language need not be known.
func (t *Terms) Marks(text string) []Mark {
	if t.Empty() {
		return nil
	}
	var out []Mark
	s := scanner{fold: t.words.tongues.fold, text: text}
	for w, ok := s.next(); ok; w, ok = s.next() {
		if m, ok := t.find(w); ok {
			m.Start, m.End = w.start, w.end
			out = append(out, m)
		}
	}
	return out
}

func (t *Terms) find(w token) (Mark, bool) {
	if w.cjk {
		if m, ok := t.exact[string(w.word)]; ok {
			return m, true
		}
	} else {
		for l := range languages {
			if m, ok := t.exact[t.words.stems.of(l, w.word)]; ok && (t.stops || !t.words.tongues.stop[l][string(w.word)]) {
				return m, true
			}
		}
	}
	for i, start := range t.starts {
		if strings.HasPrefix(string(w.word), start) {
			return t.startsAs[i], true
		}
	}
	return Mark{}, false
}

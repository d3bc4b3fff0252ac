package index

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/blevesearch/vellum"
	"github.com/blevesearch/vellum/levenshtein"
)

// Words this short have too many neighbours; of the others so many are taken,
// the most frequent.
const (
	shortestNear = 4
	mostNear     = 30
)

// near gives the question with words of the index one letter off in place of
// those asked for; without clauses when there are none. Phrases stay.
func (s *search) near(on *shelf, asked question) (question, error) {
	out := question{all: asked.all}
	changed := false
	for _, c := range asked.clauses {
		if c.kind == oneWord && !c.not {
			forms, err := s.neighbours(on, c.forms)
			if err != nil {
				return question{}, err
			}
			if len(forms) == 0 {
				continue
			}
			c.forms, changed = forms, true
		}
		out.clauses = append(out.clauses, c)
	}
	if !changed {
		return question{}, nil
	}
	return out, nil
}

func (s *search) neighbours(on *shelf, forms [][]string) ([][]string, error) {
	found := map[string]int{}
	for _, form := range forms {
		if utf8.RuneCountInString(form[0]) < shortestNear {
			continue
		}
		dfa, err := on.oneOff(form[0])
		if err != nil {
			return nil, err
		}
		for _, seg := range s.segs {
			if err := seg.wordsLike(dfa, found); err != nil {
				return nil, err
			}
			if s.slow.Err() != nil {
				s.cut = true
				break
			}
		}
	}
	type near struct {
		word  string
		found int
	}
	var all []near
	for w, n := range found {
		all = append(all, near{w, n})
	}
	slices.SortFunc(all, func(a, b near) int { return cmp.Or(b.found-a.found, cmp.Compare(a.word, b.word)) })
	var out [][]string
	for _, n := range all[:min(len(all), mostNear)] {
		out = append(out, []string{n.word})
	}
	return out, nil
}

// wordsLike counts the documents of words an automaton accepts.
func (l *live) wordsLike(a vellum.Automaton, found map[string]int) error {
	if l.words == nil {
		return l.each(nil, nil, a, func(word []byte) bool {
			found[string(word)]++
			return true
		})
	}
	it, err := l.words.fst.Search(a, nil, nil)
	var out postings
	for ; err == nil; err = it.Next() {
		word, value := it.Current()
		out.docs = out.docs[:0]
		if err := l.words.documents(value, &out); err != nil {
			return err
		}
		found[string(word)] += len(out.docs) - l.countGone(out.docs)
	}
	if err == vellum.ErrIteratorDone {
		return nil
	}
	return err
}

// oneOff gives an automaton of the words one letter off.
func (s *shelf) oneOff(word string) (vellum.Automaton, error) {
	s.nearOnce.Do(func() { s.nearBy, s.nearErr = levenshtein.NewLevenshteinAutomatonBuilder(1, false) })
	if s.nearErr != nil {
		return nil, s.nearErr
	}
	return s.nearBy.BuildDfa(word, 1)
}

package index

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/blevesearch/vellum"
	"github.com/blevesearch/vellum/levenshtein"
)

// Words shorter than this have too many neighbours; of each of the first words
// so many are taken, the most frequent.
const (
	shortestNear  = 4
	mostNear      = 30
	mostNearWords = 8
)

// near gives the question with words of the index one letter off in place of
// those asked for; without clauses when there are none. Phrases stay.
func (s *search) near(on *shelf, asked question) (question, error) {
	out := question{all: asked.all}
	changed, left := false, mostNearWords
	for _, c := range asked.clauses {
		if c.kind == oneWord && !c.not {
			if left--; left < 0 {
				continue
			}
			forms, err := s.neighbours(on, c)
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

// neighbours are the most frequent words of the index one letter off: of the
// word as it was written where it is plain letters, so that a slip in an ending
// is one too; of its forms otherwise.
func (s *search) neighbours(on *shelf, c clause) ([][]string, error) {
	if utf8.RuneCountInString(c.text) < shortestNear {
		return nil, nil
	}
	found := map[string]int{}
	var err error
	if isPlain(c.text) {
		err = s.slips(c.text, found)
	} else {
		err = s.formsOff(on, c.forms, found)
	}
	type near struct {
		word  string
		found int
	}
	var all []near
	for w, n := range found {
		if n > 0 {
			all = append(all, near{w, n})
		}
	}
	slices.SortFunc(all, func(a, b near) int { return cmp.Or(b.found-a.found, cmp.Compare(a.word, b.word)) })
	var out [][]string
	for _, n := range all[:min(len(all), mostNear)] {
		out = append(out, []string{n.word})
	}
	return out, err
}

func isPlain(word string) bool {
	for i := range len(word) {
		if !isASCIIWord(word[i]) {
			return false
		}
	}
	return true
}

// slips counts the forms of every word that is one letter more, less or
// another, or two letters exchanged.
func (s *search) slips(word string, found map[string]int) error {
	eachSlip(word, func(w []byte) {
		for l := range languages {
			found[stem(l, string(w))] = 0
		}
	})
	for w := range found {
		if s.slow.Err() != nil {
			s.cut = true
			return nil
		}
		for _, seg := range s.segs {
			from := len(s.arena.docs)
			if err := seg.words.list(w, s.arena); err != nil {
				return err
			}
			docs := s.arena.docs[from:]
			found[w] += len(docs) - seg.countGone(docs)
			s.arena.docs, s.arena.freq = s.arena.docs[:from], s.arena.freq[:from]
		}
	}
	return nil
}

func eachSlip(word string, each func([]byte)) {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	w := make([]byte, 0, len(word)+1)
	for i := range len(word) + 1 {
		for _, c := range []byte(letters) {
			each(append(append(append(w[:0], word[:i]...), c), word[i:]...))
			if i < len(word) && word[i] != c {
				each(append(append(append(w[:0], word[:i]...), c), word[i+1:]...))
			}
		}
		if i < len(word) {
			each(append(append(w[:0], word[:i]...), word[i+1:]...))
		}
		if i+1 < len(word) {
			each(append(append(append(w[:0], word[:i]...), word[i+1], word[i]), word[i+2:]...))
		}
	}
}

func (s *search) formsOff(on *shelf, forms [][]string, found map[string]int) error {
	for _, form := range forms {
		dfa, err := on.oneOff(form[0])
		if err != nil {
			return err
		}
		for _, seg := range s.segs {
			err := seg.words.each(nil, nil, dfa, func(word []byte, docs []uint32) bool {
				found[string(word)] += len(docs) - seg.countGone(docs)
				return true
			})
			if err != nil {
				return err
			}
			if s.slow.Err() != nil {
				s.cut = true
				return nil
			}
		}
	}
	return nil
}

// oneOff gives an automaton of the words one letter off.
func (s *shelf) oneOff(word string) (vellum.Automaton, error) {
	s.nearOnce.Do(func() { s.nearBy, s.nearErr = levenshtein.NewLevenshteinAutomatonBuilder(1, false) })
	if s.nearErr != nil {
		return nil, s.nearErr
	}
	return s.nearBy.BuildDfa(word, 1)
}

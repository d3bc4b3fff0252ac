package index

import (
	"bufio"
	"bytes"
	"strings"
	"sync"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/lang/de"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
)

// language is one of those whose words have endings the index takes off.
// Scripts without spaces are cut by letters, whatever the language of the page.
type language uint8

const (
	englishText language = iota
	germanText
	languages
)

// tongues is what is known of the languages. It never changes.
//
// A page has one language: that of which more of its first words are stop
// words. A question has none: its words are taken in every language, so that
// one question finds pages of each.
type tongues struct {
	fold *folder
	stop [languages]map[string]bool
	hint [languages]map[string]bool // stop words of this language alone
}

func newTongues() *tongues {
	t := &tongues{fold: newFolder()}
	for l, list := range [languages][]byte{en.EnglishStopWords, de.GermanStopWords} {
		t.stop[l], t.hint[l] = t.stopWords(list), map[string]bool{}
	}
	for l := range languages {
		for w := range t.stop[l] {
			if !t.stop[1-l][w] {
				t.hint[l][w] = true
			}
		}
	}
	return t
}

func (t *tongues) stopWords(list []byte) map[string]bool {
	out := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(list))
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "|")
		s := scanner{fold: t.fold, text: text}
		if w, ok := s.next(); ok {
			out[string(w.word)] = true
		}
	}
	return out
}

// languageSample is how many words of a page decide about its language.
const languageSample = 1000

// of tells the language of a text, English when nothing tells.
func (t *tongues) of(texts ...string) language {
	var seen [languages]int
	left := languageSample
	s := scanner{fold: t.fold}
	for _, text := range texts {
		s.reset(text)
		for w, ok := s.next(); ok && left > 0; w, ok = s.next() {
			left--
			for l := range seen {
				if t.hint[l][string(w.word)] {
					seen[l]++
				}
			}
		}
	}
	if seen[germanText] > seen[englishText] {
		return germanText
	}
	return englishText
}

// stem takes the ending off a word that is folded already.
func stem(l language, word string) string {
	if strings.IndexFunc(word, func(r rune) bool { return r >= 0x80 }) >= 0 {
		return word
	}
	if l == germanText {
		tokens := de.NewGermanLightStemmerFilter().Filter(analysis.TokenStream{{Term: []byte(umlauts(word))}})
		return string(tokens[0].Term)
	}
	env := snowballstem.NewEnv(word)
	english.Stem(env)
	return env.Current()
}

// umlauts writes ae, oe and ue as the letters they stand for, without accents.
func umlauts(word string) string {
	out := make([]byte, 0, len(word))
	for i := 0; i < len(word); i++ {
		c := word[i]
		out = append(out, c)
		if i+1 < len(word) && word[i+1] == 'e' {
			vowel := i > 0 && strings.IndexByte("aeiouq", word[i-1]) >= 0
			if c == 'a' || c == 'o' || c == 'u' && !vowel {
				i++
			}
		}
	}
	return string(out)
}

// stems remembers what was stemmed: most words of a page were on another.
// It is safe for concurrent use. Under languages are words without endings.
type stems struct {
	mu    sync.RWMutex
	known [languages + 1]map[string]string
}

// mostStems bounds the memory, to about 6 MB a language.
const mostStems = 60_000

func (s *stems) of(l language, word []byte) string {
	s.mu.RLock()
	out, ok := s.known[l][string(word)]
	s.mu.RUnlock()
	if ok {
		return out
	}
	w := string(word)
	if out = w; l != languages {
		out = stem(l, w)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[l] == nil || len(s.known[l]) >= mostStems {
		s.known[l] = make(map[string]string, 1024)
	}
	s.known[l][w] = out
	return out
}

package retrieve

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"confluence-mcp/store/mirror"
)

// word is one word of a question as a text may have it: the whole word, or its
// stem, because the index takes the inflected forms of a word for one. A word of
// a script without spaces is two characters that stand side by side.
type word struct {
	whole string
	stem  string // a prefix
	dense bool
}

// maxWords bounds the words of a question that passages are chosen by.
const maxWords = 32

// wordsOf are the different words of a question, none for one that finds
// everything.
func wordsOf(text string) []word {
	var out []word
	seen := map[string]bool{}
	add := func(w word) {
		if !seen[w.whole] && len(out) < maxWords {
			seen[w.whole] = true
			out = append(out, w)
		}
	}
	for t := range tokens(clipBytes(text, maxText)) {
		if !t.dense {
			add(word{whole: t.text, stem: stemOf(t.text)})
			continue
		}
		runes := []rune(t.text)
		if len(runes) == 1 {
			add(word{whole: t.text, stem: t.text, dense: true})
		}
		for i := range len(runes) - 1 {
			pair := string(runes[i : i+2])
			add(word{whole: pair, stem: pair, dense: true})
		}
	}
	return out
}

// stemOf is the part of a word that its other forms share, as a rule: endings
// have up to three letters.
func stemOf(w string) string {
	const shortest, ending = 3, 3
	runes := []rune(w)
	if len(runes) <= shortest {
		return w
	}
	return string(runes[:max(shortest, len(runes)-ending)])
}

// token is a run of letters and digits, in small letters, and where it stands.
// Runs of scripts without spaces are apart, and dense.
type token struct {
	text  string
	at    int // byte where it begins
	dense bool
}

// tokens goes over the words of a text.
func tokens(text string) func(yield func(token) bool) {
	return func(yield func(token) bool) {
		start, kind := -1, other
		for i := 0; i <= len(text); {
			r, size := utf8.RuneError, 1
			now := other
			if i < len(text) {
				r, size = utf8.DecodeRuneInString(text[i:])
				now = kindOf(r)
			}
			if now != kind || i == len(text) {
				if start >= 0 && !yield(token{text: strings.ToLower(text[start:i]), at: start, dense: kind == dense}) {
					return
				}
				start, kind = -1, now
				if now != other {
					start = i
				}
			}
			i += size
		}
	}
}

// Kinds of characters.
const (
	other = iota
	spaced
	dense
)

func kindOf(r rune) int {
	switch {
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai):
		return dense
	case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r):
		return spaced
	}
	return other
}

// match is where a text has a word of the question.
type match struct {
	word  int
	at    int
	whole bool
}

// maxMatches bounds the places that are looked at in one text.
const maxMatches = 2000

func matchesIn(text string, words []word) []match {
	var out []match
	for t := range tokens(text) {
		for n, w := range words {
			if w.dense != t.dense {
				continue
			}
			if w.dense {
				if i := strings.Index(t.text, w.whole); i >= 0 {
					out = append(out, match{word: n, at: t.at + min(i, len(text)-t.at), whole: true})
				}
			} else if strings.HasPrefix(t.text, w.stem) {
				out = append(out, match{word: n, at: t.at, whole: t.text == w.whole})
			}
		}
		if len(out) >= maxMatches {
			break
		}
	}
	return out
}

// speaks reports whether a page has any word of a question, in any form.
func speaks(words []word, p mirror.Page) bool {
	for _, text := range []string{p.Title, strings.Join(p.Labels, " "), p.Text} {
		if len(matchesIn(text, words)) > 0 {
			return true
		}
	}
	return len(matchesIn(p.Body, words)) > 0
}

// clipBytes cuts at a character.
func clipBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

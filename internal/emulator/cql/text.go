package cql

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// term is one thing to find in a text: a word, a phrase, or a pattern.
type term struct {
	stem    string         // lower-cased word without its English ending, or the phrase
	phrase  bool           // stem is matched as it stands, at word borders
	pattern *regexp.Regexp // set for words with * or ?
}

const maxTerms = 64

// termsOf splits the right side of ~ into terms: words apart from those inside
// inner quotes, which are phrases. It also gives the words as written.
func termsOf(value string) (terms []term, written []string, err error) {
	value = strings.ReplaceAll(value, " AND ", " ") // every word is asked for anyway
	for i, part := range strings.Split(strings.ToLower(value), `"`) {
		if i%2 == 1 {
			if p := strings.Join(words(part, false), " "); p != "" {
				terms, written = append(terms, term{stem: p, phrase: true}), append(written, p)
			}
			continue
		}
		for _, w := range words(part, true) {
			t, ok := wordTerm(w)
			if !ok {
				continue
			}
			terms, written = append(terms, t), append(written, strings.Trim(w, "*?"))
		}
	}
	if len(terms) > maxTerms {
		return nil, nil, syntax("too many search terms, at most %d", maxTerms)
	}
	return terms, written, nil
}

func wordTerm(w string) (term, bool) {
	if !strings.ContainsAny(w, "*?") {
		return term{stem: stem(w)}, true
	}
	if strings.Trim(w, "*?") == "" {
		return term{}, false // matches everything
	}
	p := regexp.QuoteMeta(w)
	p = strings.ReplaceAll(p, `\*`, `[\pL\pN_]*`)
	p = strings.ReplaceAll(p, `\?`, `[\pL\pN_]`)
	return term{pattern: regexp.MustCompile(`(^|[^\pL\pN_])` + p + `($|[^\pL\pN_])`)}, true
}

// words cuts text at everything that is neither letter nor digit.
func words(text string, wildcards bool) []string {
	return strings.FieldsFunc(text, func(r rune) bool {
		return !inWord(r) && !(wildcards && (r == '*' || r == '?'))
	})
}

func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || r == '_'
}

// in reports whether text (lower-cased) holds the term.
func (t term) in(text string) bool {
	if t.pattern != nil {
		return t.pattern.MatchString(text)
	}
	for from := 0; ; {
		i := strings.Index(text[from:], t.stem)
		if i < 0 {
			return t.phrase && t.loose(text)
		}
		at := from + i
		if startsWord(text, at) && t.ends(text[at+len(t.stem):]) {
			return true
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		from = at + size
	}
}

// loose finds a phrase whose words stand next to each other but are not
// parted by exactly one space.
func (t term) loose(text string) bool {
	want := strings.Fields(t.stem)
	if len(want) < 2 || !strings.Contains(text, want[0]) {
		return false
	}
	have := words(text, false)
	for i := 0; i+len(want) <= len(have); i++ {
		if slices.Equal(have[i:i+len(want)], want) {
			return true
		}
	}
	return false
}

func startsWord(text string, at int) bool {
	r, _ := utf8.DecodeLastRuneInString(text[:at])
	first, _ := utf8.DecodeRuneInString(text[at:])
	return at == 0 || !inWord(r) || unparted(first) || unparted(r)
}

// ends reports whether the word that began with the stem ends here, an English
// ending allowed.
func (t term) ends(rest string) bool {
	last, _ := utf8.DecodeLastRuneInString(t.stem)
	n := strings.IndexFunc(rest, func(r rune) bool { return !inWord(r) })
	if n < 0 {
		n = len(rest)
	}
	if n == 0 || unparted(last) {
		return true
	}
	first, _ := utf8.DecodeRuneInString(rest)
	return unparted(first) || !t.phrase && slices.Contains([]string{"s", "es", "ed", "ing", "e", "y", "ies", "ied", "ment", "ments"}, rest[:n])
}

// unparted reports scripts written without spaces between words.
func unparted(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai)
}

// stem takes off one English ending, enough that "deploying" finds "deploys".
func stem(w string) string {
	for _, ending := range []string{"ments", "ment", "ing", "ies", "ied", "es", "ed", "s", "e", "y"} {
		if base, ok := strings.CutSuffix(w, ending); ok && len(base) >= 3 && !strings.HasSuffix(base, "s") {
			return base
		}
	}
	return w
}

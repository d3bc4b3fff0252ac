package index

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// What of a question is read; the rest is left out without a word, as in any
// search.
const (
	longestQuestion = 8 << 10 // bytes
	mostClauses     = 64
	mostPhraseWords = 32
)

// clauseKind says how a clause matches.
type clauseKind uint8

const (
	oneWord clauseKind = iota
	beginning
	phrase
)

// clause is one thing asked for. A word has an alternative for every language
// it may be of; a phrase is alternatives of words in order.
type clause struct {
	kind  clauseKind
	must  bool // nothing without it is found
	not   bool // nothing with it is found
	forms [][]string
	text  string // of one word, folded
}

// question is what was asked, taken apart. Whatever text there is makes one:
// signs that mean nothing where they stand are not there.
//
//	words       any of them, the more and the rarer the better
//	"words"     in this order, side by side; stop words do not count
//	word*       words that begin so
//	+word       with it only
//	-word       without it
type question struct {
	all     bool // everything, in the order of nodes
	stops   bool // stop words were asked for: there was nothing else
	clauses []clause
}

type asking struct {
	*analyser
	lang      language // of the question, as far as it shows
	everyWord bool     // stop words too
	out       []clause
	seen      map[string]bool
}

func (a *analyser) question(text string) question {
	if len(text) > longestQuestion {
		text = strings.ToValidUTF8(text[:longestQuestion], "")
	}
	if trimmed := strings.TrimSpace(text); trimmed == "" || trimmed == "*" {
		return question{all: true}
	}
	for _, everyWord := range []bool{false, true} {
		ask := asking{analyser: a, lang: a.tongues.of(text), everyWord: everyWord, seen: map[string]bool{}}
		ask.read(text)
		for _, c := range ask.out {
			if !c.not {
				return question{clauses: ask.out, stops: everyWord}
			}
		}
		if len(ask.out) > 0 {
			return question{all: true, clauses: ask.out}
		}
	}
	return question{}
}

func (a *asking) read(text string) {
	for text != "" && len(a.out) < mostClauses {
		r, n := utf8.DecodeRuneInString(text)
		if unicode.IsSpace(r) {
			text = text[n:]
			continue
		}
		var c clause
		if r == '-' || r == '+' {
			if after, _ := utf8.DecodeRuneInString(text[n:]); isWordRune(after) || isQuote(after) {
				c.not, c.must = r == '-', r == '+'
				text = text[n:]
				r, n = utf8.DecodeRuneInString(text)
			}
		}
		if isQuote(r) {
			if end := strings.IndexFunc(text[n:], isQuote); end >= 0 {
				a.phrase(c, text[n:n+end])
				text = text[n+end:]
				_, n = utf8.DecodeRuneInString(text)
			}
			text = text[n:]
			continue
		}
		end := strings.IndexFunc(text, func(r rune) bool { return unicode.IsSpace(r) || isQuote(r) })
		if end < 0 {
			end = len(text)
		}
		a.chunk(c, text[:end])
		text = text[end:]
	}
}

func isQuote(r rune) bool {
	return r == '"' || r == '“' || r == '”' || r == '„' || r == '«' || r == '»'
}

// chunk reads what stands between spaces: a word, several, or a beginning.
func (a *asking) chunk(c clause, text string) {
	body := strings.TrimRight(text, "*")
	starred := len(body) < len(text)
	if starred {
		if r, _ := utf8.DecodeLastRuneInString(body); !isWordRune(r) {
			starred = false
		}
	}
	tokens := a.tokens(body)
	if c.not && len(tokens) > 1 && !starred {
		a.phrase(c, body)
		return
	}
	for i, t := range tokens {
		last := i == len(tokens)-1
		if starred && last || t.cjk && utf8.RuneCountInString(t.text) == 1 {
			a.add(clause{kind: beginning, must: c.must, not: c.not, forms: [][]string{{t.text}}})
			if starred && last {
				continue
			}
		}
		if forms := a.forms(t); len(forms) > 0 {
			c.forms, c.text = forms, t.text
			a.add(c)
		}
	}
}

// asked is a token that stays.
type asked struct {
	text string
	cjk  bool
}

func (a *asking) tokens(text string) []asked {
	var out []asked
	s := scanner{fold: a.tongues.fold, text: text}
	for t, ok := s.next(); ok && len(out) < mostClauses; t, ok = s.next() {
		out = append(out, asked{string(t.word), t.cjk})
	}
	return out
}

// forms gives a word as it is in pages of each language; none where it is a
// stop word in all.
func (a *asking) forms(t asked) [][]string {
	if t.cjk {
		return [][]string{{t.text}}
	}
	var out [][]string
	for l := range languages {
		if a.stops(l, t.text) {
			continue
		}
		w := a.stems.of(l, []byte(t.text))
		if len(out) == 0 || out[0][0] != w {
			out = append(out, []string{w})
		}
	}
	return out
}

// stops reports that a word says nothing in pages of a language: it is a stop
// word there, or in the language of the question.
func (a *asking) stops(l language, word string) bool {
	return !a.everyWord && (a.tongues.stop[l][word] || a.tongues.stop[a.lang][word])
}

func (a *asking) phrase(c clause, text string) {
	tokens := a.tokens(text)
	if a.everyWord { // stop words have no marks
		for _, t := range tokens {
			a.add(clause{must: !c.not, not: c.not, forms: a.forms(t), text: t.text})
		}
		return
	}
	if len(tokens) > mostPhraseWords {
		tokens = tokens[:mostPhraseWords]
	}
	c.kind, c.forms = phrase, nil
	for l := range languages {
		if form := a.phraseForm(l, tokens); len(form) > 0 && (len(c.forms) == 0 || !equal(c.forms[0], form)) {
			c.forms = append(c.forms, form)
		}
	}
	if len(c.forms) == 0 {
		return
	}
	if !c.not {
		c.must = true
	}
	if single(c.forms) {
		c.kind = oneWord
	}
	a.add(c)
}

// phraseForm leaves stop words out, as the marks of pages do.
func (a *asking) phraseForm(l language, tokens []asked) []string {
	var out []string
	for _, t := range tokens {
		switch {
		case t.cjk:
			out = append(out, t.text)
		case !a.stops(l, t.text):
			out = append(out, a.stems.of(l, []byte(t.text)))
		}
	}
	return out
}

func single(forms [][]string) bool {
	for _, f := range forms {
		if len(f) != 1 {
			return false
		}
	}
	return true
}

func equal(a, b []string) bool { return strings.Join(a, " ") == strings.Join(b, " ") }

// add takes a clause once.
func (a *asking) add(c clause) {
	var key strings.Builder
	key.WriteString(string([]byte{byte(c.kind), flag(c.must), flag(c.not)}))
	for _, f := range c.forms {
		key.WriteString(strings.Join(f, " ") + "|")
	}
	if a.seen[key.String()] || len(a.out) >= mostClauses {
		return
	}
	a.seen[key.String()] = true
	a.out = append(a.out, c)
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

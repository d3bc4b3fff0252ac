package v1

import (
	"html"
	"iter"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"confluence-mcp/internal/emulator/site"
)

// texts caches the searchable text of contents, lower-cased, for the version
// that was last asked for.
type texts struct {
	cache sync.Map // textKey -> textEntry
}

type textKey struct {
	site *site.Site
	id   string
}

type textEntry struct{ title, storage, text string }

// of gives title and body of c in lower case.
func (t *texts) of(s *site.Site, c *site.Content) string {
	key := textKey{s, c.ID}
	if hit, ok := t.cache.Load(key); ok {
		// Equal strings of one content share their bytes: the comparison is cheap.
		if e := hit.(textEntry); e.title == c.Title && e.storage == c.Storage {
			return e.text
		}
	}
	text := strings.ToLower(c.Title + "\n" + plain(c.Storage))
	t.cache.Store(key, textEntry{c.Title, c.Storage, text})
	return text
}

// plain is the readable text of a storage body: tags dropped, words kept whole
// over inline markup, code included.
func plain(storage string) string {
	var b strings.Builder
	for kind, piece := range pieces(storage) {
		switch {
		case kind == code:
			b.WriteString(piece)
		case kind == prose:
			b.WriteString(html.UnescapeString(piece))
		case !inline(piece):
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// piece kinds of a storage body.
const (
	prose = iota // text, entities as they are
	code         // what a CDATA section holds
	tag          // what stands between < and >
)

// pieces walks a storage body.
func pieces(storage string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for storage != "" {
			kind, piece, rest := prose, storage, ""
			if data, ok := strings.CutPrefix(storage, "<![CDATA["); ok {
				kind = code
				piece, rest, _ = strings.Cut(data, "]]>")
			} else if storage[0] == '<' {
				kind = tag
				piece, rest, _ = strings.Cut(storage[1:], ">")
			} else if to := strings.IndexByte(storage, '<'); to > 0 {
				piece, rest = storage[:to], storage[to:]
			}
			if storage = rest; !yield(kind, piece) {
				return
			}
		}
	}
}

// inline reports whether a tag stands within a word or a sentence.
func inline(piece string) bool {
	name, _, _ := strings.Cut(strings.Trim(piece, "/"), " ")
	switch name {
	case "a", "b", "i", "u", "s", "em", "strong", "span", "code", "sub", "sup", "del", "ins", "ac:inline-comment-marker":
		return true
	}
	return false
}

const (
	excerptRunes = 300
	indexedRunes = 50
)

// excerpt shows text around the first searched word. mode is the excerpt
// parameter; one that is none of the API's gives an empty excerpt.
func excerpt(text, mode string, terms []string) string {
	switch mode {
	case "indexed":
		return html.EscapeString(clip(text, 0, indexedRunes))
	case "indexed_unescaped":
		return clip(text, 0, indexedRunes)
	case "highlight_unescaped":
		return highlight(around(text, terms), terms, false)
	case "", "highlight":
		return highlight(around(text, terms), terms, true)
	}
	return ""
}

func around(text string, terms []string) string {
	first := -1
	for _, term := range terms {
		if from, _ := locate(text, term); from >= 0 && (first < 0 || from < first) {
			first = from
		}
	}
	return clip(text, max(0, first-60), excerptRunes)
}

// clip is the part of text from a byte on, at most so many runes.
func clip(text string, from, most int) string {
	for from > 0 && !utf8.RuneStart(text[from]) {
		from--
	}
	n := 0
	for i := range text[from:] {
		if n++; n > most {
			return text[from : from+i]
		}
	}
	return text[from:]
}

// highlight puts the API's marks around the searched words and, if asked,
// escapes HTML.
func highlight(text string, terms []string, escape bool) string {
	clean := func(s string) string { return s }
	if escape {
		clean = html.EscapeString
	}
	var b strings.Builder
	for text != "" {
		from, to := -1, -1
		for _, term := range terms {
			if f, t := locate(text, term); f >= 0 && t > f && (from < 0 || f < from) {
				from, to = f, t
			}
		}
		if from < 0 {
			break
		}
		b.WriteString(clean(text[:from]) + "@@@hl@@@" + clean(text[from:to]) + "@@@endhl@@@")
		text = text[to:]
	}
	return b.String() + clean(text)
}

// locate finds a word that begins with term, in any case: its bytes in text,
// or -1.
func locate(text, term string) (from, to int) {
	if term == "" {
		return -1, -1
	}
	want := []rune(term)
	prev := ' '
	for i, r := range text {
		if (!wordRune(prev) || r > 0x2e80) && foldPrefix(text[i:], want) {
			end := i
			for n, c := range text[i:] {
				if n > 0 && !wordRune(c) && n >= len(term) {
					break
				}
				end = i + n + utf8.RuneLen(c)
			}
			return i, min(end, len(text))
		}
		prev = r
	}
	return -1, -1
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func foldPrefix(text string, want []rune) bool {
	for _, w := range want {
		r, size := utf8.DecodeRuneInString(text)
		if size == 0 || unicode.ToLower(r) != w {
			return false
		}
		text = text[size:]
	}
	return true
}

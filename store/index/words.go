package index

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// longestWord is where a word is cut, in bytes: what is longer is no word that
// anybody types but a key, a hash or an encoded file.
const longestWord = 64

// token is one word of a text, or two neighbouring letters of a script that is
// written without spaces. word is lower case, without accents, and valid until
// the next token.
type token struct {
	word       []byte
	start, end int
	cjk        bool
}

// scanner cuts a text into tokens. A word is a run of letters, marks and
// digits; an apostrophe inside is left out, and what follows it when that is
// only an s. Chinese, Japanese and Korean runs give overlapping pairs.
type scanner struct {
	text string
	pos  int
	buf  []byte
	fold *folder
	prev cjkLetter // the letter before pos inside a run
	runs int       // letters of the run so far
}

type cjkLetter struct {
	r     rune
	start int
}

func (s *scanner) reset(text string) { s.text, s.pos, s.runs = text, 0, 0 }

// next gives the next token; false at the end.
func (s *scanner) next() (token, bool) {
	for s.pos < len(s.text) {
		r, n := s.peek()
		if isCJK(r) {
			if t, ok := s.pair(r, n); ok {
				return t, true
			}
			continue
		}
		if t, ok := s.endRun(); ok {
			return t, true
		}
		if startsWord(r) {
			return s.word(), true
		}
		s.pos += n
	}
	return s.endRun()
}

func (s *scanner) peek() (rune, int) {
	if c := s.text[s.pos]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRuneInString(s.text[s.pos:])
}

// pair takes one letter of a run and gives the pair it ends.
func (s *scanner) pair(r rune, n int) (token, bool) {
	r = s.fold.wide(r)
	before, start := s.prev, s.pos
	s.prev = cjkLetter{r, start}
	s.pos += n
	s.runs++
	if s.runs == 1 {
		return token{}, false
	}
	s.buf = utf8.AppendRune(utf8.AppendRune(s.buf[:0], before.r), r)
	return token{s.buf, before.start, s.pos, true}, true
}

// endRun ends a run; one letter alone is a token of its own.
func (s *scanner) endRun() (token, bool) {
	alone := s.runs == 1
	s.runs = 0
	if !alone {
		return token{}, false
	}
	s.buf = utf8.AppendRune(s.buf[:0], s.prev.r)
	return token{s.buf, s.prev.start, s.prev.start + utf8.RuneLen(s.prev.r), true}, true
}

func (s *scanner) word() token {
	start := s.pos
	s.buf = s.buf[:0]
	for s.pos < len(s.text) {
		r, n := s.peek()
		if isApostrophe(r) && s.apostrophe(n) {
			continue
		}
		if !isWordRune(r) || isCJK(r) {
			break
		}
		if len(s.buf) < longestWord {
			s.buf = s.fold.append(s.buf, r)
		}
		s.pos += n
	}
	return token{s.buf, start, s.pos, false}
}

func isApostrophe(r rune) bool { return r == '\'' || r == '’' || r == 'ʼ' }

// apostrophe steps over an apostrophe of n bytes inside a word, and over the s
// of a genitive; false when the word ends before it.
func (s *scanner) apostrophe(n int) bool {
	after := s.text[s.pos+n:]
	r, size := utf8.DecodeRuneInString(after)
	if !isWordRune(r) || isCJK(r) {
		return false
	}
	if r == 's' || r == 'S' {
		if follows, _ := utf8.DecodeRuneInString(after[size:]); !isWordRune(follows) {
			s.pos += n + size
			return true
		}
	}
	s.pos += n
	return true
}

func isASCIIWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func startsWord(r rune) bool {
	if r < utf8.RuneSelf {
		return isASCIIWord(byte(r))
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

func isWordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return isASCIIWord(byte(r))
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r))
}

func isCJK(r rune) bool {
	return r >= 0x1100 && (unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) || r == 'ー' || r == 'ｰ')
}

// folder makes letters comparable: lower case, no accents, ß as ss, full and
// half width as usual. What was folded is remembered, up to the last letter of
// the blocks that occur.
type folder struct {
	latin [0x250 - 0x80]string
}

func newFolder() *folder {
	f := &folder{}
	for i := range f.latin {
		f.latin[i] = string(foldRune(rune(i + 0x80)))
	}
	return f
}

func (f *folder) append(to []byte, r rune) []byte {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return append(to, byte(r))
	}
	if r < 0x250 {
		return append(to, f.latin[r-0x80]...)
	}
	return append(to, foldRune(r)...)
}

func (*folder) wide(r rune) rune {
	if r < 0xff00 || r > 0xffef {
		return r
	}
	for _, w := range norm.NFKC.String(string(r)) {
		return w
	}
	return r
}

func foldRune(r rune) []byte {
	switch r {
	case 'ß', 'ẞ':
		return []byte("ss")
	case 'æ', 'Æ':
		return []byte("ae")
	case 'œ', 'Œ':
		return []byte("oe")
	case 'ø', 'Ø':
		return []byte("o")
	case 'ł', 'Ł':
		return []byte("l")
	case 'đ', 'Đ', 'ð', 'Ð':
		return []byte("d")
	}
	var out []byte
	for _, one := range norm.NFKD.String(string(r)) {
		if !unicode.Is(unicode.Mn, one) {
			out = utf8.AppendRune(out, unicode.ToLower(one))
		}
	}
	return out
}

package rest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"confluence-mcp/internal/confluence"
)

const (
	longPiece  = 64 << 10 // bytes of a JSON string decoded at a time; a longer one is long
	maxRest    = 1 << 20  // cap on an answer without its long value
	maxElement = 12       // bytes of a character in a JSON string: two escapes
)

var errNotJSON = errors.New("the answer is not JSON")

// leanReader reads an answer that may hold one long string, the value of a
// body, without holding it in its JSON form, which costs three times its size:
// it gives the answer with an empty string in its place, and the string,
// decoded piece by piece as it comes.
type leanReader struct {
	in    *bufio.Reader
	left  int64 // bytes that may still come
	piece int
	rest  []byte
	raw   []byte // what was read last
	value bool   // the last string was "value"
	part  confluence.Part
	long  *longValue
}

func newLeanReader(r io.Reader, limit int64, part confluence.Part) *leanReader {
	return &leanReader{in: bufio.NewReaderSize(r, 16<<10), left: limit, piece: longPiece, part: part}
}

// read reads to the end. Whether the rest is JSON is for its decoder to say:
// where the answer breaks off the rest does too.
func (l *leanReader) read() ([]byte, *longValue, error) {
	for {
		ended, err := l.between()
		if err == nil && !ended {
			err = l.text()
		}
		switch {
		case errors.Is(err, errNotJSON), ended:
			return l.rest, l.long, nil
		case err != nil:
			return nil, nil, err
		}
	}
}

// between reads up to the beginning of the next string, or to the end.
func (l *leanReader) between() (ended bool, err error) {
	l.raw = l.raw[:0]
	for more := true; more && err == nil; {
		more, ended, err = l.more()
		err = errors.Join(err, l.fits())
	}
	l.rest = append(l.rest, l.raw...)
	return ended, err
}

// more appends to raw what comes up to a quotation mark, or a buffer of it;
// then there is more to come.
func (l *leanReader) more() (more, ended bool, err error) {
	part, err := l.in.ReadSlice('"')
	if l.left -= int64(len(part)); l.left < 0 {
		return false, false, errTooLarge
	}
	l.raw = append(l.raw, part...)
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return true, false, nil
	case errors.Is(err, io.EOF):
		return false, true, nil
	}
	return false, false, err
}

func (l *leanReader) fits() error {
	if len(l.rest)+len(l.raw) > maxRest {
		return errTooLarge
	}
	return nil
}

// text reads a string up to its end, its beginning was read.
func (l *leanReader) text() error {
	mayBeLong := l.long == nil && l.value && string(bytes.TrimSpace(l.raw[:len(l.raw)-1])) == ":"
	var long *longValue
	l.raw = l.raw[:0]
	for {
		more, ended, err := l.more()
		switch {
		case err != nil:
			return err
		case ended:
			return errNotJSON
		case !more && closes(l.raw):
			return l.end(long)
		case len(l.raw) < l.piece+maxElement:
			continue
		case !mayBeLong:
			if err := l.fits(); err != nil {
				return err
			}
			continue
		}
		if long == nil {
			long = &longValue{part: l.part}
		}
		n := pieceEnd(l.raw, l.piece)
		if err := long.add(l.raw[:n]); err != nil {
			return err
		}
		l.raw = l.raw[:copy(l.raw, l.raw[n:])]
	}
}

// end is reached with the closing quotation mark in raw.
func (l *leanReader) end(long *longValue) error {
	if long == nil {
		l.value = string(l.raw) == `value"`
		l.rest = append(l.rest, l.raw...)
		return l.fits()
	}
	l.long, l.value = long, false
	if err := long.add(l.raw[:len(l.raw)-1]); err != nil {
		return err
	}
	l.rest = append(l.rest, '"')
	return nil
}

// closes tells whether the quotation mark at the end of raw is no escaped one.
func closes(raw []byte) bool {
	before := bytes.TrimRight(raw[:len(raw)-1], `\`)
	return (len(raw)-len(before))%2 == 1
}

// pieceEnd is the first place at or after a length where the inside of a JSON
// string can be cut: between two characters. The string must go on there for
// one more, or end.
func pieceEnd(raw []byte, length int) int {
	i := 0
	for i < min(length, len(raw)) {
		switch {
		case raw[i] == '\\' && i+1 < len(raw) && raw[i+1] == 'u':
			high := surrogate(raw[i:], "89ab")
			i = min(i+6, len(raw))
			if high && surrogate(raw[i:], "cdef") {
				i += 6
			}
		case raw[i] == '\\':
			i += 2
		case raw[i] < utf8.RuneSelf:
			i++
		default:
			_, size := utf8.DecodeRune(raw[i:])
			i += size
		}
	}
	return min(i, len(raw))
}

// surrogate tells whether raw begins with the escape of half a character whose
// second digit is one of those given.
func surrogate(raw []byte, digits string) bool {
	return len(raw) > 3 && raw[0] == '\\' && raw[1] == 'u' && raw[2]|0x20 == 'd' && strings.IndexByte(digits, raw[3]|0x20) >= 0
}

// longValue is a string as it comes, whole or a part of it.
type longValue struct {
	part   confluence.Part
	text   strings.Builder
	size   int  // bytes that came
	inPart bool // text is the part
	quoted []byte
}

// add takes the next piece of the inside of a JSON string.
func (v *longValue) add(raw []byte) error {
	var piece string
	v.quoted = append(append(append(v.quoted[:0], '"'), raw...), '"')
	if json.Unmarshal(v.quoted, &piece) != nil {
		return errNotJSON
	}
	if !v.inPart && v.part.Size > 0 && v.size+len(piece) > v.part.Whole {
		v.inPart = true
		begin := v.text.String()
		v.text = strings.Builder{}
		v.keep(begin, 0)
	}
	if v.inPart {
		v.keep(piece, v.size)
	} else {
		v.makeRoom(len(piece))
		v.text.WriteString(piece)
	}
	v.size += len(piece)
	return nil
}

// keep adds what of a piece, which begins at a byte of the whole, is in the
// part.
func (v *longValue) keep(piece string, at int) {
	within := func(n int) int { return min(max(n-at, 0), len(piece)) }
	v.text.WriteString(piece[within(v.part.From):within(v.part.From+v.part.Size)])
}

// makeRoom grows a text beyond a MiB at once to what it may become: that costs
// memory only where it is written to, and a series of larger and larger copies
// costs twice the text. What earlier calls left unused goes back to the system
// first: texts of this size are rare, and two in a row must not add up.
func (v *longValue) makeRoom(n int) {
	const large = 1 << 20
	if v.text.Len()+n <= max(v.text.Cap(), large) {
		return
	}
	most := maxPage
	if v.part.Size > 0 {
		most = v.part.Whole
	}
	if most -= v.text.Len(); most < n {
		return
	}
	debug.FreeOSMemory()
	v.text.Grow(most)
}

// result is the text, and the size of the whole where it is a part.
func (v *longValue) result() (text string, size int) {
	text = v.text.String()
	if !v.inPart {
		return text, 0
	}
	for text != "" && !utf8.RuneStart(text[0]) {
		text = text[1:]
	}
	for n := 1; n < min(utf8.UTFMax, len(text)+1); n++ {
		if last := text[len(text)-n:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRuneInString(last) {
				text = text[:len(text)-n]
			}
			break
		}
	}
	return text, v.size
}

package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep arguments may nest; no tool needs more than four.
const maxDepth = 16

// parseStrict reads one JSON value the way no two readers can disagree about:
// valid UTF-8, whole characters, no key twice in an object, no NUL, bounded depth, nothing after
// the value. Objects become map[string]any, numbers json.Number.
func parseStrict(raw []byte) (any, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("the text is not valid UTF-8")
	}
	if at := loneSurrogate(raw); at >= 0 {
		return nil, fmt.Errorf("at byte %d stands %s, half of a character without the other half", at+1, raw[at:at+surrogateLen])
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := readValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the JSON value")
	}
	return v, nil
}

const surrogateLen = len(`\ud800`)

// loneSurrogate finds an escape of half a character that no other half follows,
// which Go would read as U+FFFD without a word; -1: there is none.
func loneSurrogate(raw []byte) int {
	for i := 0; i+1 < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		first := escaped(raw[i:])
		switch {
		case !utf16.IsSurrogate(first):
			i++ // what is escaped is no escape itself
		case utf16.DecodeRune(first, escaped(raw[i+surrogateLen:])) != utf8.RuneError:
			i += 2*surrogateLen - 1
		default:
			return i
		}
	}
	return -1
}

// escaped is the 16 bits of a \u escape at the start of raw; 0: there is none.
func escaped(raw []byte) rune {
	if len(raw) < surrogateLen || raw[0] != '\\' || raw[1] != 'u' {
		return 0
	}
	n, err := strconv.ParseUint(string(raw[2:surrogateLen]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(n)
}

func readValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it nests deeper than %d levels", maxDepth)
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, errors.New("it is not valid JSON")
	}
	switch t := tok.(type) {
	case json.Delim:
		if t == '{' {
			return readObject(dec, depth)
		}
		return readArray(dec, depth)
	case string:
		if strings.ContainsRune(t, 0) {
			return nil, errors.New("it holds a NUL character")
		}
	}
	return tok, nil
}

func readObject(dec *json.Decoder, depth int) (any, error) {
	out := map[string]any{}
	for dec.More() {
		tok, err := dec.Token()
		key, ok := tok.(string)
		if err != nil || !ok {
			return nil, errors.New("it is not valid JSON")
		}
		if strings.ContainsRune(key, 0) {
			return nil, errors.New("a key holds a NUL character")
		}
		if _, twice := out[key]; twice {
			return nil, fmt.Errorf("the key %s stands twice in one object", quoteShort(key))
		}
		if out[key], err = readValue(dec, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New("it is not valid JSON")
	}
	return out, nil
}

func readArray(dec *json.Decoder, depth int) (any, error) {
	out := []any{}
	for dec.More() {
		v, err := readValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New("it is not valid JSON")
	}
	return out, nil
}

// quoteShort shows a caller's own text back, bounded and on one line.
func quoteShort(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

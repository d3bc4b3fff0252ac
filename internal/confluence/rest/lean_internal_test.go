package rest

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/confluence"
)

// These tests are inside the package because the piece size is not for others
// to choose.

// insides are pieces of JSON strings, harmless ones and those that a reader by
// pieces is likely to get wrong.
func insides(broken bool) *rapid.Generator[string] {
	pieces := []string{"a", "word ", "é", "日", "😀", `\n`, `\\`, `\"`, `\/`, `\u0041`, `\u00e9`, `\ud83d\ude00`, `\uD83D\uDE00`, `\ud83d`, `\ude00`, `\ud83d\ud83d`,
		"\xff", "\xe6\x97", "\x80\x80\x80\x80\x80", "\xf0\x9f", "value", ":", "{", "}", "<p>"}
	if broken {
		pieces = append(pieces, `\x`, `\u12`, "\n", "\x00", `\`, `"`)
	}
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 60).Draw(t, "pieces"), "")
	})
}

type leanAnswer struct {
	Title string `json:"title"`
	Body  struct {
		Value string `json:"value"`
	} `json:"body"`
	Tail string `json:"tail"`
}

func leanly(t *rapid.T, doc string, piece int, part confluence.Part) (leanAnswer, int, error) {
	var in io.Reader = strings.NewReader(doc)
	if rapid.Bool().Draw(t, "byte by byte") {
		in = iotest.OneByteReader(in)
	}
	l := newLeanReader(in, maxLong, part)
	l.piece = piece
	rest, long, err := l.read()
	require.NoError(t, err)
	var got leanAnswer
	err = json.Unmarshal(rest, &got)
	size := 0
	if err == nil && long != nil {
		assert.Empty(t, got.Body.Value)
		got.Body.Value, size = long.result()
	}
	return got, size, err
}

// Whatever a body holds, and wherever it is cut, reading it from the stream
// gives what encoding/json gives, and refuses what encoding/json refuses.
func TestLeanReaderAgreesWithEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inside := insides(rapid.Bool().Draw(t, "broken"))
		doc := `{"title":"` + inside.Draw(t, "title") + `","body":{"representation":"value", "value" : "` + inside.Draw(t, "value") + `"},"tail":"` + inside.Draw(t, "tail") + `"}`
		doc = doc[:len(doc)-rapid.SampledFrom([]int{0, 0, 0, 1, 5, 20}).Draw(t, "cut off")]
		var want leanAnswer
		wantErr := json.Unmarshal([]byte(doc), &want)
		got, size, err := leanly(t, doc, rapid.IntRange(1, 40).Draw(t, "piece"), confluence.Part{})
		assert.Equal(t, wantErr == nil, err == nil, "%s: %v, %v", doc, wantErr, err)
		if wantErr == nil && err == nil {
			assert.Equal(t, want, got)
			assert.Zero(t, size)
		}
	})
}

// A part is what lies between its bounds, moved inwards to borders of
// characters; a body that may come whole does.
func TestLeanReaderKeepsAPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := `{"body":{"value":"` + insides(false).Draw(t, "value") + `"},"tail":"x"}`
		var want leanAnswer
		require.NoError(t, json.Unmarshal([]byte(doc), &want))
		whole := want.Body.Value
		part := confluence.Part{Whole: rapid.IntRange(0, 100).Draw(t, "whole"), From: rapid.IntRange(0, 200).Draw(t, "from"), Size: rapid.IntRange(1, 100).Draw(t, "size")}
		got, size, err := leanly(t, doc, rapid.IntRange(1, 20).Draw(t, "piece"), part)
		require.NoError(t, err)
		assert.Equal(t, "x", got.Tail)
		if size == 0 {
			assert.Equal(t, whole, got.Body.Value, "short, or small enough")
			return
		}
		assert.Equal(t, len(whole), size)
		assert.Greater(t, len(whole), part.Whole)
		from, to := min(part.From, len(whole)), min(part.From+part.Size, len(whole))
		for from < to && !utf8.RuneStart(whole[from]) {
			from++
		}
		for to > from && to < len(whole) && !utf8.RuneStart(whole[to]) {
			to--
		}
		assert.Equal(t, whole[from:to], got.Body.Value)
	})
}

func TestLeanReaderIsBounded(t *testing.T) {
	big := strings.Repeat("x", maxRest+1)
	for name, doc := range map[string]string{
		"a long title":               `{"title":"` + big + `"}`,
		"a second long value":        `{"value":"` + big + `","more":{"value":"` + big + `"}}`,
		"much that is no string":     `{"title":` + strings.Repeat(" ", maxRest) + `"x"}`,
		"many short strings":         `{"title":[` + strings.Repeat(`"x",`, maxRest/4) + `"x"]}`,
		"value not as a name":        `["value","` + big + `"]`,
		"more than may come at all":  `{"value":"` + strings.Repeat(big, 4) + `"}`,
		"one character without end":  `{"title":"` + strings.Repeat("\x80", maxRest+1) + `"}`,
		"one escape without its end": `{"title":"` + strings.Repeat(`\`, maxRest+2) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := newLeanReader(strings.NewReader(doc), 3<<20, confluence.Part{}).read()
			assert.ErrorIs(t, err, errTooLarge)
		})
	}
	t.Run("a part of what is far larger", func(t *testing.T) {
		body := strings.Repeat("0123456789abcdef", 1<<20)
		l := newLeanReader(strings.NewReader(`{"value":"`+body+`"}`), maxLong, confluence.Part{Whole: 1 << 20, From: 10<<20 + 5, Size: 20})
		rest, long, err := l.read()
		require.NoError(t, err)
		assert.JSONEq(t, `{"value":""}`, string(rest))
		text, size := long.result()
		assert.Equal(t, "56789abcdef012345678", text)
		assert.Equal(t, len(body), size)
		assert.Less(t, long.text.Cap(), 1<<10, "the rest is let go")
	})
}

// The strings of a listing are decoded in pieces too.
func TestLongTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := `"` + insides(rapid.Bool().Draw(t, "broken")).Draw(t, "inside") + `"`
		if !json.Valid([]byte(raw)) {
			return
		}
		var want string
		require.NoError(t, json.Unmarshal([]byte(raw), &want))
		var got text
		require.NoError(t, got.unquoteLong([]byte(raw)))
		assert.Equal(t, want, string(got))
	})
}

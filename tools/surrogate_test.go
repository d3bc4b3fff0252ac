package tools_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Half a character is refused with its place; nothing puts U+FFFD on a page.
func TestHalfCharactersAreRefused(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	const head = `{"page_id":"11","base_version":3,"edits":[{"op":"append","markdown":"`
	for name, text := range map[string]string{
		"a first half": `a\ud800b`, "a first half at the end": `a\uD83D`, "a second half": `\udc00`, "halves the wrong way round": `\udc00\ud800`, "two first halves": `\ud83d\ud83d\ude00`,
		"behind an escape": `\\\ud800`, "a half and a common escape": `\ud83d\n`, "a half and no escape": `\ud83d\u0041`,
	} {
		e := failed(t, "input.malformed", d.raw("update_page", head+text+`"}]}`))
		assert.Contains(t, e.Message, "half of a character", name)
		at := strings.Index(strings.ToLower(head+text), `\ud`)
		if name != "behind an escape" && name != "halves the wrong way round" && name != "two first halves" {
			assert.Contains(t, e.Message, "at byte "+strconv.Itoa(at+1)+" ", name)
		}
	}
	failed(t, "input.malformed", d.raw("update_page", `{"page_id":"11","base_version":3,"\ud800":1}`))
	assert.Empty(t, site.writes())
	for _, whole := range []string{`\ud83d\ude00`, `\\ud800`, `\\\\ud800 \ud83d\ude00`, `\ufffd`, `\u00e9`} {
		assert.False(t, d.raw("update_page", head+whole+`"}],"dry_run":true}`).IsError, whole)
	}
}

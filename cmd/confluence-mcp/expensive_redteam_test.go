package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

// TestF06_ExpensiveQueries: what would make a search engine walk its whole
// dictionary, or build ten thousand clauses, costs no more than other queries
// and asks nothing of Confluence.
func TestF06_ExpensiveQueries(t *testing.T) {
	const bound = 250 * time.Millisecond * raceFactor
	var lines strings.Builder
	lines.WriteString(siteWith(botToken))
	for n := range 400 {
		fmt.Fprintf(&lines, `{"kind":"content","id":"%d","type":"page","space":"ENG","parent":"1000","title":"Page %d of pumps","storage":"<p>The pump aabbaab%d runs abracadabra%d with zeppelin parts.</p>","author":"u-ann"}`+"\n", 20000+n, n, n, n)
	}
	site := emulatortest.Start(t, lines.String())
	p := serveProduct(t, site.URL, botToken)
	ask := func(query string) (reply, time.Duration) {
		body, err := json.Marshal(map[string]any{"query": query, "limit": 10})
		require.NoError(t, err)
		began := time.Now()
		r := p.send(http.MethodPost, "/api/query", annKey, string(body), nil)
		return r, time.Since(began)
	}
	eventually(t, func() bool {
		r, _ := ask("zeppelin")
		return r.status == http.StatusOK && strings.Contains(r.body, "zeppelin")
	}, "the index has followed")
	before := len(site.Requests(0)) // who the connecting account is was asked by the first question
	words := make([]string, 10_000)
	for i := range words {
		words[i] = fmt.Sprint("abracadabra", i)
	}
	for name, query := range map[string]string{
		"everything required":  "+*",
		"only wildcards":       "* ? ** *?*",
		"leading wildcard":     "*abra* ?ump *a",
		"a regular expression": "/.*a.*b.*/ /(a+)+$/",
		"fuzzy":                "zepelin~10 pump~2 " + strings.Repeat("abracadabra~9 ", 200),
		"many words":           strings.Join(words, " "),
		"many clauses":         strings.Join(words, " OR "),
		"nested":               strings.Repeat("(", 5000) + "pump" + strings.Repeat(")", 5000),
		"phrases":              strings.Repeat(`"the pump runs" `, 2000),
		"one long word":        strings.Repeat("a", 200_000),
		"the same word":        strings.Repeat("pump ", 20_000),
		"boosts":               strings.Repeat("pump^1e308 ", 500),
		"ranges":               "title:[a TO z] {* TO *} space:*",
		"fields":               strings.Repeat("title:pump body:pump ", 500),
		"combining marks":      "p" + strings.Repeat("\u0301", 50_000),
		"no spaces":            strings.Repeat("漢字仮名", 5_000),
		"nothing but signs":    strings.Repeat(`+-!(){}[]^"~*?:\/&|`, 1_000),
	} {
		t.Run(name, func(t *testing.T) {
			var took []time.Duration
			for range 4 { // the machine has other things to do in some
				r, d := ask(query)
				took = append(took, d)
				assert.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, r.status, "%.300s", r.body)
				if r.status == http.StatusBadRequest {
					continue
				}
				var out struct{ Results []struct{} }
				require.NoError(t, json.Unmarshal([]byte(r.body), &out))
				assert.LessOrEqual(t, len(out.Results), 10)
			}
			assert.Less(t, slices.Min(took), bound, "%v", took)
		})
	}
	assert.Len(t, site.Requests(0), before, "Confluence was not asked")
}

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whoever is not known, or not said clearly, sees what is public: the same bytes,
// whether the user exists or not. Settings that are none are refused, and nothing
// of any of it reaches Confluence.
func TestWhoIsNotKnownSeesWhatIsPublic(t *testing.T) {
	s := newStand(t)
	public := s.query(`"query":"*"`)
	require.Equal(t, http.StatusOK, public.status, public.raw)
	assert.ElementsMatch(t, []string{"3000", "3001", "3000", "3001"}, public.ids())
	require.Equal(t, annSees, s.query(`"query":"*","limit":100,`+asAnn).Total)
	same := map[string]string{
		"no settings":                      `"accessSettings":{}`,
		"null":                             `"accessSettings":null`,
		"null, and no attributes":          `"accessSettings":null,"accessControlAttributes":[]`,
		"null twice":                       `"accessSettings":null,"accessControlAttributes":null`,
		"two integrations, none named":     `"accessSettings":{"externalUserId":"u-ann"}`,
		"an integration nobody knows":      `"accessSettings":{"integrationId":99,"externalUserId":"u-ann"}`,
		"a name nobody knows":              `"accessSettings":{"integrationId":"third","externalUserId":"u-ann"}`,
		"zero":                             `"accessSettings":{"integrationId":0,"externalUserId":"u-ann"}`,
		"below zero":                       `"accessSettings":{"integrationId":-1,"externalUserId":"u-ann"}`,
		"an unknown user":                  `"accessSettings":{"integrationId":1,"externalUserId":"u-nobody"}`,
		"a deactivated one":                `"accessSettings":{"integrationId":1,"externalUserId":"u-eve"}`,
		"a user like a question":           `"accessSettings":{"integrationId":1,"externalUserId":"' OR 1=1 --"}`,
		"a user of blanks":                 `"accessSettings":{"integrationId":1,"externalUserId":"   "}`,
		"a joker":                          `"accessSettings":{"integrationId":1,"externalUserId":"%"}`,
		"a group nobody knows":             `"accessControlAttributes":["group-nowhere"]`,
		"no kind":                          `"accessControlAttributes":["staff","A","ann"]`,
		"no name":                          `"accessControlAttributes":["group-","user-",":","1:","1:group-"]`,
		"another case":                     `"accessControlAttributes":["Group-staff","GROUP-A"]`,
		"an integration that is not there": `"accessControlAttributes":["9:group-staff","third:group-A"]`,
		"a class":                          `"accessControlAttributes":["class-all-licensed-users","group-anonymous-users","user-*"]`,
		"a joker of groups":                `"accessControlAttributes":["group-*","group-%","*"]`,
	}
	before := len(s.site.Requests(0))
	for name, who := range same {
		got := s.query(`"query":"*",` + who)
		assert.Equal(t, http.StatusOK, got.status, name)
		assert.Equal(t, public.raw, got.raw, name)
	}
	for name, who := range map[string]string{
		"settings are a list":      `"accessSettings":[1]`,
		"settings are a text":      `"accessSettings":"u-ann"`,
		"a member nobody knows":    `"accessSettings":{"integrationId":1,"externalUserId":"u-ann","admin":true}`,
		"a user that is a number":  `"accessSettings":{"integrationId":1,"externalUserId":7}`,
		"attributes are a text":    `"accessControlAttributes":"group-A"`,
		"attributes are numbers":   `"accessControlAttributes":[5]`,
		"attributes are an object": `"accessControlAttributes":{"group":"A"}`,
		"an empty attribute":       `"accessControlAttributes":[""]`,
		"a user twice":             `"accessSettings":{"integrationId":1,"externalUserId":"u-bob","externalUserId":"u-ann"}`,
		"an integration alone":     `"accessSettings":{"integrationId":1}`,
		"a great many attributes":  `"accessControlAttributes":["` + strings.Repeat(`x","`, 20_000) + `x"]`,
		"one endless attribute":    `"accessControlAttributes":["group-` + strings.Repeat("x", 200_000) + `"]`,
	} {
		got := s.query(`"query":"*",` + who)
		assert.Equal(t, http.StatusBadRequest, got.status, "%s: %s", name, got.raw[:min(300, len(got.raw))])
		assert.NotEmpty(t, got.Error.Next, name)
		assert.Empty(t, got.Results, name)
	}
	for _, r := range s.site.Requests(0)[before:] {
		assert.NotContains(t, r.Path, "search", "nobody is searched for in Confluence: %s", r.Path)
		assert.NotContains(t, r.Path, "cql", r.Path)
	}
	joint := s.query(`"query":"*","limit":100,"accessControlAttributes":["1:group-staff","1:group-A","nonsense"]`)
	assert.Equal(t, annSees, joint.Total, "what is junk takes nothing from what is not")
}

// Whatever a question says it is words: an answer of what the caller may see, and
// never an error of ours.
func TestHostileQuestionsAreWords(t *testing.T) {
	s := newStand(t)
	callers := []string{asAnn, `"accessSettings":{"integrationId":1,"externalUserId":"u-bob"}`, `"accessSettings":null`}
	all := map[string][]string{}
	for _, who := range callers {
		all[who] = s.query(`"query":"*","limit":100,` + who).ids()
		require.NotEmpty(t, all[who])
	}
	asked := 0
	for name, text := range map[string]string{
		"operators": `+pump -"shut down" AND OR NOT (pump) pump* ~ ^2 [a TO z] {x} \ / : ! && ||`, "only operators": `+ - * " ( ) ~ ^ : \`,
		"ten kilobytes": strings.Repeat("pump ", 2048), "one long word": strings.Repeat("pump", 2560), "ten thousand phrases": strings.Repeat(`"a b" `, 1700),
		"control characters": "pump\x00\x01\x07\x1b[31m\r\n\tpump\x7f", "half an emoji": "pump \ud7ff\ufffd", "right to left": "pump \u202e\u2066\u200f", "unseen": "pump \u034f\u115f\u1160\u3164\uffa0\u00ad\ufeff\U000e0041\U000e0100 \u2028 \ufffc",
		"stars": strings.Repeat("*", 5000), "beginnings": strings.Repeat("p* ", 500), "quotes": strings.Repeat(`"`, 9999), "sql": `'; DROP TABLE page; --`,
		"cql": `type = page) OR (space = "HR"`, "fields": `space:HR title:Plans _id:1`, "a regular expression": `/.*/ (a+)+$`, "markup": `<script>alert(1)</script>`,
		"format": `%s%n%x ${jndi:ldap://x} {{7*7}}`, "wide letters": "ｐｕｍｐ", "no letters": "!!!???", "minus everything": "-pump -the -a",
	} {
		raw, err := json.Marshal(text)
		require.NoError(t, err)
		for _, who := range callers {
			got := s.query(fmt.Sprintf(`"query":%s,"limit":100,%s`, raw, who))
			asked++
			assert.Equal(t, http.StatusOK, got.status, "%s: %s", name, got.raw[:min(300, len(got.raw))])
			assert.Subset(t, all[who], got.ids(), "%s as %s", name, who)
			assert.LessOrEqual(t, got.Total, len(all[who]), "%s as %s", name, who)
		}
	}
	t.Logf("%d hostile questions answered", asked)
	for name, body := range map[string]string{"empty": `"query":""`, "null": `"query":null`, "a number": `"query":7`, "none": `"limit":3`, "limit 0 to 100": `"query":"x","limit":101`, "below": `"query":"x","limit":-1`, "unknown": `"query":"x","queries":1`} {
		got := s.query(body)
		assert.Equal(t, http.StatusBadRequest, got.status, "%s: %s", name, got.raw)
		assert.NotEmpty(t, got.Error.Next, name)
	}
	status, text := s.ask("POST", "/api/query", deskKey, "{\"query\":\"a\x00b\xff\"}")
	assert.Equal(t, http.StatusBadRequest, status, text)
}

// A cursor is worth something to the caller it was given to, for the question it
// was given for.
func TestACursorOfAnotherCallerIsRefused(t *testing.T) {
	s := newStand(t)
	const ask = `"query":"*","limit":3,`
	first := s.query(ask + asAnn)
	require.NotEmpty(t, first.Next)
	with := func(cursor, rest string) found { return s.query(fmt.Sprintf(`"cursor":%q,%s`, cursor, rest)) }
	second := with(first.Next, ask+asAnn)
	require.Equal(t, http.StatusOK, second.status)
	// One site is connected twice, so what everybody may see of it is there twice.
	assert.Equal(t, s.query(`"query":"*","limit":6,`+asAnn).ids(), append(first.ids(), second.ids()...))
	flipped := "A" + first.Next[1:]
	if flipped == first.Next {
		flipped = "B" + first.Next[1:]
	}
	for name, got := range map[string]found{
		"bob":                     with(first.Next, ask+`"accessSettings":{"integrationId":1,"externalUserId":"u-bob"}`),
		"the public":              with(first.Next, `"query":"*","limit":3`),
		"ann of the other site":   with(first.Next, ask+`"accessSettings":{"integrationId":2,"externalUserId":"u-ann"}`),
		"ann with an attribute":   with(first.Next, ask+asAnn+`,"accessControlAttributes":["1:group-B"]`),
		"another question":        with(first.Next, `"query":"pump","limit":3,`+asAnn),
		"another filter":          with(first.Next, ask+asAnn+`,"filters":{"space_key":"ENG"}`),
		"a byte of it is another": with(flipped, ask+asAnn),
		"half of it":              with(first.Next[:len(first.Next)/2], ask+asAnn),
		"made up":                 with("MDow", ask+asAnn),
		"none, as a path":         with("../../etc/passwd", ask+asAnn),
		"of titles":               with("title:3", ask+asAnn),
	} {
		assert.Equal(t, http.StatusBadRequest, got.status, "%s: %s", name, got.raw)
		assert.Equal(t, "input.cursor", got.Error.Kind, name)
		assert.Contains(t, got.Error.Next, "without cursor", name)
		assert.Empty(t, got.Results, name)
	}

	s.stop()
	s.start()
	s.indexed()
	assert.Equal(t, second.ids(), with(first.Next, ask+asAnn).ids(), "it outlives the process")
	assert.Equal(t, "input.cursor", with(first.Next, ask+`"accessSettings":{"integrationId":1,"externalUserId":"u-bob"}`).Error.Kind)
}

// A cursor that query printed is one for the next process: no server is there to
// remember it.
func TestACursorFromTheShellGoesOn(t *testing.T) {
	s := newStand(t)
	s.indexed()
	s.stop()
	run := func(args ...string) (hits []string, more []string) {
		out, err := s.command(append([]string{"query", "*", "--as", "first:u-ann"}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		for _, hit := range regexp.MustCompile(`(?m)^\d+\. (.*)  \[`).FindAllStringSubmatch(string(out), -1) {
			hits = append(hits, hit[1])
		}
		said := regexp.MustCompile(`(?m)^more: (.*)$`).FindStringSubmatch(string(out))
		require.Len(t, said, 2, "%s", out)
		return hits, strings.Fields(said[1])
	}
	three, _ := run("--limit", "3")
	require.Len(t, three, 3)
	one, more := run("--limit", "1")
	two, last := run(more...)
	rest, _ := run(last...)
	assert.Equal(t, three, slices.Concat(one, two, rest))
	out, err := s.command(append([]string{"query", "*", "--as", "first:u-bob"}, more...)...).CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "does not belong to this call")
}

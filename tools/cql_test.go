package tools_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/tools"
)

// asker gives the CQL a search sends from a server kept to space ENG.
func asker(t *testing.T) func(args) (string, tools.Result) {
	t.Helper()
	site := newFake()
	d := newDesk(t, site, func(c *tools.Config) { c.Spaces = boundTo("ENG", "OPS") })
	return func(a args) (string, tools.Result) {
		t.Helper()
		site.calls, site.cql = nil, nil
		r := d.call("search", a)
		if r.IsError {
			assert.Empty(t, site.calls)
			return "", r
		}
		require.Len(t, site.cql, 1)
		return site.cql[0], r
	}
}

const onlyENG = `) AND (space in ("ENG", "OPS"))`

func TestSearchBuildsCQL(t *testing.T) {
	asked := asker(t)
	for _, c := range []struct {
		name string
		args args
		want string
	}{
		{"words", args{"query": "restart pump"}, `(siteSearch ~ "restart pump" AND type in (page, blogpost)` + onlyENG},
		{"all filters", args{"query": "a", "space_key": "ENG", "label": "runbook", "type": "page", "ancestor_id": "12", "updated_since": "7d"},
			`(siteSearch ~ "a" AND type = page AND space = "ENG" AND label = "runbook" AND ancestor = "12" AND lastmodified >= now("-10080m")` + onlyENG},
		{"filters alone", args{"query": "*", "label": "x"}, `(type in (page, blogpost) AND label = "x"` + onlyENG + ` ORDER BY lastmodified DESC`},
		{"raw condition", args{"query": "*", "cql": `title ~ "a" or creator = currentUser() order by created asc, title`},
			`((title ~ "a" or creator = currentUser())` + onlyENG + ` order by created asc, title`},
		{"CQL alone", args{"query": "*", "cql": `type = comment`}, `((type = comment)` + onlyENG},
		{"words and a type of its own", args{"query": "a", "cql": `type = comment`}, `(siteSearch ~ "a" AND (type = comment)` + onlyENG},
		{"words and CQL", args{"query": "a", "cql": `label = x`}, `(siteSearch ~ "a" AND type in (page, blogpost) AND (label = x)` + onlyENG},
		{"the order alone", args{"query": "*", "cql": `order by title`}, `(type in (page, blogpost)` + onlyENG + ` order by title`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := asked(c.args)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestSearchWithoutWordsSaysWhatStandsForThem(t *testing.T) {
	d := newDesk(t, newFake())
	for _, c := range []struct {
		kind string
		args args
	}{
		{"input.missing", args{"cql": "type = page"}},
		{"input.missing", args{"label": "x"}},
		{"input.invalid", args{"query": "  ", "cql": "type = page"}},
		{"input.query", args{"query": "?!", "label": "x"}},
	} {
		e := d.fails(c.kind, "search", c.args)
		assert.Contains(t, e.Next, `"*"`, c.args)
	}
}

// F01: what a caller searches for is a value, whatever it looks like.
func TestF01_WordsAreQuoted(t *testing.T) {
	asked := asker(t)
	got, _ := asked(args{"query": `x" OR space = "SECRET`})
	assert.Equal(t, `(siteSearch ~ "x\" OR space = \"SECRET" AND type in (page, blogpost)`+onlyENG, got)
	got, _ = asked(args{"query": `x\" OR space = SECRET`})
	assert.Equal(t, `(siteSearch ~ "x\\\" OR space = SECRET" AND type in (page, blogpost)`+onlyENG, got)
}

// F02, F03: a raw condition stays inside its parentheses, or is refused.
func TestF02_F03_RawConditionCannotEscape(t *testing.T) {
	asked := asker(t)
	for _, cql := range []string{
		`space = A) OR (space = SECRET`, `space = A)`, `(space = A`, `space = "A`, `space = A OR`, `= A`, `space A`, `space = A space = B`,
		`space = A -- comment`, `space = A /* x */`, `space = A; drop`, "space = A\nOR space = B", `space = “A”`, `ｓpace = A`, `favouriteSpaceOf("x")`, `space in favouriteSpaceOf("x")`,
		`space = "A" ORDER BY created) OR (space = B`, `ORDER BY`, `order by created order by title`, `space in (A, B`, `space not B`, `text ~ "a\"`, `not`, strings.Repeat("(", 50) + "a=b" + strings.Repeat(")", 50),
		`space = ""SECRET""`, `and`, `type = page AND order`, `title ~ 'a" OR x = "b`, `x == y`, `a = now("-4h"`, "a = \"x\x01\"",
	} {
		got, r := asked(args{"query": "*", "cql": cql})
		require.True(t, r.IsError, "%s became %s", cql, got)
		failed(t, "input.cql", r)
	}
	for _, cql := range []string{
		`space = A OR space = SECRET`, `NOT (space = A)`, `space not in (A, B) and not type = page`, `created >= now("-4w") ORDER BY created`, `text ~ "a) OR (b"`, `title = 'it "is" so'`,
		`space in favouriteSpaces()`, `label in ("a b", c)`, `((a = b) or (c != d))`, `text ~ "größe"`, `order by created`,
	} {
		got, r := asked(args{"query": "*", "cql": cql})
		require.False(t, r.IsError, r.Text)
		assert.Contains(t, got, onlyENG, cql)
	}
}

// outside is a query without its strings, as depth of parentheses and words at
// depth 0. It is written apart from the grammar it checks.
func outside(t *testing.T, cql string) (top string) {
	depth, quote, skip := 0, rune(0), false
	for _, r := range cql {
		switch {
		case skip:
			skip = false
		case quote != 0 && r == '\\':
			skip = true
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case r == '(':
			depth++
		case r == ')':
			depth--
			require.GreaterOrEqual(t, depth, 0, cql)
		case depth == 0:
			top += string(r)
		}
	}
	require.Zero(t, depth, cql)
	require.Zero(t, quote, cql)
	return top
}

// F03: in any soup of pieces the limit to spaces holds: at the top of the
// query stand one AND and the order, nothing else.
func TestF03_SpaceLimitHoldsInAnySoup(t *testing.T) {
	pieces := []string{"space", "=", "~", "A", `"`, `\`, `'`, "(", ")", " ", "OR", "AND", "NOT", "IN", "ORDER BY", "created", ",", "now()", `"x"`, "--", "\n", "“", "*", "desc", "!=", `\"`, "SECRET", "space = SECRET", ") OR ("}
	random := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for range 100_000 {
		parts := make([]string, 1+random.IntN(12))
		for i := range parts {
			parts[i] = pieces[random.IntN(len(pieces))]
		}
		sent, err := tools.Within(strings.Join(parts, []string{"", " "}[random.IntN(2)]), []string{"ENG"})
		if err != nil {
			continue
		}
		accepted++
		top := strings.Fields(outside(t, sent))
		if !strings.Contains(sent, `(space in ("ENG"))`) || len(top) > 0 && !slices.Contains([]string{"and", "order"}, strings.ToLower(top[0])) || len(top) > 1 && !strings.EqualFold(top[1], "by") && !strings.EqualFold(top[1], "order") {
			t.Fatal(sent)
		}
	}
	assert.Greater(t, accepted, 100, "the soup holds good queries too")
}

package rule_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/policy/rule"
)

func compile(t testing.TB, expr string) *rule.Program {
	t.Helper()
	c, err := rule.NewCompiler()
	require.NoError(t, err)
	p, err := c.Compile(expr)
	require.NoError(t, err, expr)
	return p
}

func vars(t testing.TB, values map[string]any) cel.Activation {
	t.Helper()
	a, err := cel.NewActivation(values)
	require.NoError(t, err)
	return a
}

// TestEveryVariableHasItsType uses each variable as what it is declared to be.
func TestEveryVariableHasItsType(t *testing.T) {
	use := map[string]string{
		"string": ` == "x"`, "bool": " == true", "int": " == 3", "double": " == 0.5",
		"timestamp": ` > timestamp("2026-01-02T03:04:05Z")`, "list": `.exists(e, e == "x")`, "map": `["x"] == "y"`,
	}
	for _, v := range rule.Variables() {
		p := compile(t, v.Name+use[v.Type])
		assert.Equal(t, []string{v.Name}, p.Reads())
		assert.Equal(t, strings.HasPrefix(v.Name, "resource.") && v.Name != "resource.known", p.ReadsResource())
		assert.Positive(t, p.Cost())
		assert.Equal(t, v.Type == "list", p.Loops())
		if v.Type == "list" || v.Type == "map" {
			assert.Positive(t, v.Bound, v.Name)
		}
	}
}

func TestTheWallLimitStopsALoop(t *testing.T) {
	p := compile(t, `identity.groups.exists(g, g == "none")`)
	groups := make([]string, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	holds, err := p.Eval(ctx, vars(t, map[string]any{"identity.groups": groups}), true)
	require.NoError(t, err)
	assert.False(t, holds)
	cancel()
	_, err = p.Eval(ctx, vars(t, map[string]any{"identity.groups": groups}), true)
	assert.ErrorIs(t, err, rule.ErrCost)
}

func TestAnUnboundVariableMattersOnlyWhereItDecides(t *testing.T) {
	p := compile(t, `request.live && resource.title == "x"`)
	holds, err := p.Eval(context.Background(), vars(t, map[string]any{"request.live": false}), true)
	require.NoError(t, err)
	assert.False(t, holds)
	_, err = p.Eval(context.Background(), vars(t, map[string]any{"request.live": true}), true)
	assert.Error(t, err)
}

func TestStaticCostsFollowTheBounds(t *testing.T) {
	cheap := compile(t, `resource.space_key == "HR"`).Cost()
	labels := compile(t, `resource.labels.exists(l, l.startsWith("x"))`).Cost()
	groups := compile(t, `identity.groups.exists(l, l.startsWith("x"))`).Cost()
	assert.Less(t, cheap, labels)
	assert.Less(t, labels, groups)
	assert.LessOrEqual(t, groups, uint64(rule.MaxCost))
}

func TestAtoms(t *testing.T) {
	cases := map[string][]rule.Atom{
		`resource.space_key in ["A", "B"] && !resource.restricted`: {
			{Variable: "resource.space_key", Op: rule.OpEqual, Literals: []any{"A", "B"}},
			{Variable: "resource.restricted", Op: rule.OpEqual},
		},
		`3 < change.body_bytes`:                            {{Variable: "change.body_bytes", Op: rule.OpOrder, Literals: []any{int64(3)}}},
		`"x" in resource.labels`:                           {{Variable: "resource.labels", Op: rule.OpEqual, Literals: []any{"x"}, Element: true}},
		`resource.labels.exists(l, l.startsWith("x"))`:     {{Variable: "resource.labels", Op: rule.OpPrefix, Literals: []any{"x"}, Element: true}},
		`resource.title.endsWith("x") ? true : now == now`: {{Variable: "resource.title", Op: rule.OpText, Literals: []any{"x"}}, {Variable: "now", Op: rule.OpOther}},
		`resource.title.lowerAscii() == "x"`:               {{Variable: "resource.title", Op: rule.OpOther, Literals: []any{"x"}}},
		`resource.space_key == change.target_space_key`:    {{Variable: "resource.space_key", Op: rule.OpOther}, {Variable: "change.target_space_key", Op: rule.OpOther}},
	}
	for expr, want := range cases {
		got := compile(t, expr).Atoms()
		assert.Equal(t, want, got, expr)
	}
	counted := compile(t, `resource.labels.all(l, l == "x")`).Atoms()
	require.Len(t, counted, 1)
	assert.Equal(t, rule.OpOther, counted[0].Op, "only exists is taken apart")
}

func TestWarnings(t *testing.T) {
	cases := map[string]string{
		`100 / change.body_bytes > 3`:                                        "dividing by zero denies",
		`100 % change.body_bytes > 3`:                                        "dividing by zero denies",
		`change.body_bytes / 2 > 3`:                                          "",
		`change.body_bytes / 0 > 3`:                                          "dividing by zero denies",
		`change.body_bytes > 0 && 100 / change.body_bytes > 3`:               "",
		`change.body_bytes > 0 ? 100 / change.body_bytes > 3 : false`:        "",
		`resource.labels[0] == "x"`:                                          "an index or key that does not exist denies",
		`size(resource.labels) > 0 && resource.labels[0] == "x"`:             "",
		`int(resource.title) > 3`:                                            "a text that cannot be converted denies",
		`now > timestamp("2026-01-02T03:04:05Z")`:                            "",
		`request.live && (1 / change.body_bytes > 3 || resource.restricted)`: "is hidden when the right side is true",
		`resource.space_key == "x"`:                                          "",
	}
	for expr, want := range cases {
		warnings := compile(t, expr).Warnings()
		if want == "" {
			assert.Empty(t, warnings, expr)
			continue
		}
		if assert.Len(t, warnings, 1, expr) {
			assert.Contains(t, warnings[0].Text, want)
			assert.Equal(t, 1, warnings[0].Line)
		}
	}
}

// TestStaticCostIsAProof: with values as large as the bounds allow, no
// condition spends more than its static cost says. Conditions run without
// counting because of this.
func TestStaticCostIsAProof(t *testing.T) {
	long := strings.Repeat("ab", rule.LongText/2)
	list := func(name string) []string {
		out := make([]string, rule.Bound(name))
		for i := range out {
			out[i] = long
		}
		return out
	}
	attributes := map[string]string{}
	for i := range rule.Bound("identity.attributes") {
		attributes[long[:1000]+strings.Repeat("x", i%24)+string(rune('a'+i/24))] = long
	}
	largest := map[string]any{"now": time.Unix(0, 0), "resource.updated_at": time.Unix(1, 0), "identity.attributes": attributes}
	for _, v := range rule.Variables() {
		switch v.Type {
		case "string":
			largest[v.Name] = long
		case "list":
			largest[v.Name] = list(v.Name)
		case "int":
			largest[v.Name] = int64(1 << 40)
		case "bool":
			largest[v.Name] = true
		case "double":
			largest[v.Name] = 0.5
		}
	}
	exprs := []string{
		`resource.title == change.title`, `resource.title.contains("abababababa")`, `resource.title.startsWith(change.title)`,
		`resource.title.matches("(ab|a|b)*c$")`, `resource.title.matches("^([a-z]+[0-9]?){3}$")`,
		`resource.title.lowerAscii().upperAscii().contains("zzz")`, `resource.title.split("").size() > 3`,
		`resource.title.split("a").exists(s, s == "c")`, `resource.title.indexOf("zz") > 0 || resource.title.lastIndexOf("zz") > 0`,
		`resource.labels.exists(l, l == "x")`, `resource.labels.exists(l, l.startsWith("abc"))`, `resource.ancestor_ids.all(a, a != "x")`,
		`identity.groups.exists(g, g == "x")`, `"x" in identity.groups`, `identity.groups.exists_one(g, g == "x")`,
		`sets.intersects(change.macros_added, ["x", "y"])`, `sets.contains(change.macros_added, ["x"])`,
		`resource.labels.map(l, l.size()).exists(n, n > 2000)`, `resource.ancestor_ids.filter(l, l == "q").size() > 0`,
		`change.external_hosts_added.exists(h, !h.endsWith(".acme.test"))`, `identity.attributes.exists(k, k == "x")`,
		`now - resource.updated_at > duration("720h") && now.getDayOfWeek() == 0`, `identity.attributes["x"] == "y"`,
		`resource.title + change.title == "x"`, `size(resource.title) > 10 && resource.title.substring(2, 9) == "x"`,
		`isIP(resource.title) || ip("10.0.0.1").isLoopback()`, `resource.labels.slice(0, 5) == ["a"]`, `resource.title.trim() == "x"`,
	}
	for _, expr := range exprs {
		p := compile(t, expr)
		_, trace, _ := p.Trace(context.Background(), vars(t, largest))
		assert.LessOrEqual(t, trace.Cost, p.Cost(), expr)
		assert.Positive(t, trace.Cost, expr)
	}
}

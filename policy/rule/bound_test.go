package rule // inside: what an evaluation really cost is no part of the interface

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// gen writes random expressions of each type over every variable and function
// rules have. Depth is what is left of the nesting.
type gen struct {
	t     *rapid.T
	depth int
	bound []string // names of the loops one is in, all of type string
}

func (g gen) pick(label string, options ...func(gen) string) string {
	i := rapid.IntRange(0, len(options)-1).Draw(g.t, label)
	g.depth--
	return options[i](g)
}

func named(kind string) []string {
	var out []string
	for _, v := range Variables() {
		if v.Type == kind {
			out = append(out, v.Name)
		}
	}
	return out
}

func (g gen) text() string {
	leaf := func(g gen) string {
		names := append(slices.Clone(g.bound), named("string")...)
		return rapid.SampledFrom(names).Draw(g.t, "name")
	}
	literal := func(g gen) string {
		return fmt.Sprintf("%q", rapid.SampledFrom([]string{"", "a", "aaaa", strings.Repeat("a", 60)}).Draw(g.t, "text"))
	}
	if g.depth <= 0 {
		return g.pick("text leaf", leaf, literal)
	}
	return g.pick("text", leaf, literal, leaf,
		func(g gen) string { return g.text() + ".lowerAscii()" },
		func(g gen) string { return g.text() + ".trim()" },
		func(g gen) string { return g.text() + ".substring(0)" },
		func(g gen) string { return "(" + g.text() + " + " + g.text() + ")" },
		func(g gen) string { return "(" + g.bool() + " ? " + g.text() + " : " + g.text() + ")" },
		func(g gen) string { return "string(" + g.number() + ")" },
		func(g gen) string { return g.text() + ".charAt(0)" },
		func(g gen) string { return "identity.attributes[" + g.text() + "]" },
		func(g gen) string { return g.list() + "[0]" },
	)
}

func (g gen) list() string {
	leaf := func(g gen) string { return rapid.SampledFrom(named("list")).Draw(g.t, "name") }
	if g.depth <= 0 {
		return leaf(g)
	}
	return g.pick("list", leaf, leaf,
		func(g gen) string { return g.text() + ".split(\"a\")" },
		func(g gen) string { return g.text() + ".split(\"\")" },
		func(g gen) string { return "(" + g.list() + " + " + g.list() + ")" },
		func(g gen) string { return "[" + g.text() + ", " + g.text() + "]" },
		func(g gen) string { return g.list() + ".slice(0, 1)" },
		func(g gen) string { return g.loop(".filter", gen.bool) },
		func(g gen) string { return g.loop(".map", gen.text) },
		func(g gen) string { return g.list() + ".flatten()" },
		func(g gen) string { return g.list() + ".distinct()" },
		func(g gen) string { return g.list() + ".sort()" },
	)
}

func (g gen) loop(macro string, body func(gen) string) string {
	list := g.list()
	name := fmt.Sprintf("v%d", len(g.bound))
	g.bound = append(slices.Clone(g.bound), name)
	return list + macro + "(" + name + ", " + body(g) + ")"
}

func (g gen) number() string {
	leaf := func(g gen) string { return rapid.SampledFrom(named("int")).Draw(g.t, "name") }
	if g.depth <= 0 {
		return leaf(g)
	}
	return g.pick("number", leaf,
		func(g gen) string { return g.text() + ".size()" },
		func(g gen) string { return g.list() + ".size()" },
		func(g gen) string { return g.text() + ".indexOf(" + g.text() + ")" },
		func(g gen) string { return g.text() + ".lastIndexOf(" + g.text() + ")" },
		func(g gen) string { return "(" + g.number() + " + " + g.number() + ")" },
	)
}

func (g gen) bool() string {
	leaf := func(g gen) string { return rapid.SampledFrom(named("bool")).Draw(g.t, "name") }
	if g.depth <= 0 {
		return leaf(g)
	}
	return g.pick("bool", leaf,
		func(g gen) string { return g.text() + " == " + g.text() },
		func(g gen) string { return g.text() + " < " + g.text() },
		func(g gen) string { return g.text() + " in " + g.list() },
		func(g gen) string { return g.text() + " in identity.attributes" },
		func(g gen) string { return g.list() + " == " + g.list() },
		func(g gen) string { return g.text() + ".contains(" + g.text() + ")" },
		func(g gen) string { return g.text() + ".startsWith(" + g.text() + ")" },
		func(g gen) string { return g.text() + ".endsWith(" + g.text() + ")" },
		func(g gen) string { return g.text() + `.matches("^(a|b)*a{1,20}$")` },
		func(g gen) string { return "(" + g.bool() + " || " + g.bool() + ")" },
		func(g gen) string { return "(" + g.bool() + " && !" + g.bool() + ")" },
		func(g gen) string { return g.loop(".exists", gen.bool) },
		func(g gen) string { return g.loop(".all", gen.bool) },
		func(g gen) string { return g.loop(".exists_one", gen.bool) },
		func(g gen) string { return "identity.attributes.all(k, " + g.text() + " == k)" },
		func(g gen) string { return "sets.contains(" + g.list() + ", " + g.list() + ")" },
		func(g gen) string { return "sets.intersects(" + g.list() + ", " + g.list() + ")" },
		func(g gen) string { return "sets.equivalent(" + g.list() + ", " + g.list() + ")" },
		func(g gen) string { return "isIP(" + g.text() + ")" },
		func(g gen) string { return "timestamp(" + g.text() + ") < now" },
		func(g gen) string { return g.number() + " > " + g.number() },
	)
}

// inputs are values within the bounds: as large as they may be, or smaller.
func inputs(t *rapid.T) map[string]any {
	text := func() string {
		letter := rapid.SampledFrom([]string{"a", "b", "a,", "é"}).Draw(t, "letter")
		size := rapid.SampledFrom([]int{0, 1, 60, LongText, LongText}).Draw(t, "bytes")
		return strings.Repeat(letter, size/len(letter))
	}
	count := func(most int) int { return rapid.SampledFrom([]int{0, 1, most, most}).Draw(t, "items") }
	out := map[string]any{}
	for _, v := range Variables() {
		switch v.Type {
		case "string":
			out[v.Name] = text()
		case "bool":
			out[v.Name] = rapid.Bool().Draw(t, "bool")
		case "int":
			out[v.Name] = int64(rapid.IntRange(-2, 1<<40).Draw(t, "int"))
		case "list":
			same := text()
			items := make([]string, count(v.Bound))
			for i := range items {
				items[i] = same
			}
			out[v.Name] = items
		case "map":
			same, m := text(), map[string]string{}
			for i := range count(v.Bound) {
				m[fmt.Sprint(i)] = same
			}
			out[v.Name] = m
		case "timestamp":
			out[v.Name] = fixed
		case "double":
			out[v.Name] = 0.5
		}
	}
	return out
}

// TestStaticCostIsABound: whatever a rule that is evaluated without counting is
// given within the bounds, it costs no more than was estimated, give or take
// a step, and so never comes near the limit that holds for the others.
func TestStaticCostIsABound(t *testing.T) {
	c, err := NewCompiler()
	require.NoError(t, err)
	rules, plain, worst := 0, 0, 0.0
	rapid.Check(t, func(t *rapid.T) {
		expr := gen{t: t, depth: rapid.IntRange(1, 4).Draw(t, "depth")}.bool()
		p, err := c.Compile(expr)
		if err != nil {
			return
		}
		rules++
		values := inputs(t)
		vars, err := cel.NewActivation(values)
		require.NoError(t, err)
		if p.quick == nil {
			return
		}
		plain++
		counted, err := c.env.Program(p.ast, cel.EvalOptions(cel.OptOptimize, cel.OptTrackCost))
		require.NoError(t, err)
		_, details, _ := counted.Eval(values) // an error costs, too
		cost := details.ActualCost()
		require.NotNil(t, cost)
		worst = max(worst, float64(*cost)/float64(p.Cost()+slack))
		require.LessOrEqual(t, *cost, p.Cost()+slack, expr)

		quick, errQuick := p.Eval(context.Background(), vars, true)
		run, errRun := p.Eval(context.Background(), vars, false)
		require.Equal(t, run, quick, expr)
		require.Equal(t, errRun == nil, errQuick == nil, expr)
	})
	t.Logf("%d rules were let in, %d are not counted; at most %.2f of the estimate was used", rules, plain, worst)
	require.Less(t, uint64(MaxCost+slack), uint64(runCost))
}

// slack is what an evaluation may cost over the estimate: the estimator leaves
// out some steps of one unit each.
const slack = 100

// TestGrowingTextIsCounted: the estimator takes what a function of text
// gives for 1 KiB, also when the expression has put together more before; such
// expressions are stopped by what they really cost, whatever they are given.
func TestGrowingTextIsCounted(t *testing.T) {
	c, err := NewCompiler()
	require.NoError(t, err)
	vars, err := cel.NewActivation(map[string]any{"request.tool": strings.Repeat("a", LongText)})
	require.NoError(t, err)
	many := func(name string) string { return strings.Repeat(name+" + ", 12) + name }
	for name, expr := range map[string]string{
		"a map of a map":     "[request.tool].map(x, (" + many("x") + ").trim()).map(x, (" + many("x") + ").trim()).size() == 7",
		"a pattern on a sum": "[(" + many("request.tool") + ").trim()].map(x, (" + many("x") + ").trim())[0].matches('^(a|b)*$')",
	} {
		t.Run(name, func(t *testing.T) {
			p, err := c.Compile(expr)
			require.NoError(t, err)
			_, err = p.Eval(context.Background(), vars, true)
			require.ErrorIs(t, err, ErrCost)
		})
	}
}

var fixed = time.Unix(1_700_000_000, 0).UTC()

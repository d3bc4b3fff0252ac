package compare_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
	"confluence-mcp/policy/compare"
)

const head = "version: 1\nname: team\ngroups: {pages: {level: read_write}, attachments: {level: read_only}}\n"

func parse(t testing.TB, text string) *policy.Profile {
	t.Helper()
	p, err := policy.Parse("p.yaml", []byte(text))
	require.NoError(t, err, text)
	return p
}

func rules(lines ...string) string {
	return head + "rules:\n  - {" + strings.Join(lines, "}\n  - {") + "}\n"
}

func TestProfiles(t *testing.T) {
	legal := `id: legal, when: 'resource.space_key in ["LEGAL", "HR"]', effect: deny`
	cases := []struct {
		name              string
		before, after     string
		widened, narrowed bool
		exact             bool
	}{
		{"the same", rules(legal), rules(legal), false, false, true},
		{"rewritten, decides the same", rules(legal), rules(`id: other, when: 'resource.space_key == "HR" || resource.space_key == "LEGAL"', effect: deny`), false, false, true},
		{"split in two, in other order", rules(legal), rules(`id: a1, when: 'resource.space_key == "HR"', effect: deny`, `id: b1, when: 'resource.space_key == "LEGAL"', effect: deny`), false, false, true},
		{"a rule less", rules(legal), head, true, false, true},
		{"a rule more", head, rules(legal), false, true, true},
		{"one literal less", rules(legal), rules(`id: legal, when: 'resource.space_key in ["LEGAL"]', effect: deny`), true, false, true},
		{"deny becomes approval", rules(legal), rules(strings.Replace(legal, "effect: deny", "effect: require_approval", 1)), true, false, true},
		{"threshold raised", rules("id: big, when: change.removed_ratio > 0.5, effect: require_approval"), rules("id: big, when: change.removed_ratio > 0.6, effect: require_approval"), true, false, true},
		{"greater becomes not less", rules("id: big, when: change.body_bytes > 100, effect: deny"), rules("id: big, when: change.body_bytes >= 100, effect: deny"), false, true, true},
		{"starts with becomes equal", rules(`id: a1, when: 'resource.title.startsWith("Draft")', effect: deny`), rules(`id: a1, when: 'resource.title == "Draft"', effect: deny`), true, false, true},
		{"exists over labels", rules(`id: a1, when: 'resource.labels.exists(l, l == "x")', effect: deny`), rules(`id: a1, when: '"x" in resource.labels', effect: deny`), false, false, true},
		{"one label of two", rules(`id: a1, when: '"x" in resource.labels', effect: deny`), rules(`id: a1, when: '"x" in resource.labels && "y" in resource.labels', effect: deny`), true, false, true},
		{"only one tool", rules("id: a1, effect: deny, match: {actions: [update]}"), rules("id: a1, effect: deny, match: {actions: [update], tools: [update_page]}"), true, false, true},
		{"unknown resource now passes", rules(`id: a1, when: 'resource.space_key == "HR"', effect: deny`), rules(`id: a1, when: 'resource.known && resource.space_key == "HR"', effect: deny`), true, false, true},
		{"group opened", head, strings.Replace(head, "attachments: {level: read_only}", "attachments: {level: read_write}", 1), true, false, true},
		{"group opened, but a rule holds it", head, strings.Replace(head, "attachments: {level: read_only}", "attachments: {level: read_write}", 1) + "rules:\n  - {id: a1, effect: deny, match: {groups: [attachments], actions: [create, update]}}\n", false, false, true},
		{"search has nothing to write", strings.Replace(head, "pages:", "search: {level: read_only}, pages:", 1), strings.Replace(head, "pages:", "search: {level: read_write}, pages:", 1), false, false, true},
		{"body limit raised", head + "limits: {max_body_bytes: 10}\n", head + "limits: {max_body_bytes: 11}\n", true, false, true},
		{"body limit removed", head + "limits: {max_body_bytes: 10}\n", head, true, false, true},
		{"approval added", head, rules("id: a1, effect: require_approval"), false, true, true},
		{"a pattern", rules(`id: a1, when: 'resource.title.matches("^Secret")', effect: deny`), head, true, false, false},
		{"arithmetic", rules("id: a1, when: change.body_bytes * 2 > 10, effect: deny"), rules("id: a1, when: change.body_bytes * 2 > 12, effect: deny"), true, false, false},
		{"hours of the week", rules("id: a1, when: 'now.getDayOfWeek() == 0', effect: deny"), head, true, false, false},
		{"attributes", rules(`id: a1, when: '"a" in identity.attributes && identity.attributes["a"] == "b"', effect: deny`), head, true, false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := compare.Profiles(parse(t, c.before), parse(t, c.after), compare.Config{Samples: 2000})
			assert.Equal(t, c.widened, r.Wider(), "widened: %+v", r.Widened.Example)
			assert.Equal(t, c.narrowed, r.Narrowed.Count > 0, "narrowed: %+v", r.Narrowed.Example)
			assert.Equal(t, c.exact, r.Exact, r.Sampled)
			if c.widened && r.Widened.Count > 0 {
				require.NotNil(t, r.Widened.Example)
				assert.NotEqual(t, r.Widened.Example.Before, r.Widened.Example.After)
			}
		})
	}
}

func TestLimitsThatLetMoreThroughWiden(t *testing.T) {
	limit := func(text string) *policy.Profile {
		return parse(t, strings.Replace(head, "read_write}", "read_write, allow_delete: true}", 1)+"limits: {"+text+"}\n")
	}
	cases := []struct {
		before, after string
		wider         bool
	}{
		{"writes_per_minute: 5", "writes_per_minute: 6", true},
		{"writes_per_minute: 6", "writes_per_minute: 5", false},
		{"deletes_per_day: 6", "", true},
		{"", "deletes_per_day: 6", false},
		{"", "deletes_per_day: 100", false},
		{"", "deletes_per_day: 101", true},
		{"writes_per_minute: 121", "", false},
		{"deletes_per_day: 6", "deletes_per_day: 6", false},
	}
	for _, c := range cases {
		r := compare.Profiles(limit(c.before), limit(c.after), compare.Config{})
		assert.Equal(t, c.wider, r.Wider(), "%s to %s", c.before, c.after)
		assert.Zero(t, r.Points, "limits over time are not combinations")
	}
	r := compare.Profiles(parse(t, head+"limits: {deletes_per_day: 1}\n"), parse(t, head), compare.Config{})
	assert.False(t, r.Wider(), "nothing can be deleted")
}

// draft is a profile under mutation.
type draft struct {
	levels map[string]string
	body   int // max_body_bytes, 0 none
	rules  []draftRule
}

type draftRule struct{ when, effect, actions string }

func (d draft) text() string {
	var b strings.Builder
	b.WriteString("version: 1\nname: team\ngroups:\n")
	for _, g := range []string{"pages", "attachments"} {
		fmt.Fprintf(&b, "  %s: %s\n", g, d.levels[g])
	}
	if d.body > 0 {
		fmt.Fprintf(&b, "limits: {max_body_bytes: %d}\n", d.body)
	}
	if len(d.rules) > 0 {
		b.WriteString("rules:\n")
	}
	for i, r := range d.rules {
		fmt.Fprintf(&b, "  - {id: r%d, when: '%s', effect: %s, match: {actions: [%s]}}\n", i, r.when, r.effect, r.actions)
	}
	return b.String()
}

func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

func condition(r *rand.Rand, depth int) string {
	if depth > 0 && r.IntN(2) == 0 {
		return "(" + condition(r, depth-1) + pick(r, " && ", " || ") + condition(r, depth-1) + ")"
	}
	key := func() string { return pick(r, `"ENG"`, `"HR"`, `"LEGAL"`) }
	return pick(r,
		"resource.space_key == "+key(),
		"resource.space_key != "+key(),
		"resource.space_key in ["+key()+", "+key()+"]",
		"change.target_space_key == "+key(),
		fmt.Sprintf("change.body_bytes > %d", r.IntN(4)),
		fmt.Sprintf("change.removed_ratio >= 0.%d", r.IntN(4)),
		`"x" in resource.labels`,
		`resource.labels.exists(l, l == "y")`,
		`resource.title.startsWith("A")`,
		"!resource.known",
		"context.read_restricted",
		`identity.kind == "service"`,
		fmt.Sprintf("100 / change.body_bytes > %d", r.IntN(40)), // not exact
	)
}

func random(r *rand.Rand) draft {
	level := func() string {
		return fmt.Sprintf("{level: %s, allow_delete: %t, require_approval: %t}", pick(r, "read_only", "read_write", "read_write"), r.IntN(2) == 0, r.IntN(4) == 0)
	}
	d := draft{levels: map[string]string{"pages": level(), "attachments": level()}, body: r.IntN(4)}
	for range r.IntN(4) {
		d.rules = append(d.rules, randomRule(r))
	}
	return d
}

func randomRule(r *rand.Rand) draftRule {
	return draftRule{condition(r, 2), pick(r, "deny", "require_approval"), pick(r, "update", "create, update", "update, delete", "create")}
}

// mutate changes one thing.
func mutate(r *rand.Rand, d draft) draft {
	out := draft{levels: map[string]string{"pages": d.levels["pages"], "attachments": d.levels["attachments"]}, body: d.body, rules: append([]draftRule(nil), d.rules...)}
	if len(out.rules) == 0 || r.IntN(5) == 0 {
		switch r.IntN(3) {
		case 0:
			out.levels[pick(r, "pages", "attachments")] = random(r).levels["pages"]
		case 1:
			out.body = r.IntN(4)
		default:
			out.rules = append(out.rules, randomRule(r))
		}
		return out
	}
	i := r.IntN(len(out.rules))
	switch r.IntN(6) {
	case 0:
		out.rules = append(out.rules[:i], out.rules[i+1:]...)
	case 1:
		out.rules[i].effect = pick(r, "deny", "require_approval")
	case 2:
		out.rules[i].actions = randomRule(r).actions
	case 3:
		change := pick(r, [2]string{`"HR"`, `"LEGAL"`}, [2]string{`"LEGAL"`, `"ENG"`}, [2]string{" && ", " || "}, [2]string{" > ", " >= "})
		out.rules[i].when = strings.Replace(out.rules[i].when, change[0], change[1], 1)
	case 4:
		out.rules[i].when = "!(" + out.rules[i].when + ")"
	default:
		out.rules[i].when = condition(r, 1)
	}
	return out
}

// call is drawn without any knowledge of the rules: the oracle of the test.
func call(r *rand.Rand) policy.Request {
	q := policy.Request{
		Tool: "confluence_x", Group: pick(r, policy.Pages, policy.Attachments), Action: pick(r, policy.Read, policy.Create, policy.Update, policy.Delete),
		Caller: identity.Caller{Kind: pick(r, identity.User, identity.Service), AccountID: "u"},
		Change: policy.Change{
			BodyBytes: int64(r.IntN(6)), RemovedRatio: float64(r.IntN(11)) / 20, TargetSpaceKey: pick(r, "", "ENG", "HR", "LEGAL", "OPS"),
		},
		Context: policy.Context{ReadRestricted: r.IntN(2) == 0},
	}
	if r.IntN(5) > 0 {
		q.Resource = policy.Resource{
			Known: true, SpaceKey: pick(r, "", "ENG", "HR", "LEGAL", "OPS"), Title: pick(r, "", "A", "About", "B"),
			Labels: pick(r, nil, []string{"x"}, []string{"y"}, []string{"x", "y"}, []string{"z"}),
		}
	}
	return q
}

// mutants loads pairs of profiles that differ in one thing.
func mutants(t *testing.T, r *rand.Rand, pairs int) *policy.Set {
	t.Helper()
	files := fstest.MapFS{}
	for i := range pairs {
		one := random(r)
		for side, d := range map[string]draft{"before": one, "after": mutate(r, one)} {
			name := fmt.Sprintf("%s-%d", side, i)
			files[name+".yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(d.text(), "name: team", "name: "+name, 1))}
		}
	}
	set, err := policy.Load(files)
	require.NoError(t, err)
	return set
}

func TestMutatedPairsMissNoWidening(t *testing.T) {
	const calls = 500
	r := rand.New(rand.NewPCG(7, 7))
	started := time.Now()
	set := mutants(t, r, pairs)
	var exact, wider, found, missed int
	for pair := range pairs {
		before, _ := set.Profile(fmt.Sprintf("before-%d", pair))
		after, _ := set.Profile(fmt.Sprintf("after-%d", pair))
		result := compare.Profiles(before, after, compare.Config{Samples: 300, MaxPoints: 6_000, Seed: uint64(pair)})
		if result.Exact {
			exact++
		}
		if result.Wider() {
			wider++
		}
		if result.Widened.Example != nil {
			found++
		}
		for range calls {
			q := call(r)
			if was, is := before.Decide(q), after.Decide(q); is.Effect > was.Effect && result.Exact && !result.Wider() {
				missed++
				t.Errorf("pair %d missed: %+v", pair, q)
				break
			}
		}
	}
	t.Logf("%d pairs, %d exact, %d wider, %d with an example, %d missed, %v", pairs, exact, wider, found, missed, time.Since(started))
	assert.Zero(t, missed)
	assert.Greater(t, exact, pairs/2)
	assert.Greater(t, wider, pairs/10)
}

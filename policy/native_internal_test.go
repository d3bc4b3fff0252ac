package policy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/identity"
	"confluence-mcp/policy/rule"
)

// quickly are conditions that are evaluated without CEL; the first three are
// E1, E2 and E3 of the measurements before the project.
var quickly = []string{
	`request.tool == "confluence_update_page" && resource.space_key in ["HR", "LEGAL"]`,
	`request.action == "update" && resource.labels.exists(l, l.startsWith("legal-")) && "admins" in identity.groups`,
	`change.body_bytes > 500000 || (now - resource.updated_at > duration("720h") && resource.ancestor_ids.exists(a, a == "99") && resource.title.matches("^Archive") && now.getDayOfWeek() == 0)`,
	`true`, `!request.live`, `request.live == resource.restricted`, `resource.known != resource.restricted`, `request.live ? resource.restricted : context.read_external`,
	`resource.labels.all(l, l.startsWith("a"))`, `change.macros_added.all(l, l.contains("a"))`, `!resource.labels.exists(now, now == "b")`,
	`size(resource.title) > 3`, `resource.title.size() <= size(change.title)`, `resource.labels.size() == 2`, `"HR" == resource.space_key`, `resource.space_key != "HR"`,
	`resource.title < change.title`, `resource.title >= "B"`, `resource.title.endsWith("é")`, `resource.title.contains(resource.space_key)`,
	`resource.version >= 3`, `-1 < resource.version`, `resource.attachment_bytes == change.body_bytes`, `change.removed_bytes <= change.added_bytes`,
	`change.removed_ratio > 0.5`, `change.removed_ratio == 1.0`, `now > timestamp("2026-03-01T00:00:00Z")`, `resource.updated_at == now`, `resource.updated_at <= now`, `resource.updated_at != now`,
	`now - resource.updated_at >= resource.updated_at - now`, `now.getHours() < 9`, `now.getMonth() == 2`, `now.getDate() == 4`, `now.getDayOfMonth() == 3`, `now.getFullYear() > 2025`, `now.getMinutes() == 30`,
	`identity.id == "bot" || identity.kind == "user"`, `identity.account_id == "" && identity.email.endsWith("@acme.test")`, `request.group == "pages" && request.transport == "http"`,
	`site.id == "1" || site.kind == "dc"`, `resource.type == "page" && resource.id == "7" && resource.status == "current"`, `resource.space_type == "global"`, `resource.author_id in identity.groups`,
	`change.target_space_key in ["LEGAL"] || change.target_parent_id == "7"`, `change.media_type.startsWith("image/")`, `change.macros_added.exists(m, m in ["html", "script"])`, `change.external_hosts_added.exists(h, !h.endsWith(".acme.test"))`,
	`context.read_restricted && !context.read_external`, `resource.title in []`,
}

// slowly are conditions CEL has to evaluate.
var slowly = []string{
	`resource.labels.exists_one(l, l == "a")`, `change.macros_added.map(l, l + "x").size() == 2`, `resource.labels[0] == "a"`, `identity.attributes["team"] == "x"`,
	`resource.version / resource.version == 1`, `resource.title.lowerAscii() == "archive"`, `resource.version + 1 == 4`, `sets.contains(resource.labels, ["a"])`, `["a"] == resource.labels`,
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func words(r *rand.Rand, most int) []string {
	out := make([]string, r.IntN(most+1))
	for i := range out {
		out[i] = pick(r, "a", "b", "ab", "legal-x", "99", "admins", "html", "evil.test", "x.acme.test", "", "u-ann")
	}
	return out
}

func anyRequest(r *rand.Rand) Request {
	title := func() string { return pick(r, "", "Archive 7", "B", "aé", "HR rules", "a\xff", "zzz") }
	when := func() time.Time {
		return pick(r, time.Time{}, time.Date(2026, 3, 1, 8, 30, 0, 0, time.UTC), time.Date(2026, 3, 4, 8, 30, 0, 1, time.UTC), time.Date(2025, 1, 1, 0, 0, 0, 0, time.FixedZone("x", 3600)), time.Unix(0, 0), time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	size := func() int64 { return pick(r, int64(0), 1, 3, 500_000, 500_001, math.MaxInt64, -1) }
	yes := func() bool { return r.IntN(2) == 0 }
	return Request{
		Tool: pick(r, "confluence_update_page", "confluence_move_page"), Group: Pages, Action: pick(r, Update, Create), Live: yes(), Now: when(),
		Caller:   identity.Caller{Agent: pick(r, "bot", "local"), Kind: pick(r, identity.User, identity.Service), AccountID: pick(r, "", "u-ann"), Email: pick(r, "", "ann@acme.test"), Groups: words(r, 3), Transport: pick(r, "http", "stdio"), Attributes: map[string]string{"team": pick(r, "x", "y")}},
		Site:     Site{pick(r, "1", "2"), pick(r, "cloud", "dc")},
		Resource: Resource{Known: r.IntN(5) > 0, Type: pick(r, "page", "blogpost"), ID: pick(r, "7", "8"), SpaceKey: pick(r, "HR", "ENG"), SpaceType: pick(r, "global", ""), Status: pick(r, "current", "draft"), Title: title(), AuthorID: pick(r, "u-ann", ""), Labels: words(r, pick(r, 3, 3, 300)), AncestorIDs: words(r, 4), Version: int(pick(r, 0, 3, 4)), AttachmentBytes: size(), UpdatedAt: when(), Restricted: yes(), Opaque: pick(r, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, []string{"resource.title"}, Resource{}.Only("type", "id", "space_key").Opaque)},
		Change:   Change{TargetSpaceKey: pick(r, "LEGAL", "HR"), TargetParentID: pick(r, "7", ""), Title: title(), MediaType: pick(r, "image/png", ""), BodyBytes: size(), AddedBytes: size(), RemovedBytes: size(), RemovedRatio: pick(r, 0, 0.5, 0.51, 1, math.NaN()), MacrosAdded: words(r, 2), ExternalHostsAdded: words(r, 2)},
		Context:  Context{ReadRestricted: yes(), ReadExternal: yes()},
	}
}

// TestQuickAnswersAsCELDoes compares what closures say with what CEL says, on
// requests that hit every branch: where closures answer at all they agree, and
// the decision is the one CEL alone would make. It looks inside, because
// outside the two cannot be told apart, which is the point.
func TestQuickAnswersAsCELDoes(t *testing.T) {
	const each = 1500
	r := rand.New(rand.NewPCG(4, 7))
	answered, asked := 0, 0
	for _, when := range append(append([]string{}, quickly...), slowly...) {
		text := fmt.Sprintf("version: 1\nname: pp\ngroups:\n  pages: {level: read_write}\nrules:\n  - {id: r1, when: %q, effect: deny}\n", when)
		p, err := Parse("p.yaml", []byte(text))
		require.NoError(t, err, when)
		c := &p.rules[0]
		known := 0
		for range each {
			q := anyRequest(r)
			vars := p.memory.variables(&q)
			holds, ok := c.program.Quick(&vars.run)
			if ok && q.Resource.whole() {
				known++
				byCEL, err := c.program.Eval(t.Context(), vars, vars.longest <= rule.LongText)
				require.NoError(t, err, "%s %+v", when, q)
				require.Equal(t, byCEL, holds, "%s %+v", when, q)
			}
			p.memory.forget(vars)
			if asked++; ok {
				live := p.Decide(q)
				explained, _ := p.Explain(q)
				require.Equal(t, explained.Effect, live.Effect, "%s %+v", when, q)
			}
		}
		answered += known
	}
	t.Logf("%d conditions, %d requests: %d answered without CEL, 0 differences", len(quickly)+len(slowly), asked, answered)
	assert.Greater(t, answered, asked/2)
}

// The conditions of everyday rules need no CEL.
func TestEverydayRulesAreQuick(t *testing.T) {
	c, err := rule.NewCompiler()
	require.NoError(t, err)
	c.Bind(readerOf)
	for want, list := range map[bool][]string{true: quickly, false: slowly} {
		for _, when := range list {
			p, err := c.Compile(when)
			require.NoError(t, err, when)
			v := &variables{request: Request{Now: time.Unix(1e9, 0), Resource: Resource{Known: true, UpdatedAt: time.Unix(1e8, 0)}}}
			v.run.In = v
			_, known := p.Quick(&v.run)
			assert.Equal(t, want, known, when)
		}
	}
	for _, v := range rule.Variables() {
		n := readerOf(v.Name)
		assert.Equal(t, v.Type != "map", n.Text != nil || n.Bool != nil || n.Int != nil || n.Double != nil || n.Time != nil || n.List != nil, v.Name)
	}
}

package compare

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"confluence-mcp/policy"
	"confluence-mcp/policy/profile"
)

// Config bounds the work. The zero value is the default.
type Config struct {
	MaxPoints int    // combinations of one cell that are still enumerated; 1,000,000
	Samples   int    // combinations judged otherwise; 200,000 a cell
	Seed      uint64 // of the samples
}

// Result is what a change means. Exact says that every way the rules can tell
// calls apart was judged; a result that is not exact may have missed some.
// Counts are of judged combinations.
type Result struct {
	Exact    bool     `json:"exact"`
	Points   int      `json:"points"`
	Widened  Side     `json:"widened"`
	Narrowed Side     `json:"narrowed"`
	Approval Side     `json:"newly_needs_approval"` // part of Narrowed
	Cells    []Cell   `json:"cells"`                // of the core table that changed
	Limits   []Change `json:"limits"`
	Sampled  []string `json:"sampled"` // cells that were not judged completely, with the reason
}

// Wider reports whether anything is allowed that was not.
func (r Result) Wider() bool {
	for _, l := range r.Limits {
		if l.Widens {
			return true
		}
	}
	return r.Widened.Count > 0
}

// Side is one direction of change with its smallest example.
type Side struct {
	Count   int      `json:"count"`
	Example *Example `json:"example,omitempty"`
}

// Example is a call the two profiles judge differently. Given holds the
// variables that matter.
type Example struct {
	Group  policy.Group   `json:"group"`
	Action policy.Action  `json:"action"`
	Given  map[string]any `json:"given"`
	Before string         `json:"before"`
	After  string         `json:"after"`
}

// Cell is a cell of the core table, before any rule.
type Cell struct {
	Group  policy.Group  `json:"group"`
	Action policy.Action `json:"action"`
	Before string        `json:"before"`
	After  string        `json:"after"`
}

// Change is a limit that changed, with its default where a profile gives none.
// An empty text is no limit.
type Change struct {
	Limit  string `json:"limit"`
	Before string `json:"before"`
	After  string `json:"after"`
	Widens bool   `json:"widens"`
}

// Profiles compares two profiles: what the change from before to after means.
func Profiles(before, after *policy.Profile, cfg Config) Result {
	if cfg.MaxPoints == 0 {
		cfg.MaxPoints = 1_000_000
	}
	if cfg.Samples == 0 {
		cfg.Samples = 200_000
	}
	c := comparison{
		before: before, after: after, cfg: cfg,
		random: rand.New(rand.NewPCG(cfg.Seed, 1)),
		result: Result{Exact: true, Cells: []Cell{}, Sampled: []string{}},
	}
	for _, g := range []policy.Group{policy.Pages, policy.Spaces, policy.Search, policy.Attachments, policy.Users} {
		for _, a := range []policy.Action{policy.Read, policy.Create, policy.Update, policy.Delete} {
			c.cell(g, a)
		}
	}
	c.result.Limits = limits(before, after)
	return c.result
}

// comparison is one run.
type comparison struct {
	before, after *policy.Profile
	cfg           Config
	random        *rand.Rand
	result        Result
}

func (c *comparison) cell(g policy.Group, a policy.Action) {
	was, _ := c.before.Core(g, a)
	is, _ := c.after.Core(g, a)
	if was != is {
		c.result.Cells = append(c.result.Cells, Cell{g, a, was.String(), is.String()})
	}
	if a != policy.Read && (g == policy.Search || g == policy.Users) {
		return // there is nothing to write
	}
	if was == is && c.sameRules(g, a) {
		return
	}
	s := c.space(g, a)
	if s.inexact != "" {
		c.notExact(g, a, s.inexact)
	}
	if n := s.points(c.cfg.MaxPoints); n <= c.cfg.MaxPoints {
		s.each(func(p point) { c.judge(s, p) })
		return
	}
	c.notExact(g, a, fmt.Sprintf("more than %d combinations", c.cfg.MaxPoints))
	s.pairs(c.random, func(p point) { c.judge(s, p) })
	for range c.cfg.Samples {
		c.judge(s, s.any(c.random))
	}
}

func (c *comparison) notExact(g policy.Group, a policy.Action, why string) {
	c.result.Exact = false
	c.result.Sampled = append(c.result.Sampled, fmt.Sprintf("%s %s: %s", g, a, why))
}

// sameRules reports whether the rules and limits that bear on a cell are the
// same text in the same order.
func (c *comparison) sameRules(g policy.Group, a policy.Action) bool {
	one, errOne := json.Marshal(bearing(c.before, g, a))
	two, errTwo := json.Marshal(bearing(c.after, g, a))
	return errOne == nil && errTwo == nil && string(one) == string(two)
}

// bearing is what decides in a cell besides the core table.
func bearing(p *policy.Profile, g policy.Group, a policy.Action) any {
	file := p.File()
	var out struct {
		Most  *int64
		Rules []profile.Rule
	}
	if a != policy.Read {
		out.Most = file.Limits.MaxBodyBytes
	}
	for _, r := range rulesOf(p, g, a) {
		r.Message = ""
		out.Rules = append(out.Rules, r)
	}
	return out
}

func rulesOf(p *policy.Profile, g policy.Group, a policy.Action) []profile.Rule {
	asked := map[string]bool{}
	for _, id := range p.RulesFor(g, a) {
		asked[id] = true
	}
	var out []profile.Rule
	for _, r := range p.File().Rules {
		if asked[r.ID] {
			out = append(out, r)
		}
	}
	return out
}

// judge asks both profiles about one point and counts what came out.
func (c *comparison) judge(s *space, p point) {
	request := s.request(p)
	was, is := c.before.Decide(request), c.after.Decide(request)
	c.result.Points++
	switch {
	case is.Effect > was.Effect:
		c.count(&c.result.Widened, s, p, was, is)
	case is.Effect < was.Effect:
		c.count(&c.result.Narrowed, s, p, was, is)
		if is.Effect == policy.RequireApproval {
			c.count(&c.result.Approval, s, p, was, is)
		}
	}
}

func (c *comparison) count(side *Side, s *space, p point, was, is policy.Decision) {
	side.Count++
	given := s.given(p)
	if side.Example != nil && len(side.Example.Given) <= len(given) {
		return
	}
	side.Example = &Example{Group: s.group, Action: s.action, Given: given, Before: text(was), After: text(is)}
}

func text(d policy.Decision) string {
	if d.RuleID != "" {
		return fmt.Sprintf("%s (%s, rule %s)", d.Effect, d.Reason, d.RuleID)
	}
	return fmt.Sprintf("%s (%s)", d.Effect, d.Reason)
}

// limits compares the counted limits. A larger one lets more through where
// there is anything it limits.
func limits(before, after *policy.Profile) []Change {
	out := []Change{}
	add := func(name string, was, is *int64, matters bool) {
		if number(was) == number(is) {
			return
		}
		larger := was != nil && (is == nil || *is > *was)
		out = append(out, Change{Limit: name, Before: number(was), After: number(is), Widens: larger && matters})
	}
	was, is := before.File().Limits.Effective(), after.File().Limits.Effective()
	deletes := writes(after, policy.Delete)
	edits := writes(after, policy.Create) || writes(after, policy.Update)
	add("writes_per_minute", wide(was.WritesPerMinute), wide(is.WritesPerMinute), deletes || edits)
	add("deletes_per_day", wide(was.DeletesPerDay), wide(is.DeletesPerDay), deletes)
	add("max_body_bytes", was.MaxBodyBytes, is.MaxBodyBytes, edits)
	return out
}

func writes(p *policy.Profile, a policy.Action) bool {
	return p.Visible(policy.Pages, a) || p.Visible(policy.Spaces, a) || p.Visible(policy.Attachments, a)
}

func wide(n *int) *int64 {
	if n == nil {
		return nil
	}
	v := int64(*n)
	return &v
}

func number(n *int64) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

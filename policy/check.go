package policy

import (
	"fmt"
	"slices"
	"time"

	"confluence-mcp/internal/identity"
	"confluence-mcp/policy/profile"
)

// Check runs the tests the profile carries. The error is a [profile.Problems]
// that names each failed test with what was wanted and what came out.
func (p *Profile) Check(file string) error {
	var problems profile.Problems
	for _, t := range p.file.Tests {
		d := p.Decide(newRequest(t.Given, p.file.Name))
		if text := differs(t.Expect, d); text != "" {
			problems = append(problems, profile.Problem{File: file, Position: t.At, Text: fmt.Sprintf("test %q: %s", t.Name, text)})
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// CheckTools refuses rules that name a tool that does not exist: such a rule
// would never be asked, whatever its author meant. The error is a
// [profile.Problems].
func (p *Profile) CheckTools(file string, known []string) error {
	var problems profile.Problems
	for _, r := range p.file.Rules {
		for i, tool := range r.Match.Tools {
			if !slices.Contains(known, tool) {
				problems = append(problems, profile.Problem{
					File: file, Position: r.Match.ToolsAt[i], Rule: r.ID, Text: fmt.Sprintf("there is no tool %q", tool),
				})
			}
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// Warnings names what in the rules can fail at run time without a guard.
func (p *Profile) Warnings(file string) []profile.Problem {
	out := []profile.Problem{}
	if !p.ready() {
		return out
	}
	for _, c := range p.rules {
		if c.program == nil {
			continue
		}
		for _, w := range c.program.Warnings() {
			out = append(out, profile.Problem{
				File: file, Position: c.rule.WhenAt.Within(w.Line, w.Column), Rule: c.rule.ID, Text: w.Text,
			})
		}
	}
	return out
}

// Request builds the call a test, or a person who asks, describes.
func (p *Profile) Request(g profile.Given) Request { return newRequest(g, p.file.Name) }

// Uncovered lists what the profile's tests never reach: cells as "group
// action", and ids of rules that never matched. Cells in which nothing can be
// written are left out.
func (p *Profile) Uncovered() (cells, rules []string) {
	reached, matched := map[string]bool{}, map[string]bool{}
	for _, t := range p.file.Tests {
		r := p.Request(t.Given)
		reached[string(r.Group)+" "+string(r.Action)] = true
		_, traces := p.Explain(r)
		for _, trace := range traces {
			if trace.Verdict == reasonRuleDenied || trace.Verdict == reasonApproval {
				matched[trace.Rule] = true
			}
		}
	}
	cells, rules = []string{}, []string{}
	for _, g := range []Group{Pages, Spaces, Search, Attachments, Users} {
		for _, a := range []Action{Read, Create, Update, Delete} {
			if name := string(g) + " " + string(a); !reached[name] && (a == Read || writable(g)) {
				cells = append(cells, name)
			}
		}
	}
	for i := range p.rules {
		if id := p.rules[i].rule.ID; !matched[id] {
			rules = append(rules, id)
		}
	}
	return cells, rules
}

func differs(want profile.Expect, d Decision) string {
	switch {
	case want.Effect != d.Effect.String():
		return fmt.Sprintf("want %s, got %s (%s)", want.Effect, d.Effect, because(d))
	case want.Rule != "" && want.Rule != d.RuleID:
		return fmt.Sprintf("want rule %s to decide, got %s", want.Rule, because(d))
	case want.Reason != "" && want.Reason != d.Reason:
		return fmt.Sprintf("want reason %s, got %s", want.Reason, because(d))
	default:
		return ""
	}
}

func because(d Decision) string {
	if d.RuleID != "" {
		return d.Reason + " by rule " + d.RuleID
	}
	return d.Reason
}

// newRequest builds the call a test describes.
func newRequest(g profile.Given, profileName string) Request {
	group, action, _ := profile.Cell(g.Tool)
	if g.Group != "" {
		group = g.Group
	}
	if g.Action != "" {
		action = g.Action
	}
	return Request{
		Tool: g.Tool, Group: Group(group), Action: Action(action),
		Live:     g.Live == nil || *g.Live,
		Caller:   testCaller(g.Identity, profileName),
		Site:     Site{ID: g.Site.ID, Kind: g.Site.Kind},
		Resource: testResource(g.Resource),
		Change:   Change(g.Change),
		Context:  Context(g.Context),
		Now:      instant(g.Now),
	}
}

func testCaller(i profile.Identity, profileName string) identity.Caller {
	c := identity.Caller{
		Agent: i.ID, Kind: identity.Kind(i.Kind), AccountID: i.AccountID, Email: i.Email,
		Groups: i.Groups, Attributes: i.Attributes, Transport: i.Transport, Profile: profileName,
	}
	if c.Kind == "" {
		c.Kind = identity.User
	}
	if c.Kind == identity.User && c.AccountID == "" {
		c.AccountID = "test-user"
	}
	if c.Transport == "" {
		c.Transport = identity.Stdio
	}
	return c
}

func testResource(r *profile.Resource) Resource {
	if r == nil {
		return Resource{}
	}
	return Resource{
		Known: r.Known == nil || *r.Known,
		Type:  r.Type, ID: r.ID, SpaceKey: r.SpaceKey, SpaceType: r.SpaceType, Status: r.Status,
		Title: r.Title, AuthorID: r.AuthorID, Labels: r.Labels, AncestorIDs: r.AncestorIDs,
		Version: r.Version, AttachmentBytes: r.AttachmentBytes,
		UpdatedAt: instant(r.UpdatedAt), Restricted: r.Restricted,
	}
}

// instant reads a time the schema has checked the shape of; one that does not
// exist is the zero time.
func instant(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

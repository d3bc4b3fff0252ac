package policy

import (
	"slices"
	"strings"

	"confluence-mcp/policy/profile"
	"confluence-mcp/policy/rule"
)

// Profile is one checked and compiled profile file. It does not change and may
// be used by many goroutines.
type Profile struct {
	file     profile.File
	revision string
	grants   [groupCount]grant
	rules    []condition                           // as in the file
	cells    [groupCount][actionCount][]*condition // the rules asked about a cell
	memory   *memory
	late     func() bool // compiles the rules when first called; nil: they are. False: they can't be
}

// ready reports whether the rules' programs are there to be asked, and sees to
// it the first time.
func (p *Profile) ready() bool { return p.late == nil || p.late() }

// condition is a rule; its program is there once the profile is ready. A nil
// program is always true.
type condition struct {
	rule    profile.Rule
	effect  Effect
	program *rule.Program
}

// Name is what callers' configuration calls the profile.
func (p *Profile) Name() string { return p.file.Name }

// Revision is the first 12 hex digits of the profile's digest.
func (p *Profile) Revision() string { return p.revision }

// File is the profile as it was written; it is not to be changed.
func (p *Profile) File() profile.File { return p.file }

// Visible reports whether any call of a cell could be allowed, if only after
// approval. Writes of groups that have none are not visible, and a cell whose
// rules deny unconditionally is not either.
func (p *Profile) Visible(g Group, a Action) bool {
	gi, ai := groupIndex(g), actionIndex(a)
	if gi < 0 || ai < 0 || a != Read && !writable(g) {
		return false
	}
	if effect, _ := p.grants[gi].decide(a); effect == Deny {
		return false
	}
	for _, c := range p.cells[gi][ai] {
		if c.effect == Deny && c.rule.When == "" && len(c.rule.Match.Tools) == 0 {
			return false
		}
	}
	return true
}

// NeedsResource reports whether a rule that is asked about the call reads the
// resource, or a rule of any call asks what was read before: reading or finding content
// then needs to know whether it is restricted, and who wrote it.
func (p *Profile) NeedsResource(tool string, g Group, a Action) bool {
	gi, ai := groupIndex(g), actionIndex(a)
	if gi < 0 || ai < 0 {
		return false
	}
	if !p.ready() {
		return true
	}
	for _, c := range p.cells[gi][ai] {
		if c.program != nil && c.program.ReadsResource() && c.concerns(tool) {
			return true
		}
	}
	return a == Read && (g == Pages || g == Attachments || g == Search) && p.remembersReading()
}

func (p *Profile) remembersReading() bool {
	return slices.ContainsFunc(p.rules, func(c condition) bool {
		return c.program != nil && slices.ContainsFunc(c.program.Reads(), func(name string) bool { return strings.HasPrefix(name, "context.") })
	})
}

// Core gives one cell as the levels and switches leave it, before any rule:
// the effect and its reason.
func (p *Profile) Core(g Group, a Action) (Effect, string) {
	gi := groupIndex(g)
	if gi < 0 {
		return Deny, reasonBlocked
	}
	return p.grants[gi].decide(a)
}

// RulesFor lists the ids of the rules that are asked about a cell, in order.
func (p *Profile) RulesFor(g Group, a Action) []string {
	out := []string{}
	gi, ai := groupIndex(g), actionIndex(a)
	if gi < 0 || ai < 0 {
		return out
	}
	for _, c := range p.cells[gi][ai] {
		out = append(out, c.rule.ID)
	}
	return out
}

// Atoms takes the conditions of one rule apart; a rule without any has none.
func (p *Profile) Atoms(id string) []rule.Atom {
	for i := range p.rules {
		if p.rules[i].rule.ID == id && p.ready() && p.rules[i].program != nil {
			return p.rules[i].program.Atoms()
		}
	}
	return nil
}

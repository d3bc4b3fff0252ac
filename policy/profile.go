package policy

import (
	"context"
	"slices"
	"time"

	"confluence-mcp/policy/profile"
	"confluence-mcp/policy/rule"
)

// wallLimit bounds the loops of one decision; reaching it denies.
const wallLimit = 5 * time.Millisecond

// Profile is one checked and compiled profile file. It does not change and may
// be used by many goroutines.
type Profile struct {
	file     profile.File
	revision string
	grants   [groupCount]grant
	rules    []condition                           // as in the file
	cells    [groupCount][actionCount][]*condition // the rules asked about a cell
}

// condition is a rule ready to be evaluated. A nil program is always true.
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

// Decide judges one call. It never fails: what cannot be judged is denied.
func (p *Profile) Decide(r Request) (d Decision) {
	defer func() {
		if recover() != nil {
			d = Decision{Reason: reasonInternal}
		}
		d.Profile, d.Revision = p.file.Name, p.revision
	}()
	return p.judge(&r)
}

// judge goes by the steps of every decision: invariants, levels, limits of one
// call, rules. The result is the strictest of them.
func (p *Profile) judge(r *Request) Decision {
	if reason, ok := blocked(r); ok {
		return Decision{Reason: reason}
	}
	if !r.Caller.Known() {
		return Decision{Reason: reasonUnknownCaller}
	}
	g, a := groupIndex(r.Group), actionIndex(r.Action)
	if g < 0 || a < 0 {
		return Decision{Reason: reasonBlocked}
	}
	effect, reason := p.grants[g].decide(r.Action)
	if effect == Deny {
		return Decision{Reason: reason}
	}
	if most := p.file.Limits.MaxBodyBytes; most != nil && a > 0 && r.Change.BodyBytes > *most {
		return Decision{Reason: reasonLimit}
	}
	if len(p.cells[g][a]) == 0 {
		return Decision{Effect: effect, Reason: reason}
	}
	return p.narrow(r, p.cells[g][a], Decision{Effect: effect, Reason: reason})
}

// narrow asks the rules in order, stops at the first that denies, and can only
// make d stricter.
func (p *Profile) narrow(r *Request, rules []*condition, d Decision) Decision {
	var vars *variables // made for the first rule, so that no rule costs nothing
	var ctx context.Context
	for _, c := range rules {
		if !c.concerns(r.Tool) {
			continue
		}
		if vars == nil {
			vars = newVariables(*r)
		}
		if ctx == nil && c.program != nil && c.program.Loops() {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(context.Background(), wallLimit)
			defer cancel()
		}
		d = d.with(c, c.ask(ctx, vars))
		if d.Effect == Deny {
			return d
		}
	}
	return d
}

// concerns reports whether the rule is asked about a tool of its cell.
func (c *condition) concerns(tool string) bool {
	return len(c.rule.Match.Tools) == 0 || slices.Contains(c.rule.Match.Tools, tool)
}

// ask evaluates one rule: the reason of its verdict, or nothing when the rule
// does not match.
func (c *condition) ask(ctx context.Context, vars *variables) string {
	if c.program == nil {
		return c.reason()
	}
	vars.unknown, vars.tooLong = false, false
	holds, err := c.program.Eval(ctx, vars)
	switch {
	case err == rule.ErrCost, err != nil && vars.tooLong:
		return reasonRuleCost
	case err != nil && vars.unknown:
		return reasonResourceUnknown
	case err != nil:
		return reasonRuleError
	case !holds:
		return ""
	default:
		return c.reason()
	}
}

func (c *condition) reason() string {
	if c.effect == Deny {
		return reasonRuleDenied
	}
	return reasonApproval
}

// with adds a rule's verdict to a decision that is not yet a denial.
func (d Decision) with(c *condition, reason string) Decision {
	switch reason {
	case "":
		return d
	case reasonRuleDenied:
		d.Matched = append(d.Matched, c.rule.ID)
		d.Effect, d.Reason, d.RuleID, d.Message = Deny, reason, c.rule.ID, c.rule.Message
	case reasonApproval:
		d.Matched = append(d.Matched, c.rule.ID)
		if d.RuleID == "" {
			d.RuleID, d.Message = c.rule.ID, c.rule.Message
		}
		d.Effect, d.Reason = RequireApproval, reason
	default:
		d.Errored = append(d.Errored, c.rule.ID)
		d.Effect, d.Reason, d.RuleID, d.Message = Deny, reason, c.rule.ID, ""
	}
	return d
}

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
		if c.effect == Deny && c.program == nil && len(c.rule.Match.Tools) == 0 {
			return false
		}
	}
	return true
}

// NeedsResource reports whether a rule that is asked about the call reads the
// resource.
func (p *Profile) NeedsResource(tool string, g Group, a Action) bool {
	gi, ai := groupIndex(g), actionIndex(a)
	if gi < 0 || ai < 0 {
		return false
	}
	for _, c := range p.cells[gi][ai] {
		if c.program != nil && c.program.ReadsResource() && c.concerns(tool) {
			return true
		}
	}
	return false
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

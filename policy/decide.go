package policy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"confluence-mcp/policy/rule"
)

// wallLimit bounds the loops of one decision; reaching it denies.
const wallLimit = 5 * time.Millisecond

// Decide judges one call. It never fails: what cannot be judged is denied.
func (p *Profile) Decide(r Request) (d Decision) {
	defer func() {
		if recover() != nil {
			d = Decision{Reason: reasonInternal}
		}
		d.Profile, d.Revision = p.file.Name, p.revision
	}()
	return p.judge(&r, nil)
}

// Explain judges like [Profile.Decide] and says how each rule of the cell was
// judged, those after the first denial included.
func (p *Profile) Explain(r Request) (d Decision, steps []rule.Trace) {
	steps = []rule.Trace{}
	defer func() {
		if recover() != nil {
			d = Decision{Reason: reasonInternal}
		}
		d.Profile, d.Revision = p.file.Name, p.revision
	}()
	d = p.judge(&r, &steps)
	return d, steps
}

// judge goes by the steps of every decision: invariants, levels, limits of one
// call, rules. The result is the strictest of them. A watcher, if there is one,
// gets every rule's trace.
func (p *Profile) judge(r *Request, watch *[]rule.Trace) Decision {
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
	if !p.ready() {
		return Decision{Reason: reasonRuleError}
	}
	return p.narrow(r, p.cells[g][a], Decision{Effect: effect, Reason: reason}, watch)
}

// narrow asks the rules in order, stops at the first that denies unless
// someone watches, and can only make d stricter.
func (p *Profile) narrow(r *Request, rules []*condition, d Decision, watch *[]rule.Trace) Decision {
	var vars *variables // made for the first rule, so that no rule costs nothing
	for _, c := range rules {
		if !c.concerns(r.Tool) {
			c.skipped(watch)
			continue
		}
		if vars == nil {
			vars = p.memory.variables(r)
		}
		reason, known := c.quick(vars, watch)
		if !known {
			reason = c.ask(vars, watch)
		}
		d.add(c, reason)
		if d.Effect == Deny && watch == nil {
			break
		}
	}
	if vars != nil { // a panic just loses it
		p.memory.forget(vars)
	}
	return d
}

// concerns reports whether the rule is asked about a tool of its cell.
func (c *condition) concerns(tool string) bool {
	return len(c.rule.Match.Tools) == 0 || slices.Contains(c.rule.Match.Tools, tool)
}

// quick evaluates a rule that is made of comparisons only, of texts and lists
// that are no longer than its cost was judged with.
func (c *condition) quick(vars *variables, watch *[]rule.Trace) (reason string, known bool) {
	if watch != nil || c.program == nil || vars.longest > rule.LongText || c.program.ReadsResource() && !vars.request.Resource.whole() {
		return "", false
	}
	holds, known := c.program.Quick(&vars.run)
	if !holds {
		return "", known
	}
	return c.reason(), known
}

// ask evaluates one rule: the reason of its verdict, or nothing when the rule
// does not match.
func (c *condition) ask(vars *variables, watch *[]rule.Trace) string {
	ctx := vars.deadline(c)
	if watch != nil {
		return c.askTraced(ctx, vars, watch)
	}
	if c.program == nil {
		return c.reason()
	}
	if vars.longest > hugeText {
		return reasonRuleCost
	}
	vars.unknown, vars.tooLong = false, false
	holds, err := c.program.Eval(ctx, vars, vars.longest <= rule.LongText)
	return c.verdict(holds, err, vars)
}

func (c *condition) verdict(holds bool, err error, vars *variables) string {
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

func (c *condition) askTraced(ctx context.Context, vars *variables, watch *[]rule.Trace) string {
	var trace rule.Trace
	reason := c.reason()
	switch {
	case c.program == nil:
	case vars.longest > hugeText:
		reason, trace.Error = reasonRuleCost, fmt.Sprintf("a text of the call has %d bytes; more than %d are not judged", vars.longest, hugeText)
	default:
		var holds bool
		var err error
		vars.unknown, vars.tooLong = false, false
		holds, trace, err = c.program.Trace(ctx, vars)
		reason = c.verdict(holds, err, vars)
		trace.Reads = c.program.Values(vars)
		if reason == reasonResourceUnknown {
			trace.Residual = c.program.Residual(vars)
		}
	}
	trace.Rule, trace.Effect, trace.Verdict = c.rule.ID, c.effect.String(), reason
	if reason == "" {
		trace.Verdict = "no_match"
	}
	*watch = append(*watch, trace)
	return reason
}

func (c *condition) skipped(watch *[]rule.Trace) {
	if watch != nil {
		*watch = append(*watch, rule.Trace{Rule: c.rule.ID, Effect: c.effect.String(), Verdict: "not_asked"})
	}
}

func (c *condition) reason() string {
	if c.effect == Deny {
		return reasonRuleDenied
	}
	return reasonApproval
}

// add takes a rule's verdict into a decision; a denial stays as it is.
func (d *Decision) add(c *condition, reason string) {
	if d.Effect == Deny {
		return
	}
	if c.program != nil {
		d.Cost += c.program.Cost()
	}
	switch reason {
	case "":
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
}

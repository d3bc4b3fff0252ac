package tools

import (
	"context"
	"encoding/json"
	"slices"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
)

// Admission is a read that is answered outside of this package, such as a
// question over REST, and that has passed the gate as a call of a tool. End it.
type Admission struct{ k *call }

// Admit passes a read through the gate as a call of the tool named, with its
// arguments: who may not use the tool is refused here, and the call stands in
// the record. How often somebody may ask is whoever's who took the request.
//
// Kind Denied when the caller may not know of the tool; else what the gate
// refuses with, which is recorded already.
func (c *Catalog) Admit(ctx context.Context, caller identity.Caller, name string, args json.RawMessage) (*Admission, error) {
	t := c.byName[name]
	if t == nil || !c.visible(caller, t) || t.Action != policy.Read {
		return nil, &confluence.Error{Kind: confluence.Denied, Code: "policy.denied", Op: "admit", Message: "The profile of this agent does not let it do that.", Next: "Ask an admin for another profile."}
	}
	k := &call{catalog: c, tool: t, caller: caller, raw: args, started: c.cfg.Now()}
	_, k.trail = confluence.Follow(ctx)
	for _, step := range []func(context.Context) error{k.decode, k.connect, k.describe, k.forbid, k.decide} {
		if err := step(ctx); err != nil {
			k.finish(ctx, answer{}, err)
			return nil, err
		}
	}
	return &Admission{k}, nil
}

// Hides reports whether rules or space limits may hide some of what the caller
// sees in Confluence: then a total would tell of it.
func (a *Admission) Hides() bool { return a.k.needsResource() || a.k.limited() }

// Keep leaves out what rules or space limits hide.
func (a *Admission) Keep(ctx context.Context, hits []confluence.Hit) ([]confluence.Hit, error) {
	within := slices.DeleteFunc(slices.Clone(hits), func(h confluence.Hit) bool { return !a.k.reaches(h.SpaceKey) })
	return judged(ctx, a.k, within, func(h confluence.Hit) (string, string) { return h.Type, h.ID })
}

// End completes the record; err is how the read ended.
func (a *Admission) End(ctx context.Context, err error) {
	a.k.ran = true
	a.k.finish(ctx, answer{}, err)
}

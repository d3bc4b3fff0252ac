package tools

import (
	"context"
	"encoding/json"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
)

// Admit passes a read that is answered outside of this package, such as a
// question over REST, through the gate as a call of the tool named, with its
// arguments: who may not use the tool is refused here, and the call stands in
// the record. How often somebody may ask is whoever's who took the request.
//
// keep leaves out of what was found what rules or space limits hide, and says
// whether they may hide anything: then a total would tell of it. end completes
// the record with how the read ended.
//
// Kind Denied when the caller may not know of the tool; else what the gate
// refuses with, which is recorded already.
func (c *Catalog) Admit(ctx context.Context, caller identity.Caller, name string, args json.RawMessage) (
	keep func(context.Context, []confluence.Hit) (kept []confluence.Hit, hides bool, err error), end func(context.Context, error), err error,
) {
	t := c.byName[name]
	if t == nil || !c.visible(caller, t) || t.Action != policy.Read {
		return nil, nil, &confluence.Error{Kind: confluence.Denied, Code: "policy.denied", Op: "admit", Message: "The profile of this agent does not let it do that.", Next: "Ask an admin for another profile."}
	}
	k := &call{catalog: c, tool: t, asked: t, caller: caller, raw: args, started: c.cfg.Now()}
	_, k.trail = confluence.Follow(ctx)
	for _, step := range []func(context.Context) error{k.decode, k.connect, k.describe, k.forbid, k.decide} {
		if err := step(ctx); err != nil {
			k.finish(ctx, answer{}, err)
			return nil, nil, err
		}
	}
	return k.keep, func(ctx context.Context, err error) {
		k.ran = true
		k.finish(ctx, answer{}, err)
	}, nil
}

func (k *call) keep(ctx context.Context, hits []confluence.Hit) (kept []confluence.Hit, hides bool, err error) {
	if !k.needsResource() && !k.limited() {
		return hits, false, nil
	}
	kept, err = k.visibleHits(ctx, hits)
	return kept, true, err
}

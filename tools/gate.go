package tools

import (
	"context"
	"encoding/json"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
)

// Call runs one tool for one caller. known is false for a tool that does not
// exist and for one the caller may not know of; the two are not told apart and
// the result is empty then. Everything else, refusals included, is a Result.
func (c *Catalog) Call(ctx context.Context, caller identity.Caller, name string, args json.RawMessage, progress Progress) (result Result, known bool) {
	t := c.byName[name]
	if t == nil || !c.visible(caller, t) {
		return Result{}, false
	}
	k := &call{catalog: c, tool: t, asked: t, caller: caller, raw: args, progress: progress, started: c.cfg.Now()}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Limits.Timeout)
	defer cancel()
	ctx, k.trail = confluence.Follow(ctx)
	defer func() {
		if cause := recover(); cause != nil {
			result, known = k.finish(ctx, answer{}, k.panicked(cause)), true
		}
	}()
	for _, step := range []func(context.Context) error{
		k.decode,   // strictly, or the error says which argument and why
		k.limit,    // rate and budget of the principal
		k.connect,  // Confluence, as this caller
		k.repeat,   // writes: a change that was asked for before
		k.become,   // an undo: the write that puts back
		k.describe, // what it acts on, loaded live when that matters
		k.forbid,   // hard blocks, before any rule
		k.decide,   // policy on what it acts on
		k.prepare,  // writes: what would change, and policy on that
		k.rehearse, // writes in somebody's stead: whether he may
		k.approve,  // writes that need a person
		k.record,   // no record, no write
	} {
		if err := step(ctx); err != nil {
			return k.finish(ctx, answer{}, err), true
		}
		if k.answered != nil {
			return k.finish(ctx, *k.answered, nil), true
		}
	}
	out, err := k.execute(ctx)
	return k.finish(ctx, out, err), true
}

package tools

import (
	"cmp"
	"context"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

// A write can show what it is about: the diff of a dry run, the places an edit
// may have meant, the copy of a page. That is reading, by whatever name: the
// rules on reading judge it, and it marks the caller as a read does.

// shows reports whether the answer to a write may show the page it is about.
// The answer to an approved one goes to nobody before it is made.
func (k *call) shows() bool {
	if k.tool.ReadOnly || k.approved != nil {
		return false
	}
	switch policy.Shows(k.tool.Name, k.tool.Group, k.tool.Action) {
	case policy.ShowsNever:
		return false
	case policy.ShowsAlways:
		return true
	case policy.ShowsFound:
		in, ok := k.in.(addCommentIn)
		return k.dryRun || ok && in.InlineText != ""
	}
	return k.dryRun
}

// looks reports whether reading a page needs what only rules look at.
func (k *call) looks() bool {
	return k.catalog.cfg.Policy.NeedsResource(k.caller.Profile, policy.ReadTool, policy.Pages, policy.Read)
}

// mayLook asks policy whether p, which r is about, may be read.
func (k *call) mayLook(r policy.Request, p *confluence.Page) error {
	return k.mayShow(r.AsRead(cmp.Or(p.Type, onPage), p.ID))
}

// mayShow asks policy about a look that is part of a write.
func (k *call) mayShow(look policy.Request) error {
	d := k.judge(look)
	err := refusal(d)
	if err != nil {
		k.decision = d
	}
	return err
}

// source finds a page whose text this call takes elsewhere. What it is counts
// for the very call that takes it.
func (k *call) source(ctx context.Context, id string) (*confluence.Page, error) {
	one := *k
	r, p, err := one.elsewhere(ctx, id, k.looks())
	if err != nil {
		return nil, err
	}
	k.request.Context = k.catalog.cfg.Taints.Of(k.caller.Payer(), k.started)
	return p, k.mayLook(r, p)
}

// elsewhere turns the copy of a call to another page than it is about, and gives
// it as rules judge it there. ruled asks for what only rules look at.
func (k *call) elsewhere(ctx context.Context, id string, ruled bool) (policy.Request, *confluence.Page, error) {
	k.on, k.request.Resource = subject{}, policy.Resource{UpdatedAt: epoch()}
	if ruled {
		err := k.load(ctx, target{kind: onPage, id: id}, true)
		return k.request, k.on.page, err
	}
	p, err := k.findPage(ctx, target{id: id})
	if err != nil {
		return policy.Request{}, nil, err
	}
	return k.request.At(asResource(*p)), p, nil
}

// template reads a template whose text this call puts into a page, if reading
// it is allowed. A template of a space is judged as part of that space, one of
// the site stands in none. Confluence does not say who wrote it, so it counts
// as from outside, as a page of nobody does.
func (k *call) template(ctx context.Context, id string) (confluence.Template, error) {
	t, err := k.site.Template(ctx, id)
	if err != nil {
		return confluence.Template{}, err
	}
	if !k.reaches(t.SpaceKey) {
		return confluence.Template{}, notFound("Template", id)
	}
	looks := k.looks()
	if looks && t.SpaceKey != "" && t.SpaceType == "" {
		space, err := k.findSpace(ctx, t.SpaceKey)
		if err != nil {
			return confluence.Template{}, err
		}
		t.SpaceType = space.Type
	}
	r := k.request
	r.Resource = policy.Resource{Known: true, SpaceKey: t.SpaceKey, SpaceType: t.SpaceType,
		Status: confluence.StatusCurrent, Title: t.Name, Labels: t.Labels[:min(len(t.Labels), maxLabels)], UpdatedAt: epoch()}
	if err := k.mayShow(r.AsRead(onTemplate, id)); err != nil {
		return confluence.Template{}, err
	}
	if !looks {
		return t, nil
	}
	if err := k.noteAuthors(ctx, ""); err != nil {
		return confluence.Template{}, err
	}
	k.request.Context = k.catalog.cfg.Taints.Of(k.caller.Payer(), k.started)
	return t, nil
}

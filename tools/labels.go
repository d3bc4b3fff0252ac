package tools

import (
	"context"
	"slices"
	"strings"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

func labelTools() []*tool {
	return []*tool{
		write(spec{name: "add_label", title: "Add a label", group: policy.Pages, action: policy.Create, idempotent: true,
			about: "Put a label on a page."}, func(in labelIn) target { return target{kind: onPage, id: in.PageID} }, addLabel),
		write(spec{name: "remove_label", title: "Remove a label", group: policy.Pages, action: policy.Delete, idempotent: true,
			about: "Take a label off a page."}, func(in labelIn) target { return target{kind: onPage, id: in.PageID} }, removeLabel),
	}
}

type labelIn struct {
	PageID string `json:"page_id" is:"id"`
	Name   string `json:"name" is:"label"`
	DryRun bool   `json:"dry_run,omitempty"`
}

func addLabel(ctx context.Context, k *call, in labelIn) (*plan, error) {
	out, has, err := k.labelPlan(ctx, in)
	if err != nil {
		return nil, err
	}
	out.summary, out.noop, out.after = "put label "+in.Name+" on page "+in.PageID, has, strings.TrimSpace(out.before+"\n"+in.Name)
	out.commit = func(ctx context.Context) (receipt, error) {
		_, err := k.site.AddLabels(ctx, in.PageID, []string{in.Name})
		return out.target, err
	}
	return out, nil
}

func removeLabel(ctx context.Context, k *call, in labelIn) (*plan, error) {
	out, has, err := k.labelPlan(ctx, in)
	if err != nil {
		return nil, err
	}
	out.summary, out.noop = "take label "+in.Name+" off page "+in.PageID, !has
	out.after = strings.Join(slices.DeleteFunc(strings.Split(out.before, "\n"), func(l string) bool { return l == in.Name }), "\n")
	out.commit = func(ctx context.Context) (receipt, error) {
		return out.target, k.site.RemoveLabel(ctx, in.PageID, in.Name)
	}
	return out, nil
}

// labelPlan reads the labels a page has. Confluence keeps them in lower case.
func (k *call) labelPlan(ctx context.Context, in labelIn) (*plan, bool, error) {
	p := k.on.page
	labels, err := k.site.Labels(ctx, p.ID, p.Type)
	if err != nil {
		return nil, false, err
	}
	var names []string
	for _, l := range labels {
		names = append(names, line(l.Name))
	}
	has := slices.ContainsFunc(labels, func(l confluence.Label) bool { return strings.EqualFold(l.Name, in.Name) })
	out := &plan{worded: true, target: pageReceipt(*p), before: strings.Join(names, "\n")}
	out.change.TargetSpaceKey = p.SpaceKey
	out.inverse = func(context.Context, receipt) inverse { return inverse{ID: p.ID, Name: in.Name} }
	return out, has, nil
}

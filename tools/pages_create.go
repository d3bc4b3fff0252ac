package tools

import (
	"cmp"
	"context"
	"strings"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

func pageCreateTools() []*tool {
	return []*tool{
		write(spec{name: "create_page", title: "Create a page", group: policy.Pages, action: policy.Create,
			about: "Create a page or blog post from Markdown (or storage XML), from a template, or as a copy of a page with its attachments. Without parent_id it stands under the space's home page."},
			func(in createPageIn) target {
				return target{kind: onSpace, spaceKey: in.SpaceKey, toSpace: in.SpaceKey, title: in.Title}
			}, createPage),
	}
}

type createPageIn struct {
	SpaceKey   string   `json:"space_key" is:"key"`
	Title      string   `json:"title" is:"line,min=1,max=255"`
	Body       string   `json:"body,omitempty" is:"max=2000000" jsonschema:"GFM, and: > [!NOTE]; [DONE](confluence:status/Green); [@Ann](confluence:user/ID); [2026-03-14](confluence:date); [x](confluence:page/KEY/Title); ![x](attached.png); [toc](confluence:macro/toc); <details>; page properties: a table between <!-- macro:details --> and <!-- /macro -->"`
	Format     string   `json:"format,omitempty" is:"enum=markdown|storage"`
	ParentID   string   `json:"parent_id,omitempty" is:"id"`
	Type       string   `json:"type,omitempty" is:"enum=page|blogpost"`
	Labels     []string `json:"labels,omitempty" is:"label"`
	CopyFrom   string   `json:"copy_from,omitempty" is:"id"`
	TemplateID string   `json:"template_id,omitempty" is:"id"`
	DryRun     bool     `json:"dry_run,omitempty"`
}

func (in createPageIn) validate() error {
	sources := 0
	for _, given := range []bool{in.Body != "", in.CopyFrom != "", in.TemplateID != ""} {
		if given {
			sources++
		}
	}
	switch {
	case sources > 1:
		return invalid("invalid", "body, copy_from and template_id exclude each other.", "Send one of them.")
	case in.Type == confluence.TypeBlogPost && (in.ParentID != "" || in.CopyFrom != ""):
		return invalid("invalid", "A blog post has no parent and cannot be a copy.", "Leave parent_id and copy_from out, or make it a page.")
	case in.Format != "" && in.Body == "":
		return invalid("invalid", "format says how body is written, and there is no body.", "Send body as well, or leave format out.")
	}
	return nil
}

func createPage(ctx context.Context, k *call, in createPageIn) (*plan, error) {
	space := k.on.space
	if space.Status == confluence.StatusArchived {
		return nil, k.forbidStatus("in an archived space")
	}
	parent, err := k.parent(ctx, &in, space)
	if err != nil {
		return nil, err
	}
	if err := k.titleFree(ctx, space, cmp.Or(in.Type, onPage), in.Title, ""); err != nil {
		return nil, err
	}
	body, err := k.newBody(ctx, in)
	if err != nil {
		return nil, err
	}
	where := ""
	if in.ParentID != "" && in.ParentID != space.HomepageID {
		where = ", under " + in.ParentID
	}
	out := &plan{summary: "create " + cmp.Or(in.Type, onPage) + " " + quoteShort(line(in.Title)) + " in space " + space.Key + where, after: k.markdown(body, space.Key)}
	out.also = parent
	out.target = receipt{Type: cmp.Or(in.Type, onPage), Title: line(in.Title), SpaceKey: space.Key}
	out.bodyChange("", body, k.home())
	out.change.TargetSpaceKey, out.change.TargetParentID, out.change.Title = space.Key, in.ParentID, in.Title
	if in.Type != confluence.TypeBlogPost {
		out.change.TargetParentID = cmp.Or(in.ParentID, space.HomepageID)
	}
	out.inverse = func(_ context.Context, r receipt) inverse {
		return inverse{ID: r.ID, Version: r.Version, By: r.saved.AuthorID, Saved: r.saved.CreatedAt}
	}
	out.commit = func(ctx context.Context) (receipt, error) { return k.commitCreate(ctx, in, space, body) }
	return out, nil
}

// titleFree refuses a title that another page of the space has, and names it.
func (k *call) titleFree(ctx context.Context, space *confluence.Space, kind, title, self string) error {
	if kind == confluence.TypeBlogPost {
		return nil
	}
	found, err := k.site.Pages(ctx, confluence.PageFilter{SpaceID: space.ID, Title: title}, confluence.Paging{Limit: 5})
	if err != nil {
		return err
	}
	for _, p := range found.Items {
		if strings.EqualFold(p.Title, title) && p.ID != self {
			return &confluence.Error{Kind: confluence.Conflict, Code: "input.title_taken",
				Message: "Space " + space.Key + " already has a page with this title: page " + p.ID + ".", Next: "Choose another title, or change that page with confluence_update_page."}
		}
	}
	return nil
}

// newBody is the storage of a page to create. For a copy it is the source as
// it is now, which only the diff and the rules look at.
func (k *call) newBody(ctx context.Context, in createPageIn) (string, error) {
	switch {
	case in.CopyFrom != "":
		if _, err := k.source(ctx, in.CopyFrom); err != nil {
			return "", err
		}
		p, err := k.site.Page(ctx, in.CopyFrom, confluence.PageOptions{Format: confluence.Storage})
		return p.Body, err
	case in.TemplateID != "":
		t, err := k.template(ctx, in.TemplateID)
		return t.Body, err
	}
	return k.newBodyFrom(in.Body, in.Format, in.SpaceKey)
}

// newBodyFrom turns what a caller wrote into the storage of something new,
// refused when it is broken or holds what this server does not write.
func (k *call) newBodyFrom(body, format, spaceKey string) (string, error) {
	if format == "storage" {
		return body, forbiddenAdded("", body)
	}
	stored, err := k.fromMarkdown(body, spaceKey)
	if err != nil {
		return "", err
	}
	return stored, forbiddenAdded("", stored)
}

func (k *call) commitCreate(ctx context.Context, in createPageIn, space *confluence.Space, body string) (receipt, error) {
	var p confluence.Page
	var err error
	if in.CopyFrom != "" {
		p, err = k.site.CopyPage(ctx, confluence.CopyRequest{SourceID: in.CopyFrom, ParentID: in.ParentID, Title: in.Title})
	} else {
		p, err = k.site.CreatePage(ctx, confluence.NewPage{SpaceID: space.ID, Type: cmp.Or(in.Type, onPage), Title: in.Title, ParentID: in.ParentID, Body: body})
	}
	if err != nil {
		return receipt{}, err
	}
	r := pageReceipt(p)
	r.SpaceKey = cmp.Or(r.SpaceKey, space.Key)
	if len(in.Labels) == 0 {
		return r, nil
	}
	if _, err := k.site.AddLabels(ctx, p.ID, in.Labels); err != nil {
		e := public(err)
		r.Notes = append(r.Notes, "The page was created, but its labels were not: "+e.Message)
	}
	return r, nil
}

package tools

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/markup"
	"confluence-mcp/policy"
)

func pageUpdateTools() []*tool {
	onThePage := func(id string) target { return target{kind: onPage, id: id} }
	return []*tool{
		write(spec{name: "update_page", title: "Change a page", group: policy.Pages, action: policy.Update,
			about: "Change a page at base_version (from get_page), by one of: edits (preferred; leaves all else byte for byte), body (the whole page in Markdown), restore_version, undo (your own last change). title alone renames. If the page moved on, only blocks changed on both sides conflict. What would be lost is refused unless named in allow_loss."},
			func(in updatePageIn) target { return onThePage(in.PageID) }, updatePage),
		write(spec{name: "move_page", title: "Move a page", group: policy.Pages, action: policy.Update, idempotent: true,
			about: "Move a page with all below it: under target_id (append), or before or after it."},
			func(in movePageIn) target { return onThePage(in.PageID) }, movePage),
		write(spec{name: "delete_page", title: "Delete a page", group: policy.Pages, action: policy.Delete,
			about: "Move a page to the trash; its children move up. Never a space's home page."},
			func(in deletePageIn) target { return onThePage(in.PageID) }, deletePage),
	}
}

type updatePageIn struct {
	PageID         string        `json:"page_id" is:"id"`
	BaseVersion    int           `json:"base_version" is:"min=1,max=1000000"`
	Body           *string       `json:"body,omitempty" is:"max=2000000"`
	Edits          []markup.Edit `json:"edits,omitempty" jsonschema:"fields by op: replace_text find replace [occurrence|all] [within]; replace_section heading|handle markdown; append markdown [to: page|heading|handle]; insert after|before markdown; delete handle|section; set_cell table row column markdown; add_row table markdown [after]; set_task handle done; set_status handle title|colour [find]; set_property key markdown; move handle after|before. Handles: get_page mode blocks"`
	RestoreVersion int           `json:"restore_version,omitempty" is:"min=1,max=1000000"`
	Undo           bool          `json:"undo,omitempty"`
	Title          string        `json:"title,omitempty" is:"line,max=255"`
	Minor          bool          `json:"minor,omitempty"`
	Message        string        `json:"message,omitempty" is:"line,max=255"`
	AllowLoss      []string      `json:"allow_loss,omitempty" is:"line,max=100"`
	DryRun         bool          `json:"dry_run,omitempty"`
}

func (in updatePageIn) validate() error {
	n := 0
	for _, given := range []bool{in.Body != nil, in.Edits != nil, in.RestoreVersion > 0, in.Undo} {
		if given {
			n++
		}
	}
	next := "Send exactly one of body, edits, restore_version and undo; or title alone to rename."
	switch {
	case n > 1:
		return invalid("invalid", "More than one change was given.", next)
	case n == 0 && in.Title == "":
		return invalid("missing", "There is nothing to change.", next)
	case in.Edits != nil && len(in.Edits) == 0:
		return invalid("invalid", "edits is empty.", `Send for example edits: [{"op":"replace_text","find":"old","replace":"new"}].`)
	case in.Body != nil && strings.TrimSpace(*in.Body) == "":
		return invalid("invalid", "body is empty, which would empty the page.", "Send the whole new page, or delete the page with confluence_delete_page.")
	}
	return nil
}

func updatePage(ctx context.Context, k *call, in updatePageIn) (*plan, error) {
	now, err := k.site.Page(ctx, in.PageID, confluence.PageOptions{Format: confluence.Storage})
	if err != nil {
		return nil, err
	}
	base, err := k.baseOf(ctx, in, now)
	if err != nil {
		return nil, err
	}
	u := confluence.PageUpdate{ID: now.ID, Type: cmp.Or(now.Type, onPage), Status: confluence.StatusCurrent, Title: cmp.Or(in.Title, now.Title),
		Version: now.Version.Number + 1, Message: in.Message, Minor: in.Minor}
	out := &plan{base: now.Body, target: pageReceipt(now), summary: "change page " + now.ID}
	if err := k.changeBody(ctx, in, base, now, &u, out); err != nil {
		return nil, err
	}
	if in.Title != "" && !strings.EqualFold(in.Title, now.Title) {
		if err := k.titleFree(ctx, k.on.space, u.Type, in.Title, now.ID); err != nil {
			return nil, err
		}
	}
	out.before, out.after = titled(now.Title, k.markdown(now.Body, now.SpaceKey)), titled(u.Title, k.markdown(u.Body, now.SpaceKey))
	out.noop = u.Body == now.Body && u.Title == now.Title
	out.bodyChange(now.Body, u.Body, k.home())
	out.change.TargetSpaceKey, out.change.Title, out.version = now.SpaceKey, u.Title, u.Version
	var was confluence.Page
	out.commit = func(ctx context.Context) (r receipt, err error) {
		made := u
		made.Message = k.marked(u.Message)
		r, was, err = k.save(ctx, in, now, made)
		return r, err
	}
	out.inverse = func(_ context.Context, r receipt) inverse {
		return inverse{ID: now.ID, Version: r.Version, Before: was.Version.Number, SHA256: bodySum(was.Body), By: r.saved.AuthorID, Saved: r.saved.CreatedAt}
	}
	return out, nil
}

func titled(title, md string) string { return "title: " + line(title) + "\n" + md }

type movePageIn struct {
	PageID   string `json:"page_id" is:"id"`
	TargetID string `json:"target_id" is:"id"`
	Position string `json:"position,omitempty" is:"enum=append|before|after"`
	DryRun   bool   `json:"dry_run,omitempty"`
}

func movePage(ctx context.Context, k *call, in movePageIn) (*plan, error) {
	p := k.on.page
	if p.Type == confluence.TypeBlogPost {
		return nil, invalid("invalid", "A blog post has no place in the page tree.", "Move pages only.")
	}
	if in.PageID == in.TargetID {
		return nil, invalid("invalid", "page_id and target_id are the same page.", "Send another target_id.")
	}
	if k.on.space.HomepageID == p.ID {
		return nil, blockedBy("space_delete_blocked", "This is the home page of space "+k.on.space.Key+"; moving it would take the space's root away.")
	}
	there, to, err := k.at(ctx, in.TargetID)
	if err != nil {
		return nil, err
	}
	if err := k.checkMove(ctx, in, p, to); err != nil {
		return nil, err
	}
	position := cmp.Or(in.Position, confluence.MoveAppend)
	where := map[string]string{confluence.MoveAppend: "under", confluence.MoveBefore: "before", confluence.MoveAfter: "after"}[position] + " page " + to.ID
	out := &plan{worded: true, target: pageReceipt(*p), summary: "move page " + p.ID + " " + where}
	out.change = policy.Change{TargetSpaceKey: to.SpaceKey, TargetParentID: to.ID, Title: p.Title}
	if position != confluence.MoveAppend {
		out.change.TargetParentID = to.ParentID
	}
	if out.also, err = k.landings(ctx, there, *to, position); err != nil {
		return nil, err
	}
	out.before, out.after = "space "+p.SpaceKey+", under page "+p.ParentID, "space "+to.SpaceKey+", "+where
	var beside, from string
	out.inverse = func(_ context.Context, r receipt) inverse {
		return moveBack(*p, out.change.TargetParentID, beside, from, r)
	}
	out.commit = func(ctx context.Context) (receipt, error) {
		r := out.target
		if p.ParentID != "" {
			beside, from = k.placeOf(ctx, *p)
		}
		if err := k.site.MovePage(ctx, p.ID, position, to.ID); err != nil {
			return receipt{}, err
		}
		r.SpaceKey = to.SpaceKey
		if done, err := k.site.Page(ctx, p.ID, confluence.PageOptions{}); err == nil {
			r = pageReceipt(done)
		}
		return r, nil
	}
	return out, nil
}

// moveBack is how a move is undone: of a page that is below another one by now,
// to the place it had, which the page beside it or above it tells.
func moveBack(was confluence.Page, below, beside, from string, r receipt) inverse {
	if was.ParentID == "" {
		return inverse{Final: "The page stood at the top of its space, where this server puts no page."}
	}
	if was.ParentType == confluence.TypeFolder && from == confluence.MoveAppend {
		return inverse{Final: "The page stood alone in a folder, and this server moves pages beside and under pages only."}
	}
	return inverse{ID: was.ID, Version: r.Version, Below: below, Parent: was.ParentID, Target: beside, Where: from, By: r.saved.AuthorID, Saved: r.saved.CreatedAt}
}

// checkMove refuses a move into the page's own subtree, to a page that is not
// current, and beside a space's home page, which would leave an orphan.
func (k *call) checkMove(ctx context.Context, in movePageIn, p, to *confluence.Page) error {
	if to.Status != "" && to.Status != confluence.StatusCurrent {
		return k.forbidStatus(to.Status)
	}
	if in.Position != "" && in.Position != confluence.MoveAppend && to.ParentID == "" {
		return invalid("invalid", "Before or after the top page of a space there is no place in the tree.", "Use position append, or a target further down.")
	}
	above, err := k.site.Ancestors(ctx, to.ID)
	if err != nil {
		return err
	}
	for _, n := range above {
		if n.ID == p.ID {
			return invalid("invalid", "target_id lies below the page itself.", "Send a target outside of what is moved.")
		}
	}
	return nil
}

type deletePageIn struct {
	PageID string `json:"page_id" is:"id"`
	DryRun bool   `json:"dry_run,omitempty"`
}

func deletePage(ctx context.Context, k *call, in deletePageIn) (*plan, error) {
	p, err := k.site.Page(ctx, in.PageID, confluence.PageOptions{Format: confluence.Storage})
	if err != nil {
		return nil, err
	}
	out := &plan{target: pageReceipt(p), summary: "move page " + p.ID + " to the trash", base: p.Body, before: titled(p.Title, k.markdown(p.Body, p.SpaceKey))}
	out.bodyChange(p.Body, "", k.home())
	out.change.Title = p.Title
	if p.Type != confluence.TypeBlogPost {
		below, err := k.site.Children(ctx, p.ID, confluence.TypePage, confluence.Paging{Limit: 25})
		if err != nil {
			return nil, err
		}
		if n := len(below.Items); n > 0 {
			out.notes = append(out.notes, fmt.Sprintf("It has %d or more children, which move up to its parent.", n))
		}
	}
	out.inverse = func(ctx context.Context, _ receipt) inverse {
		gone, err := k.site.Page(ctx, p.ID, confluence.PageOptions{})
		if err != nil || gone.Status != confluence.StatusTrashed {
			return inverse{Final: "The page could not be found in the trash after it was deleted."}
		}
		return inverse{ID: p.ID, Version: gone.Version.Number, Parent: p.ParentID}
	}
	out.commit = func(ctx context.Context) (receipt, error) {
		return out.target, k.site.DeletePage(ctx, p.ID, cmp.Or(p.Type, onPage))
	}
	return out, nil
}

package tools

import (
	"cmp"
	"context"
	"slices"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

// A write that puts a page somewhere is judged there too: at the page it will
// stand below, and at the one it is put beside. Nothing of those is shown, so
// nobody counts as having read them.

// at finds the page of a place and how rules see it.
func (k *call) at(ctx context.Context, id string) (policy.Resource, *confluence.Page, error) {
	one := *k
	one.place = true
	r, p, err := one.elsewhere(ctx, id, k.needsResource())
	return r.Resource, p, err
}

// under is a page as the place of what will stand below it.
func under(r policy.Resource) policy.Resource {
	r.AncestorIDs = append(slices.Clone(r.AncestorIDs), r.ID)
	r.Known = r.Known && len(r.AncestorIDs) <= maxAncestors
	return r
}

// below is the place under a page, or under a folder, which has no page.
func (k *call) below(ctx context.Context, id string, space *confluence.Space) (policy.Resource, *confluence.Page, error) {
	there, p, err := k.at(ctx, id)
	if err == nil {
		return under(there), p, nil
	}
	if confluence.KindOf(err) == confluence.NotFound && !k.limited() {
		if _, ferr := k.site.Children(ctx, id, confluence.TypeFolder, confluence.Paging{Limit: 1}); ferr == nil {
			return k.folder(ctx, id, space), nil, nil
		}
	}
	return there, nil, err
}

// parent is what a new page will stand below, for policy to judge: without
// parent_id the home page. One in another space is refused, and so is a copy that
// has no place in its space: it would be made beside its source.
func (k *call) parent(ctx context.Context, in *createPageIn, space *confluence.Space) ([]policy.Resource, error) {
	if in.Type == confluence.TypeBlogPost {
		return nil, nil
	}
	if in.ParentID == "" {
		return k.underHome(ctx, in, space)
	}
	there, p, err := k.below(ctx, in.ParentID, space)
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return []policy.Resource{there}, nil
	}
	if p.SpaceKey != space.Key {
		return nil, invalid("id", "parent_id is a page of space "+line(p.SpaceKey)+", not of "+space.Key+".", "Send a parent of the same space.")
	}
	if p.Status != "" && p.Status != confluence.StatusCurrent {
		return nil, k.forbidStatus(p.Status)
	}
	return []policy.Resource{there}, nil
}

// underHome has a new page stand below the home page, where Confluence puts one
// that names no parent. What was judged there is then asked for by name.
func (k *call) underHome(ctx context.Context, in *createPageIn, space *confluence.Space) ([]policy.Resource, error) {
	home := space.HomepageID
	switch {
	case home == "" && in.CopyFrom != "":
		return nil, invalid("parent", "Space "+space.Key+" has no home page to put the copy under.", "Send parent_id.")
	case home == "":
		return nil, nil
	case in.CopyFrom != "":
		in.ParentID = home
	}
	if !k.needsResource() {
		return nil, nil
	}
	there, _, err := k.at(ctx, home)
	if confluence.KindOf(err) == confluence.NotFound && err != nil {
		return []policy.Resource{{Type: onPage, ID: home, SpaceKey: space.Key, UpdatedAt: epoch()}}, nil
	}
	in.ParentID = home
	return []policy.Resource{under(there)}, err
}

// folder is one as rules see it: it has no labels, and neither its title nor its
// rights are told.
func (k *call) folder(ctx context.Context, id string, space *confluence.Space) policy.Resource {
	known := []string{"type", "id", "space_key", "space_type"}
	r := policy.Resource{Known: true, Type: confluence.TypeFolder, ID: id, SpaceKey: space.Key, SpaceType: space.Type, UpdatedAt: epoch()}
	if !k.needsResource() {
		return r.Only(known...)
	}
	nodes, err := k.site.Ancestors(ctx, id)
	if err != nil {
		return r.Only(known...)
	}
	for _, n := range nodes {
		r.AncestorIDs = append(r.AncestorIDs, n.ID)
	}
	return under(r).Only(append(known, "ancestor_ids")...)
}

// landings are the places of a move: the page it is put below or beside, and
// then the one that page stands under. Of a folder there the ancestors of the
// page beside tell.
func (k *call) landings(ctx context.Context, there policy.Resource, to confluence.Page, position string) ([]policy.Resource, error) {
	if position == confluence.MoveAppend {
		return []policy.Resource{under(there)}, nil
	}
	if to.ParentID == "" || cmp.Or(to.ParentType, onPage) != onPage {
		return []policy.Resource{there}, nil
	}
	up, _, err := k.at(ctx, to.ParentID)
	return []policy.Resource{there, under(up)}, err
}

// whence is the place a page of the trash goes back to: its parent where that
// still is, else the home page.
func (k *call) whence(ctx context.Context, p confluence.Page) ([]policy.Resource, error) {
	if k.inverse.Parent == "" || !k.needsResource() {
		return nil, nil
	}
	there, up, err := k.below(ctx, k.inverse.Parent, k.on.space)
	if err == nil && (up == nil || cmp.Or(up.Status, confluence.StatusCurrent) == confluence.StatusCurrent) {
		return []policy.Resource{there}, nil
	}
	if err != nil && confluence.KindOf(err) != confluence.NotFound {
		return nil, err
	}
	return []policy.Resource{{Type: onPage, ID: k.on.space.HomepageID, SpaceKey: p.SpaceKey, UpdatedAt: epoch()}}, nil
}

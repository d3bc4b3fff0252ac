package tools

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"confluence-mcp/internal/confluence"
)

// landedMove looks where the page is: under the target, or right beside it.
func (k *call) landedMove(ctx context.Context, in movePageIn) (*receipt, error) {
	p, err := k.site.Page(ctx, in.PageID, confluence.PageOptions{})
	if err != nil {
		return nil, err
	}
	r := pageReceipt(p)
	if cmp.Or(in.Position, confluence.MoveAppend) == confluence.MoveAppend {
		if p.ParentID != in.TargetID {
			return nil, nil
		}
		return &r, nil
	}
	to, err := k.site.Page(ctx, in.TargetID, confluence.PageOptions{})
	if err != nil {
		return nil, err
	}
	if p.ParentID != to.ParentID || p.SpaceID != to.SpaceID {
		return nil, nil
	}
	if p.ParentID == "" {
		return nil, errUnclear // nothing lists the top of a space in its order; a plan does not go there
	}
	row, err := k.siblings(ctx, to)
	if err != nil {
		return nil, err
	}
	moved, beside := slices.Index(row, p.ID), slices.Index(row, to.ID)
	if in.Position == confluence.MoveBefore && moved+1 == beside || in.Position == confluence.MoveAfter && moved == beside+1 {
		return &r, nil
	}
	return nil, nil
}

// siblings are the ids of the children of a page's parent, in their order.
func (k *call) siblings(ctx context.Context, p confluence.Page) ([]string, error) {
	var all []confluence.Node
	for cursor := ""; ; {
		list, err := k.site.Children(ctx, p.ParentID, cmp.Or(p.ParentType, onPage), confluence.Paging{Cursor: cursor, Limit: 250})
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if cursor = list.Next; cursor == "" {
			break
		}
	}
	ids := make([]string, len(all))
	for i, n := range inOrder(all) {
		ids[i] = n.ID
	}
	return ids, nil
}

// inOrder sorts nodes by their positions, where all have one.
func inOrder(all []confluence.Node) []confluence.Node {
	if !slices.ContainsFunc(all, func(n confluence.Node) bool { return n.Position == nil }) {
		slices.SortStableFunc(all, func(a, b confluence.Node) int { return cmp.Compare(*a.Position, *b.Position) })
	}
	return all
}

// landedCommentChange looks for our mark among the versions of the comment. A
// change of its state alone may make no version; then the state tells.
func (k *call) landedCommentChange(ctx context.Context, in updateCommentIn) (*receipt, error) {
	c, err := k.site.Comment(ctx, in.CommentID)
	if err != nil {
		return nil, err
	}
	r := receipt{ID: c.ID, Type: onComment, SpaceKey: k.approved.SpaceKey, Version: c.Version.Number, URL: c.WebURL}
	made, err := k.markedVersion(ctx, c.ID, c.Kind)
	switch {
	case err != nil:
		return nil, err
	case made != nil:
		r.Version = made.Number
		return &r, nil
	case in.Body == "" && in.Resolved != nil && *in.Resolved == (c.Resolution == "resolved"):
		return &r, nil
	}
	return nil, nil
}

// landedSpace looks for a space of the key that was asked for. One of another
// name is somebody else's: the key was taken.
func (k *call) landedSpace(ctx context.Context, in createSpaceIn) (*receipt, error) {
	s, err := k.findSpace(ctx, in.Key)
	if confluence.KindOf(err) == confluence.NotFound && err != nil {
		return nil, nil
	}
	if err != nil || s.Name != in.Name {
		return nil, err
	}
	return spaceReceipt(s), nil
}

// landedSpaceChange looks whether the space is as it was to be.
func (k *call) landedSpaceChange(ctx context.Context, in updateSpaceIn) (*receipt, error) {
	s, err := k.findSpace(ctx, in.SpaceKey)
	if err != nil {
		return nil, err
	}
	is := func(field string, wanted *string) bool {
		return wanted == nil || strings.TrimSpace(field) == strings.TrimSpace(*wanted)
	}
	if !is(s.Name, in.Name) || !is(s.Description, in.Description) || !is(s.HomepageID, in.HomepageID) {
		return nil, nil
	}
	return spaceReceipt(s), nil
}

func spaceReceipt(s *confluence.Space) *receipt {
	return &receipt{ID: s.ID, Type: onSpace, Title: line(s.Name), SpaceKey: s.Key, URL: s.WebURL}
}

// landedBack looks whether what an undo puts back is there: by the state of a
// page, by our mark on a comment or a file.
func (k *call) landedBack(ctx context.Context) (*receipt, error) {
	switch in := k.in.(type) {
	case pageBackIn:
		p, err := k.site.Page(ctx, in.PageID, confluence.PageOptions{})
		if err != nil || p.Status == confluence.StatusTrashed {
			return nil, err
		}
		r := pageReceipt(p)
		return &r, nil
	case commentBackIn:
		return k.landedCommentChange(ctx, updateCommentIn{CommentID: in.CommentID, Resolved: k.inverse.Resolved, Body: deref(k.inverse.Body)})
	case fileBackIn:
		a, err := k.site.Attachment(ctx, attachmentID(in.AttachmentID))
		if err != nil {
			return nil, err
		}
		made, err := k.markedVersion(ctx, a.ID, confluence.TypeAttachment)
		if err != nil || made == nil {
			return nil, err
		}
		return &receipt{ID: a.ID, Type: onAttachment, Title: line(a.Title), SpaceKey: k.approved.SpaceKey, Version: made.Number, URL: a.WebURL}, nil
	}
	return nil, errUnclear
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

package tools

import (
	"context"
	"slices"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
)

// clockSkew is how far Confluence's clock may be behind ours.
const clockSkew = 2 * time.Minute

// maxLooks is how many versions are searched for the mark of an approval.
const maxLooks = 20

// landedUpdate looks for our mark among the versions behind the base. The
// update was made for the version that was current then, so once all of these
// are somebody else's it can't land any more.
func (k *call) landedUpdate(ctx context.Context, in updatePageIn) (*receipt, error) {
	now, err := k.site.Page(ctx, in.PageID, confluence.PageOptions{})
	if err != nil {
		return nil, err
	}
	for n := in.BaseVersion + 1; n <= now.Version.Number; n++ {
		if n > in.BaseVersion+maxLooks {
			return nil, errUnclear
		}
		next, err := k.site.Page(ctx, in.PageID, confluence.PageOptions{Version: n})
		if err != nil {
			return nil, err
		}
		if strings.Contains(next.Version.Message, k.approved.Mark()) {
			r := pageReceipt(now)
			r.Version = next.Version.Number
			return &r, nil
		}
	}
	return nil, nil
}

// landedCreate looks for a page of the title that was free before, made by the
// account the call runs as.
func (k *call) landedCreate(ctx context.Context, in createPageIn) (*receipt, error) {
	space, err := k.findSpace(ctx, in.SpaceKey)
	if err != nil {
		return nil, err
	}
	me, err := k.me(ctx)
	if err != nil {
		return nil, err
	}
	found, err := k.site.Pages(ctx, confluence.PageFilter{SpaceID: space.ID, Title: in.Title, Type: in.Type, Sort: "-created-date"}, confluence.Paging{Limit: 25})
	if err != nil {
		return nil, err
	}
	for _, p := range found.Items {
		if !strings.EqualFold(p.Title, in.Title) || p.AuthorID != me.ID {
			continue
		}
		if in.Type == confluence.TypeBlogPost && !k.since(p.CreatedAt) {
			return nil, errUnclear // titles of blog posts may repeat
		}
		r := pageReceipt(p)
		return &r, nil
	}
	return nil, nil
}

// since reports whether something was made after the attempt began. Clocks
// differ, so its no proves nothing.
func (k *call) since(t time.Time) bool { return !t.Before(k.approved.Claimed.Add(-clockSkew)) }

// landedFileDeletion looks whether a file is still among those of its page: in
// the trash it can be read by its id.
func (k *call) landedFileDeletion(ctx context.Context, in deleteAttachmentIn) (*receipt, error) {
	a, err := k.site.Attachment(ctx, attachmentID(in.AttachmentID))
	r := receipt{ID: in.AttachmentID, Type: onAttachment, Title: line(a.Title)}
	if err != nil {
		return deleted(r, err)
	}
	k.on.page = &confluence.Page{ID: a.PageID}
	still, err := k.fileNamed(ctx, a.Title)
	if err != nil || still != nil && still.ID == a.ID {
		return nil, err
	}
	return &r, nil
}

func (k *call) landedDelete(ctx context.Context, in deletePageIn) (*receipt, error) {
	p, err := k.site.Page(ctx, in.PageID, confluence.PageOptions{})
	if err != nil {
		return nil, err // not even in the trash: somebody purged it, or we may not look
	}
	if p.Status != confluence.StatusTrashed {
		return nil, nil
	}
	r := pageReceipt(p)
	return &r, nil
}

func (k *call) landedLabel(ctx context.Context, in labelIn) (*receipt, error) {
	p, err := k.site.Page(ctx, in.PageID, confluence.PageOptions{})
	if err != nil {
		return nil, err
	}
	labels, err := k.site.Labels(ctx, p.ID, p.Type)
	if err != nil {
		return nil, err
	}
	has := slices.ContainsFunc(labels, func(l confluence.Label) bool { return strings.EqualFold(l.Name, in.Name) })
	if has != (k.tool.Name == Prefix+"add_label") {
		return nil, nil
	}
	r := pageReceipt(p)
	return &r, nil
}

func (k *call) landedUpload(ctx context.Context, in uploadIn) (*receipt, error) {
	p, err := k.site.Page(ctx, in.PageID, confluence.PageOptions{})
	if err != nil {
		return nil, err
	}
	k.on.page = &p
	a, err := k.fileNamed(ctx, in.FileName)
	if err != nil || a == nil {
		return nil, err
	}
	if mark := k.approved.Mark(); !strings.Contains(a.Comment, mark) && !strings.Contains(a.Version.Message, mark) {
		return nil, nil
	}
	return &receipt{ID: a.ID, Type: onAttachment, Title: line(a.Title), SpaceKey: p.SpaceKey, Version: a.Version.Number, URL: a.WebURL}, nil
}

// landedComment looks for a comment of the same words, made since by the
// account the call runs as.
func (k *call) landedComment(ctx context.Context, in addCommentIn) (*receipt, error) {
	me, err := k.me(ctx)
	if err != nil {
		return nil, err
	}
	p, err := k.site.Page(ctx, in.PageID, confluence.PageOptions{})
	if err != nil {
		return nil, err
	}
	body, err := k.fromMarkdown(in.Body, p.SpaceKey)
	if err != nil {
		return nil, err
	}
	want := k.visibleText(body)
	list, err := k.commentsNear(ctx, p, in)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if c.Version.AuthorID == me.ID && k.visibleText(c.Body) == want {
			if !k.since(c.Version.CreatedAt) {
				return nil, errUnclear // the same words may have been said before
			}
			return &receipt{ID: c.ID, Type: onComment, SpaceKey: p.SpaceKey, Version: c.Version.Number, URL: c.WebURL}, nil
		}
	}
	return nil, nil
}

// commentsNear lists the comments among which a new one would stand.
func (k *call) commentsNear(ctx context.Context, p confluence.Page, in addCommentIn) ([]confluence.Comment, error) {
	kind := confluence.CommentFooter
	if in.InlineText != "" {
		kind = confluence.CommentInline
	}
	if in.ParentID != "" {
		parent, err := k.site.Comment(ctx, in.ParentID)
		if err != nil {
			return nil, err
		}
		kind = parent.Kind
	}
	var all []confluence.Comment
	for cursor := ""; ; {
		paging := confluence.Paging{Cursor: cursor, Limit: 100}
		var list confluence.List[confluence.Comment]
		var err error
		if in.ParentID != "" {
			list, err = k.site.Replies(ctx, in.ParentID, kind, paging)
		} else {
			list, err = k.site.Comments(ctx, p.ID, p.Type, kind, paging)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if cursor = list.Next; cursor == "" {
			return all, nil
		}
	}
}

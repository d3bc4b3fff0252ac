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

// longBefore is how long before the request something was made that certainly
// is not what the attempt made, however wrong a clock is.
const longBefore = time.Hour

// landedUpdate looks for our mark in the one version the update can have become:
// it was approved for, and sent as, the one behind its base. Once that is
// somebody else's it can't land any more.
func (k *call) landedUpdate(ctx context.Context, in updatePageIn) (*receipt, error) {
	now, err := k.site.Page(ctx, in.PageID, confluence.PageOptions{})
	if err != nil || now.Version.Number <= k.approved.BaseVersion {
		return nil, err
	}
	next, err := k.site.Page(ctx, in.PageID, confluence.PageOptions{Version: k.approved.BaseVersion + 1})
	if err != nil || !strings.Contains(next.Version.Message, k.approved.Mark()) {
		return nil, err
	}
	r := pageReceipt(now)
	r.Version = next.Version.Number
	return &r, nil
}

// markedVersion finds the version of a comment or a file that has our mark, nil
// when none has it.
func (k *call) markedVersion(ctx context.Context, id, kind string) (*confluence.Version, error) {
	for cursor := ""; ; {
		list, err := k.site.Versions(ctx, id, kind, confluence.Paging{Cursor: cursor, Limit: 50})
		if err != nil {
			return nil, err
		}
		for _, v := range list.Items {
			if strings.Contains(v.Message, k.approved.Mark()) {
				return &v, nil
			}
			if !v.CreatedAt.IsZero() && v.CreatedAt.Before(k.approved.Created.Add(-longBefore)) {
				return nil, nil // all further ones are older
			}
		}
		if cursor = list.Next; cursor == "" {
			return nil, nil
		}
	}
}

// landedCreate looks for a page of the title and text, made by the account the
// call runs as. Titles of pages are free before; those of blog posts may repeat.
func (k *call) landedCreate(ctx context.Context, in createPageIn) (*receipt, error) {
	space, err := k.findSpace(ctx, in.SpaceKey)
	if err != nil {
		return nil, err
	}
	me, err := k.author(ctx)
	if err != nil {
		return nil, err
	}
	found, err := k.site.Pages(ctx, confluence.PageFilter{SpaceID: space.ID, Title: in.Title, Type: in.Type, Sort: "-created-date"}, confluence.Paging{Limit: 25})
	if err != nil {
		return nil, err
	}
	unclear := found.Next != ""
	for _, p := range found.Items {
		if !strings.EqualFold(p.Title, in.Title) || p.AuthorID != me.ID || k.certainlyBefore(p.CreatedAt) {
			continue
		}
		same, err := k.bornAs(ctx, p, in)
		if err != nil {
			return nil, err
		}
		if same && k.since(p.CreatedAt) {
			r := pageReceipt(p)
			return &r, nil
		}
		unclear = unclear || same
	}
	if unclear {
		return nil, errUnclear // the very same was published shortly before
	}
	if _, lends := k.lender(); lends {
		return nil, errUnclear // the copy the caller sees by may not have it yet
	}
	return nil, nil
}

// bornAs reports whether the first version of a page has the text that was to
// be created. Of a copy only the title tells: its source may be another by now.
func (k *call) bornAs(ctx context.Context, p confluence.Page, in createPageIn) (bool, error) {
	if in.CopyFrom != "" || in.TemplateID != "" {
		return true, nil
	}
	want, err := k.newBody(ctx, in)
	if err != nil {
		return false, err
	}
	opt := confluence.PageOptions{Format: confluence.Storage}
	if p.Version.Number > 1 {
		opt.Version = 1
	}
	first, err := k.site.Page(ctx, p.ID, opt)
	return k.visibleText(first.Body) == k.visibleText(want), err
}

// certainlyBefore reports whether something was made so long before the request
// that no clock explains it.
func (k *call) certainlyBefore(t time.Time) bool {
	return !t.IsZero() && t.Before(k.approved.Created.Add(-longBefore))
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
		return k.deleted(ctx, r, err)
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
	made := &a.Version
	if mark := k.approved.Mark(); !strings.Contains(a.Comment, mark) && !strings.Contains(a.Version.Message, mark) {
		if made, err = k.markedVersion(ctx, a.ID, confluence.TypeAttachment); err != nil || made == nil {
			return nil, err // of a file that was replaced since, a version before tells
		}
	}
	return &receipt{ID: a.ID, Type: onAttachment, Title: line(a.Title), SpaceKey: p.SpaceKey, Version: made.Number, URL: a.WebURL}, nil
}

// landedComment looks for a comment of the same words, made since by the
// account the call runs as.
func (k *call) landedComment(ctx context.Context, in addCommentIn) (*receipt, error) {
	me, err := k.author(ctx)
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
	unclear := false
	for _, c := range list {
		if c.Version.AuthorID == me.ID && k.visibleText(c.Body) == want && !k.certainlyBefore(c.Version.CreatedAt) {
			if !k.since(c.Version.CreatedAt) {
				unclear = true
				continue
			}
			return &receipt{ID: c.ID, Type: onComment, SpaceKey: p.SpaceKey, Version: c.Version.Number, URL: c.WebURL}, nil
		}
	}
	if unclear {
		return nil, errUnclear // the very same words were said shortly before
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

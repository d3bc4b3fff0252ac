package tools

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

// The writes below exist as undoing only: no list has them, and nobody can call
// them by name.

// back makes such a write.
func back[In any](g policy.Group, on func(In) target, prepare func(context.Context, *call, In) (*plan, error)) *tool {
	return write(spec{name: "undo", title: "Undo a change", about: "Put back what a change did.", group: g, action: policy.Update}, on, prepare)
}

type pageBackIn struct {
	PageID string `json:"page_id" is:"id"`
}

func restoreTool() *tool {
	t := back(policy.Pages, func(in pageBackIn) target { return target{kind: onPage, id: in.PageID} }, restorePage)
	t.restores = true
	return t
}

// restorePage takes a page out of the trash: an update with status current,
// which Confluence takes as that and nothing else.
func restorePage(ctx context.Context, k *call, in pageBackIn) (*plan, error) {
	p, err := k.site.Page(ctx, in.PageID, confluence.PageOptions{Format: confluence.Storage})
	if err != nil {
		return nil, err
	}
	if err := k.titleFree(ctx, k.on.space, cmp.Or(p.Type, onPage), p.Title, p.ID); err != nil {
		return nil, err
	}
	if err := forbiddenAdded("", p.Body); err != nil {
		return nil, err
	}
	out := &plan{target: pageReceipt(p), summary: "take page " + p.ID + " out of the trash", base: p.Body, after: titled(p.Title, k.markdown(p.Body, p.SpaceKey)), version: p.Version.Number + 1}
	out.notes = append(out.notes, "Pages that were below it stay where they are now.")
	out.bodyChange("", p.Body, k.home())
	out.change.TargetSpaceKey, out.change.Title = p.SpaceKey, p.Title
	if out.also, err = k.whence(ctx, p); err != nil {
		return nil, err
	}
	out.commit = func(ctx context.Context) (receipt, error) {
		done, err := k.site.UpdatePage(ctx, confluence.PageUpdate{ID: p.ID, Type: cmp.Or(p.Type, onPage), Status: confluence.StatusCurrent, Title: p.Title, Body: p.Body,
			Version: p.Version.Number + 1, Message: k.marked("")})
		r := pageReceipt(done)
		r.SpaceKey, r.URL = cmp.Or(r.SpaceKey, p.SpaceKey), cmp.Or(r.URL, p.WebURL)
		return r, err
	}
	out.inverse = func(_ context.Context, r receipt) inverse {
		return inverse{Final: "It was deleted and restored; delete it again with confluence_delete_page."}
	}
	return out, nil
}

func (k *call) inTrash(ctx context.Context) error {
	p, err := k.site.Page(ctx, k.inverse.ID, confluence.PageOptions{})
	switch {
	case confluence.KindOf(err) == confluence.NotFound && err != nil:
		return notUndone("The page is not in the trash any more, or you may not see it there.")
	case err != nil:
		return err
	case p.Status != confluence.StatusTrashed:
		return notUndone("The page is not in the trash; somebody restored it.")
	case p.Version.Number != k.inverse.Version:
		return edited("page", k.inverse.Version, p.Version.Number)
	}
	return nil
}

type commentBackIn struct {
	CommentID string `json:"comment_id" is:"id"`
}

func commentBackTool() *tool {
	return back(policy.Pages, func(in commentBackIn) target { return target{kind: onComment, id: in.CommentID} }, restoreComment)
}

// restoreComment writes back what the comment was. Its history tells no text,
// so the journal keeps it.
func restoreComment(_ context.Context, k *call, _ commentBackIn) (*plan, error) {
	c, space := k.on.comment, k.request.Resource.SpaceKey
	u := confluence.CommentUpdate{ID: c.ID, Kind: c.Kind, Body: c.Body, Version: c.Version.Number + 1, Resolved: k.inverse.Resolved}
	if k.inverse.Body != nil {
		u.Body = *k.inverse.Body
	}
	if err := forbiddenAdded(c.Body, u.Body); err != nil {
		return nil, err
	}
	out := &plan{target: k.commentReceipt(*c), summary: "change comment " + c.ID + " back", base: c.Body, before: k.markdown(c.Body, space), after: k.markdown(u.Body, space)}
	out.bodyChange(c.Body, u.Body, k.home())
	out.change.TargetSpaceKey = space
	out.commit = func(ctx context.Context) (receipt, error) {
		made := u
		made.Message = k.marked("")
		done, err := k.site.UpdateComment(ctx, made)
		return k.commentReceipt(done), err
	}
	return out, nil
}

type fileBackIn struct {
	AttachmentID string `json:"attachment_id" is:"attachment"`
}

func fileBackTool() *tool {
	return back(policy.Attachments, func(in fileBackIn) target { return target{kind: onAttachment, id: in.AttachmentID} }, restoreFile)
}

// restoreFile makes a new version of a file with the bytes of the one before.
func restoreFile(ctx context.Context, k *call, _ fileBackIn) (*plan, error) {
	a, p := k.on.attachment, k.on.page
	content, err := k.oldBytes(ctx, *a)
	if err != nil {
		return nil, err
	}
	if err := refuseExecutable(a.Title, content); err != nil {
		return nil, err
	}
	size := int64(len(content))
	out := &plan{worded: true, summary: fmt.Sprintf("make version %d of %s the current one again", k.inverse.Before, line(a.Title)), base: baseOfFile(*a)}
	out.before = fileInWords(*a)
	out.after = fmt.Sprintf("%s (%d bytes, sha256 %s)", line(a.Title), size, bodySum(string(content)))
	out.target = receipt{ID: a.ID, Type: onAttachment, Title: line(a.Title), SpaceKey: p.SpaceKey, Version: a.Version.Number, URL: cmp.Or(a.WebURL, p.WebURL)}
	out.change = policy.Change{TargetSpaceKey: p.SpaceKey, TargetParentID: p.ID, Title: a.Title, MediaType: a.MediaType, BodyBytes: size, AddedBytes: size}
	out.commit = func(ctx context.Context) (receipt, error) {
		done, err := k.site.Upload(ctx, confluence.Upload{PageID: p.ID, AttachmentID: a.ID, FileName: a.Title, MediaType: a.MediaType,
			Comment: k.marked(fmt.Sprintf("Restored from version %d", k.inverse.Before)), Size: size, Content: bytes.NewReader(content)})
		return receipt{ID: done.ID, Type: onAttachment, Title: line(done.Title), SpaceKey: p.SpaceKey, Version: done.Version.Number, URL: cmp.Or(done.WebURL, p.WebURL)}, err
	}
	return out, nil
}

// oldBytes reads the version of a file that a change replaced.
func (k *call) oldBytes(ctx context.Context, a confluence.Attachment) (content []byte, err error) {
	most := k.catalog.cfg.Limits.UploadBytes
	a.Pinned, a.Version.Number = true, k.inverse.Before
	stream, err := k.site.Download(ctx, a, 0, most)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }() // read to its end, or given up
	content, err = io.ReadAll(io.LimitReader(stream, most))
	if err == nil && int64(len(content)) >= most {
		err = notUndone(fmt.Sprintf("The version before has %d bytes or more, and no larger file is attached here.", most))
	}
	return content, err
}

// placeOf is where a page stands, for a move to be undone: beside a neighbour,
// else under its parent.
func (k *call) placeOf(ctx context.Context, p confluence.Page) (targetID, where string) {
	row, err := k.site.Children(ctx, p.ParentID, cmp.Or(p.ParentType, onPage), confluence.Paging{Limit: 250})
	if err != nil {
		return p.ParentID, confluence.MoveAppend
	}
	all := inOrder(row.Items)
	at := slices.IndexFunc(all, func(n confluence.Node) bool { return n.ID == p.ID })
	isPage := func(i int) bool {
		return at >= 0 && i >= 0 && i < len(all) && (all[i].Type == "" || all[i].Type == confluence.TypePage)
	}
	switch {
	case isPage(at - 1):
		return all[at-1].ID, confluence.MoveAfter
	case isPage(at + 1):
		return all[at+1].ID, confluence.MoveBefore
	}
	return p.ParentID, confluence.MoveAppend
}

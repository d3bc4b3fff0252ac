package rest

import (
	"context"
	"net/http"

	"confluence-mcp/internal/confluence"
)

type wireComment struct {
	ID         text        `json:"id"`
	Status     text        `json:"status"`
	PageID     text        `json:"pageId"`
	BlogPostID text        `json:"blogPostId"`
	ParentID   text        `json:"parentCommentId"`
	Resolution text        `json:"resolutionStatus"`
	Version    wireVersion `json:"version"`
	Body       wireBody    `json:"body"`
	Properties struct {
		Selection text `json:"inlineOriginalSelection"`
		Older     text `json:"inline-original-selection"`
	} `json:"properties"`
	Links links `json:"_links"`
}

func (c *Client) shapeComment(kind string) func(wireComment) confluence.Comment {
	return func(w wireComment) confluence.Comment {
		c.learnBase(w.Links.Base)
		return confluence.Comment{
			ID: string(w.ID), Kind: kind, PageID: orElse(string(w.PageID), string(w.BlogPostID)), ParentID: string(w.ParentID),
			Status: string(w.Status), Resolution: string(w.Resolution),
			Selection: orElse(string(w.Properties.Selection), string(w.Properties.Older)),
			Body:      w.Body.text(), Version: w.Version.shape(), WebURL: c.webURL(w.Links.WebUI),
		}
	}
}

func commentPath(op, kind string) (string, error) {
	switch kind {
	case confluence.CommentFooter, confluence.CommentInline:
		return kind + "-comments", nil
	}
	return "", &confluence.Error{Kind: confluence.Invalid, Op: op, Message: "the kind of comment is not known", Next: "Use footer or inline."}
}

// Comments lists the root comments of one kind on a page or blog post, bodies
// included.
func (c *Client) Comments(ctx context.Context, pageID, contentType, kind string, p confluence.Paging) (confluence.List[confluence.Comment], error) {
	const op = "list comments"
	var none confluence.List[confluence.Comment]
	collection, err := contentPath(op, contentType)
	if err != nil {
		return none, err
	}
	suffix, err := commentPath(op, kind)
	if err != nil {
		return none, err
	}
	if err := needID(op, pageID); err != nil {
		return none, err
	}
	req := read(op, "page "+pageID, "/wiki/api/v2/"+collection+"/{id}/"+suffix, pageID)
	req.set("body-format", string(confluence.Storage)).set("limit", limitOf(p, maxV2Limit))
	l, err := listCursor(ctx, c, req, p, c.shapeComment(kind))
	return l, outward(err)
}

// Replies lists the direct answers to a comment. Confluence leaves out whose
// answers they are; ParentID is filled in.
func (c *Client) Replies(ctx context.Context, commentID, kind string, p confluence.Paging) (confluence.List[confluence.Comment], error) {
	const op = "list replies"
	var none confluence.List[confluence.Comment]
	collection, err := commentPath(op, kind)
	if err != nil {
		return none, err
	}
	if err := needID(op, commentID); err != nil {
		return none, err
	}
	req := read(op, "comment "+commentID, "/wiki/api/v2/"+collection+"/{id}/children", commentID)
	req.set("body-format", string(confluence.Storage)).set("limit", limitOf(p, maxV2Limit))
	shape := c.shapeComment(kind)
	l, err := listCursor(ctx, c, req, p, func(w wireComment) confluence.Comment {
		w.ParentID = text(orElse(string(w.ParentID), commentID))
		return shape(w)
	})
	return l, outward(err)
}

// Comment finds a footer or inline comment by id.
func (c *Client) Comment(ctx context.Context, id string) (confluence.Comment, error) {
	if err := needID("get comment", id); err != nil {
		return confluence.Comment{}, err
	}
	found, err := c.comment(ctx, id, confluence.CommentFooter)
	if confluence.KindOf(err) == confluence.NotFound {
		found, err = c.comment(ctx, id, confluence.CommentInline)
	}
	return found, c.judged(ctx, err)
}

func (c *Client) comment(ctx context.Context, id, kind string) (confluence.Comment, error) {
	collection, err := commentPath("get comment", kind)
	if err != nil {
		return confluence.Comment{}, err
	}
	req := read("get comment", "comment "+id, "/wiki/api/v2/"+collection+"/{id}", id)
	w, err := fetch[wireComment](ctx, c.w, req.set("body-format", string(confluence.Storage)))
	if err != nil {
		return confluence.Comment{}, err
	}
	return c.shapeComment(kind)(w), nil
}

// CreateComment makes a comment or a reply.
func (c *Client) CreateComment(ctx context.Context, n confluence.NewComment) (confluence.Comment, error) {
	const op = "create comment"
	body, kind, err := newCommentBody(op, n)
	if err != nil {
		return confluence.Comment{}, err
	}
	collection, err := commentPath(op, kind)
	if err != nil {
		return confluence.Comment{}, err
	}
	req, err := write(http.MethodPost, op, "on page "+n.PageID, "/wiki/api/v2/"+collection).with(body)
	if err != nil {
		return confluence.Comment{}, err
	}
	w, err := fetch[wireComment](ctx, c.w, req)
	if err != nil {
		return confluence.Comment{}, c.judged(ctx, err)
	}
	return c.shapeComment(kind)(w), nil
}

// newCommentBody is the body for a reply, an inline or a footer comment, and
// the kind it makes.
func newCommentBody(op string, n confluence.NewComment) (map[string]any, string, error) {
	body := map[string]any{"body": storage(n.Body)}
	if n.ParentID != "" {
		body["parentCommentId"] = n.ParentID
		return body, orElse(n.Kind, confluence.CommentFooter), needID(op, n.ParentID)
	}
	key := "pageId"
	if n.PageType == confluence.TypeBlogPost {
		key = "blogPostId"
	}
	body[key] = n.PageID
	if n.Selection == "" {
		return body, confluence.CommentFooter, needID(op, n.PageID)
	}
	body["inlineCommentProperties"] = map[string]any{
		"textSelection": n.Selection, "textSelectionMatchCount": n.MatchCount, "textSelectionMatchIndex": n.MatchIndex,
	}
	return body, confluence.CommentInline, needID(op, n.PageID)
}

// UpdateComment changes body or resolution; an empty Body keeps the text. Kind
// Conflict for a stale version; a lost answer is settled by reading the comment
// again.
func (c *Client) UpdateComment(ctx context.Context, u confluence.CommentUpdate) (confluence.Comment, error) {
	const op = "update comment"
	collection, err := commentPath(op, u.Kind)
	if err != nil {
		return confluence.Comment{}, err
	}
	if err := needID(op, u.ID); err != nil {
		return confluence.Comment{}, err
	}
	if u.Body == "" { // a comment is never empty, and sending none would wipe it
		now, err := c.comment(ctx, u.ID, u.Kind)
		if err != nil {
			return confluence.Comment{}, c.judged(ctx, err)
		}
		u.Body = now.Body
	}
	version := map[string]any{"number": u.Version}
	if u.Message != "" {
		version["message"] = u.Message
	}
	body := map[string]any{"version": version, "body": storage(u.Body)}
	if u.Resolved != nil && u.Kind == confluence.CommentInline {
		body["resolved"] = *u.Resolved
	}
	req, err := write(http.MethodPut, op, "comment "+u.ID, "/wiki/api/v2/"+collection+"/{id}", u.ID).with(body)
	if err != nil {
		return confluence.Comment{}, err
	}
	w, err := fetch[wireComment](ctx, c.w, req)
	if err == nil {
		return c.shapeComment(u.Kind)(w), nil
	}
	if f := asFailure(err); f != nil && f.inDoubt() {
		now, readErr := c.comment(ctx, u.ID, u.Kind)
		if readErr == nil && now.Version.Number == u.Version && sameBody(now.Body, u.Body) {
			return now, nil
		}
	}
	return confluence.Comment{}, c.judged(ctx, err)
}

// DeleteComment deletes for good: comments have no trash.
func (c *Client) DeleteComment(ctx context.Context, id, kind string) error {
	const op = "delete comment"
	collection, err := commentPath(op, kind)
	if err != nil {
		return err
	}
	if err := needID(op, id); err != nil {
		return err
	}
	_, err = c.w.do(ctx, write(http.MethodDelete, op, "comment "+id, "/wiki/api/v2/"+collection+"/{id}", id))
	return c.judged(ctx, err)
}

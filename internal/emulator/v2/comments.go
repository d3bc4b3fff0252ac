package v2

import (
	"slices"
	"strings"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// flavour is one of the two kinds of comments.
type flavour string

const (
	footer flavour = "footer"
	inline flavour = "inline"
)

func (f flavour) plural() string { return string(f) + "-comments" }

func (f flavour) is(c *site.Content) bool {
	return c.Type == "comment" && (c.Inline != nil) == (f == inline)
}

// footerComments is GET /{pages|blogposts}/{id}/footer-comments.
func (k kind) footerComments(rq request, v *site.View) (any, error) { return k.comments(rq, v, footer) }

// inlineComments is GET /{pages|blogposts}/{id}/inline-comments.
func (k kind) inlineComments(rq request, v *site.View) (any, error) { return k.comments(rq, v, inline) }

// comments lists root comments only.
func (k kind) comments(rq request, v *site.View, f flavour) (any, error) {
	c, err := k.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	return f.below(rq, v, c)
}

// children is GET /{footer|inline}-comments/{id}/children: one level.
func (f flavour) children(rq request, v *site.View) (any, error) {
	c, err := f.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	return f.below(rq, v, c)
}

// below lists the comments of a flavour right below a content or a comment.
func (f flavour) below(rq request, v *site.View, c *site.Content) (any, error) {
	format, err := rq.oneOf("body-format", listFormats()...)
	if err != nil {
		return nil, err
	}
	resolutions, err := rq.someOf("resolution-status", nil, "open", "reopened", "resolved", "dangling")
	if err != nil {
		return nil, err
	}
	sort, err := rq.oneOf("sort", "", "created-date", "-created-date", "modified-date", "-modified-date")
	if err != nil {
		return nil, err
	}
	rows := slices.DeleteFunc(v.Comments(c.ID), func(k *site.Content) bool {
		return !f.is(k) || f == inline && len(resolutions) > 0 && !slices.Contains(resolutions, k.Resolution)
	})
	field, desc := strings.CutPrefix(sort, "-")
	slices.SortStableFunc(rows, byField(strings.TrimSuffix(field, "-date")))
	if desc {
		slices.Reverse(rows)
	}
	return slice(rq, 25, rows, func(k *site.Content) any { return commentShape(v, k, format) })
}

func (f flavour) byPath(rq request, v *site.View) (*site.Content, error) {
	id, err := rq.id()
	if err != nil {
		return nil, err
	}
	c, ok := v.Content(id)
	if !ok || !f.is(c) {
		return nil, missing("Could not find comment with id [%s]", id)
	}
	return c, nil
}

// single is GET /{footer|inline}-comments/{id}.
func (f flavour) single(rq request, v *site.View) (any, error) {
	c, err := f.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	format, err := rq.oneOf("body-format", singleFormats()...)
	if err != nil {
		return nil, err
	}
	out := commentShape(v, c, format)
	n, err := rq.number("version", 0, 1, 1<<31-1)
	if err != nil {
		return nil, err
	}
	if n != 0 && n != c.Version {
		ver, ok := v.Version(c, n)
		if !ok {
			return nil, missing("Could not find version [%d] of content with id [%s]", n, c.ID)
		}
		out["version"], out["body"] = versionShape(ver), body(v, c, ver.Storage, format)
	}
	out["_links"].(object)["base"] = rq.call.Base
	return out, nil
}

// versions is GET /{footer|inline}-comments/{id}/versions.
func (f flavour) versions(rq request, v *site.View) (any, error) {
	c, err := f.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	return versionList(rq, v, c, "comment")
}

func commentShape(v *site.View, c *site.Content, format string) object {
	node := v.Container(c)
	out := object{
		"id": c.ID, "status": c.Status, "title": "Re: " + node.Title, "version": versionShape(newest(c)),
		"body": body(v, c, c.Storage, format), "_links": object{"webui": wire.WebPath(v, c)},
	}
	if up, ok := v.Content(c.Parent); ok {
		switch up.Type {
		case "comment":
			out["parentCommentId"] = up.ID
		case "attachment":
			out["attachmentId"] = up.ID
		}
	}
	if node.Type == "blogpost" {
		out["blogPostId"] = node.ID
	} else {
		out["pageId"] = node.ID
	}
	if c.Inline != nil {
		out["resolutionStatus"] = c.Resolution
		out["properties"] = object{"inlineMarkerRef": c.Inline.Marker, "inlineOriginalSelection": c.Inline.Selection}
	}
	return out
}

// comment is the body of POST /footer-comments and /inline-comments.
type comment struct {
	PageID       string   `json:"pageId"`
	BlogPostID   string   `json:"blogPostId"`
	ParentID     string   `json:"parentCommentId"`
	AttachmentID string   `json:"attachmentId"`
	CustomID     string   `json:"customContentId"`
	Body         *written `json:"body"`
	Inline       *struct {
		Selection string `json:"textSelection"`
		Count     int    `json:"textSelectionMatchCount"`
		Index     int    `json:"textSelectionMatchIndex"`
	} `json:"inlineCommentProperties"`
}

// createFooter is POST /footer-comments.
func createFooter(rq request, e *site.Edit) (any, error) {
	return footer.create(rq, e, func(in comment, d *site.Draft) error {
		if in.Inline != nil {
			return invalid("inlineCommentProperties belong to inline comments")
		}
		return nil
	})
}

// createInline is POST /inline-comments.
func createInline(rq request, e *site.Edit) (any, error) {
	return inline.create(rq, e, func(in comment, d *site.Draft) error {
		if in.ParentID != "" {
			return nil // a reply stands where its comment stands
		}
		if in.Inline == nil || in.Inline.Selection == "" {
			return invalid("inlineCommentProperties.textSelection is required")
		}
		d.Inline = &site.Inline{Selection: in.Inline.Selection, Count: in.Inline.Count, Index: in.Inline.Index}
		return nil
	})
}

func (f flavour) create(rq request, e *site.Edit, finish func(comment, *site.Draft) error) (any, error) {
	var in comment
	if err := rq.decode(&in); err != nil {
		return nil, err
	}
	parent, err := in.container(e, f)
	if err != nil {
		return nil, err
	}
	storage, err := in.Body.storageOf()
	if err != nil {
		return nil, err
	}
	if storage == "" {
		return nil, invalid("body is required")
	}
	d := site.Draft{Parent: parent, Storage: storage}
	if err := finish(in, &d); err != nil {
		return nil, err
	}
	c, err := e.CreateComment(d)
	if err != nil {
		return nil, err
	}
	return f.written(rq, e, c), nil
}

func (f flavour) written(rq request, e *site.Edit, c *site.Content) object {
	out := commentShape(&e.View, c, "storage")
	out["_links"].(object)["base"] = rq.call.Base
	return out
}

// container is the one id that says where a comment goes.
func (in comment) container(e *site.Edit, f flavour) (string, error) {
	named := map[string]string{}
	for typ, id := range map[string]string{
		"page": in.PageID, "blogpost": in.BlogPostID, "comment": in.ParentID, "attachment": in.AttachmentID, "custom": in.CustomID,
	} {
		if id != "" {
			named[typ] = id
		}
	}
	if len(named) != 1 {
		return "", invalid("Exactly one of pageId, blogPostId, parentCommentId, attachmentId and customContentId is required")
	}
	for typ, id := range named {
		c, ok := e.Content(id)
		if !ok || c.Type != typ || typ == "comment" && !f.is(c) {
			return "", missing("Could not find %s with id [%s]", typ, id)
		}
		return c.ID, nil
	}
	return "", nil
}

// update is PUT /{footer|inline}-comments/{id}.
func (f flavour) update(rq request, e *site.Edit) (any, error) {
	c, err := f.byPath(rq, &e.View)
	if err != nil {
		return nil, err
	}
	var in revision
	if err := rq.decode(&in); err != nil {
		return nil, err
	}
	if in.Version == nil || in.Version.Number == 0 {
		return nil, invalid("version.number is required")
	}
	ch := site.Change{Version: in.Version.Number, Message: in.Version.Message}
	if in.Body != nil {
		storage, err := in.Body.storageOf()
		if err != nil {
			return nil, err
		}
		ch.Storage = &storage
	}
	if in.Resolved != nil && f == inline {
		ch.Resolution = resolution(c, *in.Resolved)
	}
	if c, err = e.Update(c.ID, ch); err != nil {
		return nil, err
	}
	return f.written(rq, e, c), nil
}

// resolution is the state a comment gets: open ones are resolved, resolved
// ones reopened.
func resolution(c *site.Content, resolved bool) *string {
	to := c.Resolution
	switch {
	case resolved && c.Resolution != "dangling":
		to = "resolved"
	case c.Resolution == "resolved":
		to = "reopened"
	}
	return &to
}

// remove is DELETE /{footer|inline}-comments/{id}: for good.
func (f flavour) remove(rq request, e *site.Edit) (any, error) {
	c, err := f.byPath(rq, &e.View)
	if err != nil {
		return nil, err
	}
	return nil, e.Trash(c.ID)
}

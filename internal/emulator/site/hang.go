package site

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// CreateComment puts a comment on the page or blogpost d.Parent, or a reply
// below the comment d.Parent. With d.Inline it marks the selected text in the
// page's stored body, which makes no new version of the page: 400 when the
// selection is not there or matches another number of times than Count says.
func (e *Edit) CreateComment(d Draft) (*Content, error) {
	up, ok := e.Content(d.Parent)
	if !ok || up.Status == "trashed" {
		return nil, notFound(d.Parent)
	}
	if !e.MayComment(up) {
		return nil, refuse(403, fmt.Sprintf("User is not permitted to comment on content with id [%s]", d.Parent))
	}
	if up.Type == "folder" || up.Type == "comment" && d.Inline != nil && d.Inline.Selection != "" {
		return nil, refuse(400, fmt.Sprintf("A %s takes no such comment", up.Type))
	}
	if err := checkStorage(d.Storage); err != nil {
		return nil, err
	}
	c := &Content{ID: e.site.newID(), Type: "comment", Space: up.Space, Parent: up.ID, Status: "current", Storage: d.Storage}
	switch {
	case up.Type == "comment":
		c.Inline = up.Inline
		c.Resolution = up.Resolution
	case d.Inline != nil:
		inline, err := e.anchor(up, c.ID, *d.Inline)
		if err != nil {
			return nil, err
		}
		c.Inline, c.Resolution = inline, "open"
	}
	return e.born(c, d.Created), nil
}

// anchor writes the marker of a new inline comment into its page.
func (e *Edit) anchor(page *Content, comment string, in Inline) (*Inline, error) {
	n, _ := strconv.ParseUint(comment, 10, 64)
	in.Marker = fmt.Sprintf("%08x-0000-4000-8000-%012x", n&0xffffffff, n)
	body, matches := mark(page.Storage, in.Selection, in.Marker, in.Index)
	if matches == 0 || in.Index < 0 || in.Index >= matches || in.Count != 0 && in.Count != matches {
		return nil, refuse(400, fmt.Sprintf("The text selection does not match: it occurs %d times on the page", matches))
	}
	in.Count = matches
	marked := *page
	marked.Storage = body
	e.site.put(&marked)
	return &in, nil
}

// AddLabels adds labels, in lower case, to a page, blogpost or attachment. 400
// for an empty name or one with a space, 403 on archived content.
func (e *Edit) AddLabels(id string, names []string) (*Content, error) {
	old, err := e.editable(id)
	if err != nil {
		return nil, err
	}
	if old.Status == "archived" {
		return nil, refuse(403, "Archived content cannot be labelled")
	}
	c := *old
	c.Labels = slices.Clone(old.Labels)
	for _, name := range lowered(names) {
		if name == "" || len(name) > 255 || strings.ContainsAny(name, " \t\n:;,?&[]()#^*@!") {
			return nil, refuse(400, fmt.Sprintf("The label name [%s] is not valid", name))
		}
		if !slices.Contains(c.Labels, name) {
			c.Labels = append(c.Labels, name)
		}
	}
	e.site.put(&c)
	return &c, nil
}

// RemoveLabel takes a label off. 403 when it is not there, as the real one.
func (e *Edit) RemoveLabel(id, name string) error {
	old, err := e.editable(id)
	if err != nil {
		return err
	}
	if !slices.Contains(old.Labels, lower(name)) {
		return refuse(403, "Requested label doesn't exist")
	}
	c := *old
	c.Labels = slices.DeleteFunc(slices.Clone(old.Labels), func(l string) bool { return l == lower(name) })
	e.site.put(&c)
	return nil
}

// LabelID is the numeric id of a label, the same in every site.
func (v *View) LabelID(name string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash does not fail
	return strconv.FormatUint(uint64(h.Sum32()), 10)
}

// AttachmentByName finds the current attachment of a file name on a content.
func (v *View) AttachmentByName(id, name string) (*Content, bool) {
	for _, a := range v.Attachments(id) {
		if a.Status == "current" && a.Title == name {
			return a, true
		}
	}
	return nil, false
}

// Attach adds a file (d.Title, d.MediaType, d.Data, d.Comment) to a content.
// A current file of the same name gets a new version if replace is set and is
// refused with 400 if not.
func (e *Edit) Attach(id string, d Draft, replace, minor bool) (*Content, error) {
	up, ok := e.Content(id)
	if !ok || up.Status == "trashed" {
		return nil, notFound(id)
	}
	if !e.MayEdit(up) {
		return nil, refuse(403, fmt.Sprintf("User is not permitted to attach to content with id [%s]", id))
	}
	if d.Title == "" || strings.Contains(d.Title, "/") {
		return nil, refuse(400, fmt.Sprintf("The file name [%s] is not valid", d.Title))
	}
	old, exists := e.AttachmentByName(up.ID, d.Title)
	switch {
	case exists && !replace:
		return nil, refuse(400, fmt.Sprintf("Cannot add a new attachment with same file name as an existing attachment: %s", d.Title))
	case exists:
		return e.Replace(old.ID, d, minor)
	}
	return e.attach(up, d), nil
}

func (e *Edit) attach(up *Content, d Draft) *Content {
	return e.born(&Content{ID: "att" + e.site.newID(), Type: "attachment", Space: up.Space, Parent: up.ID, Title: d.Title, Status: "current",
		MediaType: cmp.Or(d.MediaType, "application/octet-stream"), Data: slices.Clone(d.Data), Comment: d.Comment}, d.Created)
}

// Replace makes a new version of an attachment: new bytes when d.Data is not
// nil, and what else of name, media type and comment d has.
func (e *Edit) Replace(id string, d Draft, minor bool) (*Content, error) {
	old, err := e.editable(id)
	if err != nil {
		return nil, err
	}
	if old.Type != "attachment" || old.Status != "current" {
		return nil, notFound(id)
	}
	c := *old
	c.Title = cmp.Or(d.Title, old.Title)
	c.MediaType = cmp.Or(d.MediaType, old.MediaType)
	c.Comment = d.Comment
	if d.Data != nil {
		c.Data = slices.Clone(d.Data)
	}
	return e.publish(&c, old, Change{Message: d.Comment, Minor: minor}), nil
}

// Restrict sets the own restrictions of a page, blogpost or folder. 400 when
// the user would lock himself out.
func (e *Edit) Restrict(id string, read, update Subjects) (*Content, error) {
	old, err := e.editable(id)
	if err != nil {
		return nil, err
	}
	if !old.isNode() {
		return nil, refuse(400, fmt.Sprintf("A %s has no restrictions of its own", old.Type))
	}
	if !read.Empty() && !e.Named(read) || !update.Empty() && !e.Named(update) {
		return nil, refuse(400, "A restriction that locks out the user who sets it is not allowed")
	}
	c := *old
	c.Read, c.Update = read, update
	e.site.put(&c)
	e.forget()
	return &c, nil
}

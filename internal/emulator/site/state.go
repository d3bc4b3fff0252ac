package site

import (
	"cmp"
	"fmt"
	"slices"
)

// Trash moves a page, blogpost, folder or attachment to the trash. Pages and
// folders below it move up to its parent. A comment has no trash: it is gone,
// with its replies. 404 for what is trashed already.
func (e *Edit) Trash(id string) error {
	old, err := e.editable(id)
	if err != nil {
		return err
	}
	if old.Type == "comment" {
		e.site.drop(old)
		e.forget()
		return nil
	}
	if old.Status == "trashed" {
		return notFound(id)
	}
	e.raise(old)
	c := *old
	c.Status = "trashed"
	e.site.put(&c)
	if e.site.homes[c.Space] == c.ID {
		delete(e.site.homes, c.Space)
	}
	e.forget()
	return nil
}

// raise moves the pages and folders below c up to c's parent.
func (e *Edit) raise(c *Content) {
	for _, kid := range slices.Clone(e.site.kids[c.ID]) {
		if k := e.site.contents[kid]; k.isNode() && k.Status != "trashed" {
			up := *k
			up.Parent = c.Parent
			e.site.put(&up)
		}
	}
}

// restore takes a content out of the trash, to its old parent if that is
// still there and else to the top of its space. It counts as a new version.
func (e *Edit) restore(old *Content) (*Content, error) {
	c := *old
	c.Status = "current"
	if up, ok := e.site.contents[c.Parent]; c.isNode() && (!ok || up.Status == "trashed") {
		c.Parent = e.site.homes[c.Space]
	}
	if err := e.checkText(&c); err != nil {
		return nil, err
	}
	return e.publish(&c, old, Change{}), nil
}

// Purge removes trashed content, and a draft of the user's own, for good.
func (e *Edit) Purge(id string) error {
	c, err := e.editable(id)
	if err != nil {
		return err
	}
	if c.Status != "trashed" && c.Status != "draft" {
		return refuse(400, fmt.Sprintf("Content with id [%s] must be in the trash before it can be purged", id))
	}
	e.site.drop(c)
	e.forget()
	return nil
}

// Archive hides a current page from search and lists it as archived; its title
// stays taken.
func (e *Edit) Archive(id string) error {
	old, err := e.editable(id)
	if err != nil {
		return err
	}
	if old.Type != "page" || old.Status != "current" {
		return refuse(400, fmt.Sprintf("Content with id [%s] is no current page", id))
	}
	c := *old
	c.Status = "archived"
	e.site.put(&c)
	return nil
}

// Move places a page or folder before or after target (another page or folder)
// or appends it below target. With a target in another space everything below
// moves along. No new version is made. 400 for a loop or a title that the other
// space has already.
func (e *Edit) Move(id, position, target string) (*Content, error) {
	c, err := e.editable(id)
	if err != nil {
		return nil, err
	}
	to, ok := e.Content(target)
	if !ok || to.Status != "current" {
		return nil, notFound(target)
	}
	parent := to.ID
	if position != "append" {
		parent = to.Parent
	}
	if err := e.checkMove(c, to, parent); err != nil {
		return nil, err
	}
	moved := *c
	moved.Parent = parent
	moved.Position = e.site.nextPosition()
	e.site.put(&moved)
	if to.Space != c.Space {
		e.takeAlong(&moved, to.Space)
	}
	e.forget()
	if position != "append" {
		e.reorder(moved.ID, position, to)
	}
	final := e.site.contents[c.ID]
	return final, nil
}

func (e *Edit) checkMove(c, to *Content, parent string) error {
	switch {
	case c.Type != "page" && c.Type != "folder" || c.Status != "current":
		return refuse(400, fmt.Sprintf("Content with id [%s] cannot be moved", c.ID))
	case to.ID == c.ID:
		return refuse(400, "A page cannot be moved next to itself")
	case to.Type != "page" && to.Type != "folder":
		return refuse(400, fmt.Sprintf("Content with id [%s] is no place for a page", to.ID))
	case !e.maySpace(to.Space, "write"):
		return refuse(403, fmt.Sprintf("User is not permitted to create content in space [%s]", to.Space))
	}
	for up := e.site.contents[parent]; up != nil; up = e.site.contents[up.Parent] {
		if up.ID == c.ID {
			return refuse(400, "A page cannot be moved below itself")
		}
	}
	if to.Space == c.Space {
		return nil
	}
	for _, k := range e.subtree(c) {
		if reservesTitle(k) && e.site.titleTaken(to.Space, k.Title, k.ID) {
			return refuse(400, titleTakenText)
		}
	}
	return nil
}

// subtree is c and everything below it, comments and attachments included.
func (e *Edit) subtree(c *Content) []*Content {
	out := []*Content{c}
	for i := 0; i < len(out); i++ {
		for _, kid := range e.site.kids[out[i].ID] {
			out = append(out, e.site.contents[kid])
		}
	}
	return out
}

func (e *Edit) takeAlong(c *Content, space string) {
	for _, k := range e.subtree(c) {
		moved := *k
		moved.Space = space
		if e.site.homes[k.Space] == k.ID {
			delete(e.site.homes, k.Space)
		}
		e.site.put(&moved)
	}
}

// reorder numbers the children of to's parent so that id stands next to to.
func (e *Edit) reorder(id, position string, to *Content) {
	var row []*Content
	for _, c := range e.site.contents {
		if c.Parent == to.Parent && c.Space == to.Space && c.isNode() && c.ID != id {
			row = append(row, c)
		}
	}
	slices.SortFunc(row, func(a, b *Content) int { return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.num, b.num)) })
	at := slices.IndexFunc(row, func(c *Content) bool { return c.ID == to.ID })
	if position == "after" {
		at++
	}
	for i, c := range slices.Insert(row, at, e.site.contents[id]) {
		placed := *c
		placed.Position = i
		e.site.put(&placed)
	}
}

// CopyPlan says where a copy of a page goes and what it takes along. Parent is
// a page or folder id; empty means the root of Space (a key). Empty Title keeps
// the title, nil Storage the body.
type CopyPlan struct {
	Space, Parent, Title                     string
	Storage                                  *string
	Attachments, Labels, Permissions, AsRoot bool
}

// Copy makes a new page from one the user can see.
func (e *Edit) Copy(id string, plan CopyPlan) (*Content, error) {
	src, ok := e.Content(id)
	if !ok || src.Status == "trashed" {
		return nil, notFound(id)
	}
	d := Draft{Type: src.Type, Space: plan.Space, Parent: plan.Parent, Title: plan.Title, Storage: src.Storage}
	if up, ok := e.Content(plan.Parent); ok {
		d.Space = up.Space
	}
	if d.Title == "" {
		d.Title = src.Title
	}
	if plan.Storage != nil {
		d.Storage = *plan.Storage
	}
	if plan.Labels {
		d.Labels = src.Labels
	}
	c, err := e.CreatePage(d, plan.AsRoot)
	if err != nil {
		return nil, err
	}
	return e.copyRest(src, c, plan), nil
}

func (e *Edit) copyRest(src, c *Content, plan CopyPlan) *Content {
	if plan.Permissions {
		restricted := *c
		restricted.Read, restricted.Update = src.Read, src.Update
		e.site.put(&restricted)
		c = &restricted
	}
	if plan.Attachments {
		for _, a := range e.Attachments(src.ID) {
			if a.Status == "current" {
				e.attach(c, Draft{Title: a.Title, MediaType: a.MediaType, Data: a.Data, Comment: a.Comment})
			}
		}
	}
	e.forget()
	return c
}

package v2

import (
	"confluence-mcp/internal/emulator/site"
)

// creation is the body of POST /pages, /blogposts and /folders.
type creation struct {
	SpaceID  string   `json:"spaceId"`
	Status   string   `json:"status"`
	Title    string   `json:"title"`
	ParentID string   `json:"parentId"`
	Body     *written `json:"body"`
}

// create is POST /pages and POST /blogposts.
func (k kind) create(rq request, e *site.Edit) (any, error) {
	c, err := k.build(rq, e)
	if err != nil {
		return nil, err
	}
	return k.created(rq, e, c)
}

func (k kind) build(rq request, e *site.Edit) (*site.Content, error) {
	var in creation
	if err := rq.decode(&in); err != nil {
		return nil, err
	}
	if in.SpaceID == "" {
		return nil, invalid("spaceId is required")
	}
	if in.Status != "" && in.Status != "current" && in.Status != "draft" {
		return nil, invalid("Provided value {%s} for 'status' is not one of [current, draft]", in.Status)
	}
	sp, ok := e.Space(in.SpaceID)
	if !ok {
		return nil, missing("Could not find space with id [%s]", in.SpaceID)
	}
	storage, err := in.Body.storageOf()
	if err != nil {
		return nil, err
	}
	if k == blogposts {
		in.ParentID = ""
	}
	d := site.Draft{Type: string(k), Space: sp.Key, Parent: in.ParentID, Title: in.Title, Status: in.Status, Storage: storage}
	c, err := e.CreatePage(d, rq.flag("root-level"))
	if err != nil || !rq.flag("private") {
		return c, err
	}
	own := site.Subjects{Users: []string{rq.call.User}}
	return e.Restrict(c.ID, own, own)
}

// created is the answer to a write: the content with its body as storage.
func (k kind) created(rq request, e *site.Edit, c *site.Content) (any, error) {
	out := pageShape(&e.View, c, "storage")
	delete(out, "subtype")
	out["_links"].(*links).Base = rq.call.Base
	return out, nil
}

// revision is the body of PUT /pages/{id} and of the comments' PUT.
type revision struct {
	ID       string   `json:"id"`
	Status   string   `json:"status"`
	Title    *string  `json:"title"`
	SpaceID  string   `json:"spaceId"`
	ParentID *string  `json:"parentId"`
	Body     *written `json:"body"`
	Resolved *bool    `json:"resolved"`
	Version  *struct {
		Number  int    `json:"number"`
		Message string `json:"message"`
		Minor   bool   `json:"minorEdit"`
	} `json:"version"`
}

// update is PUT /pages/{id} and PUT /blogposts/{id}.
func (k kind) update(rq request, e *site.Edit) (any, error) {
	old, err := k.byPath(rq, &e.View)
	if err != nil {
		return nil, err
	}
	var in revision
	if err := rq.decode(&in); err != nil {
		return nil, err
	}
	if err := in.check(old, spaceID(&e.View, old)); err != nil {
		return nil, err
	}
	ch := site.Change{Version: in.Version.Number, Title: in.Title, Status: &in.Status, Message: in.Version.Message, Minor: in.Version.Minor}
	if in.ParentID != nil && *in.ParentID != "" && k == pages {
		ch.Parent = in.ParentID
	}
	if old.Status != "trashed" { // a restore ignores the body
		storage, err := in.Body.storageOf()
		if err != nil {
			return nil, err
		}
		ch.Storage = &storage
	}
	c, err := e.Update(old.ID, ch)
	if err != nil {
		return nil, err
	}
	return k.created(rq, e, c)
}

// check refuses an update that leaves out what is required or names another
// content or space than the one it is for.
func (in revision) check(old *site.Content, space any) error {
	switch {
	case in.ID != old.ID:
		return invalid("id in the request body {%s} does not match the path {%s}", in.ID, old.ID)
	case in.Title == nil:
		return invalid("title is required")
	case in.Body == nil:
		return invalid("body is required")
	case in.Version == nil || in.Version.Number == 0:
		return invalid("version.number is required")
	case in.Status != "current" && in.Status != "draft":
		return invalid("Provided value {%s} for 'status' is not one of [current, draft]", in.Status)
	case in.SpaceID != "" && in.SpaceID != space:
		return invalid("spaceId cannot be changed by an update")
	}
	return nil
}

// updateTitle is PUT /pages/{id}/title, which has no version to check.
func updateTitle(rq request, e *site.Edit) (any, error) {
	old, err := pages.byPath(rq, &e.View)
	if err != nil {
		return nil, err
	}
	var in revision
	if err := rq.decode(&in); err != nil {
		return nil, err
	}
	if in.Title == nil || in.Status == "" {
		return nil, invalid("status and title are required")
	}
	c, err := e.Update(old.ID, site.Change{Title: in.Title})
	if err != nil {
		return nil, err
	}
	return pages.created(rq, e, c)
}

// remove is DELETE: to the trash, or out of it for good with purge, or for
// good at once with draft.
func (k kind) remove(rq request, e *site.Edit) (any, error) {
	c, err := k.byPath(rq, &e.View)
	if err != nil {
		return nil, err
	}
	switch {
	case rq.flag("purge"):
		return nil, e.Purge(c.ID)
	case rq.flag("draft"):
		if c.Status != "draft" {
			return nil, k.none(c.ID)
		}
		return nil, e.Purge(c.ID)
	case c.Status == "draft":
		return nil, k.none(c.ID)
	}
	return nil, e.Trash(c.ID)
}

// createFolder is POST /folders.
func createFolder(rq request, e *site.Edit) (any, error) {
	c, err := folders.build(rq, e)
	if err != nil {
		return nil, err
	}
	return folderShape(rq, &e.View, c), nil
}

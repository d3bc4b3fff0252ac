package v1

import (
	"cmp"
	"net/http"
	"slices"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// legacyWriteRoutes are writes that left the published document and still
// work. The product does not call them; older clients do.
func legacyWriteRoutes() []wire.Route {
	write := alternatives("write:confluence-content", "read:content-details:confluence write:content:confluence")
	remove := anyOf("write:confluence-content", "delete:content:confluence")
	return []wire.Route{
		gone(route(http.MethodPost, "content", write, writing(createContent))),
		gone(route(http.MethodPut, "content/{id}", write, writing(updateContent))),
		gone(route(http.MethodDelete, "content/{id}", remove, writing(deleteContent))),
	}
}

// contentBody is what is read of a content that is created or updated.
type contentBody struct {
	Type      string
	Title     string
	Status    string
	Space     struct{ Key string }
	Container *struct{ ID string }
	Ancestors []struct{ ID string }
	Body      *struct {
		Storage *struct{ Value string }
	}
	Version struct {
		Number    int
		Message   string
		MinorEdit bool
	}
}

func (b contentBody) storage() *string {
	if b.Body == nil || b.Body.Storage == nil {
		return nil
	}
	return &b.Body.Storage.Value
}

// parent is the last of the named ancestors.
func (b contentBody) parent() string {
	if len(b.Ancestors) == 0 {
		return ""
	}
	return b.Ancestors[len(b.Ancestors)-1].ID
}

func createContent(e *site.Edit, q request) (any, error) {
	var b contentBody
	if err := q.decode(&b); err != nil {
		return nil, err
	}
	d := site.Draft{Type: b.Type, Space: b.Space.Key, Parent: b.parent(), Title: b.Title, Status: b.Status}
	if s := b.storage(); s != nil {
		d.Storage = *s
	}
	var made *site.Content
	var err error
	switch {
	case b.Type == "comment" && b.Container != nil:
		d.Parent = cmp.Or(b.parent(), b.Container.ID)
		made, err = e.CreateComment(d)
	case slices.Contains([]string{"page", "blogpost"}, b.Type):
		made, err = e.CreatePage(d, false)
	default:
		return nil, refuse(http.StatusBadRequest, "Content of type %q cannot be created here", b.Type)
	}
	if err != nil {
		return nil, err
	}
	return q.content(&e.View, made, q.withDefaults())
}

func updateContent(e *site.Edit, q request) (any, error) {
	old, err := q.find(&e.View, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	var b contentBody
	if err := q.decode(&b); err != nil {
		return nil, err
	}
	if b.Version.Number == 0 {
		return nil, refuse(http.StatusBadRequest, "version.number is required")
	}
	ch := site.Change{Version: b.Version.Number, Message: b.Version.Message, Minor: b.Version.MinorEdit, Storage: b.storage()}
	if b.Title != "" && old.Type != "comment" {
		ch.Title = &b.Title
	}
	if b.Status != "" {
		ch.Status = &b.Status
	}
	if up := b.parent(); up != "" {
		ch.Parent = &up
	}
	made, err := e.Update(old.ID, ch)
	if err != nil {
		return nil, err
	}
	return q.content(&e.View, made, q.withDefaults())
}

// deleteContent trashes; with status=trashed it purges.
func deleteContent(e *site.Edit, q request) (any, error) {
	c, err := q.find(&e.View, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	remove := e.Trash
	if q.query("status") == "trashed" {
		remove = e.Purge
	}
	if err := remove(c.ID); err != nil {
		return nil, err
	}
	return reply{status: http.StatusNoContent}, nil
}

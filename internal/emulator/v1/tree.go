package v1

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

func (k *kit) treeRoutes() []wire.Route {
	write := anyOf("write:confluence-content", "write:page:confluence")
	copying := alternatives("write:confluence-content", "read:content-details:confluence write:page:confluence")
	archive := alternatives("write:confluence-content", "read:content.metadata:confluence write:page:confluence")
	restore := alternatives("write:confluence-content", "read:content-details:confluence write:content:confluence")
	remove := anyOf("write:confluence-content", "delete:content:confluence")
	return []wire.Route{
		route(http.MethodPut, "content/{id}/move/{position}/{target}", write, writing(movePage)),
		route(http.MethodPost, "content/{id}/copy", copying, writing(copyPage)),
		route(http.MethodPost, "content/archive", archive, writing(k.archivePages)),
		route(http.MethodPost, "content/{id}/version", restore, writing(restoreVersion)),
		route(http.MethodDelete, "content/{id}/version/{number}", remove, writing(deleteVersion)),
	}
}

func movePage(e *site.Edit, q request) (any, error) {
	position := q.PathValue("position")
	if !slices.Contains([]string{"before", "after", "append"}, position) {
		return nil, refuse(http.StatusBadRequest, "Unknown position: %s", position)
	}
	c, err := e.Move(q.PathValue("id"), position, q.PathValue("target"))
	if err != nil {
		return nil, err
	}
	return object{"pageId": c.ID}, nil
}

type copyBody struct {
	CopyAttachments, CopyPermissions, CopyLabels bool
	Destination                                  struct{ Type, Value string }
	PageTitle                                    string
	Body                                         *struct{ Storage *struct{ Value string } }
}

// copyPage copies into a space, below a parent, or over an existing page.
func copyPage(e *site.Edit, q request) (any, error) {
	src, err := q.find(&e.View, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	var b copyBody
	if err := q.decode(&b); err != nil {
		return nil, err
	}
	plan := site.CopyPlan{Title: b.PageTitle, Attachments: b.CopyAttachments, Labels: b.CopyLabels, Permissions: b.CopyPermissions}
	if b.Body != nil && b.Body.Storage != nil {
		plan.Storage = &b.Body.Storage.Value
	}
	var made *site.Content
	switch b.Destination.Type {
	case "space":
		plan.Space, plan.AsRoot = b.Destination.Value, true
		made, err = e.Copy(src.ID, plan)
	case "parent_page", "parent_content":
		plan.Parent = b.Destination.Value
		made, err = e.Copy(src.ID, plan)
	case "existing_page":
		made, err = overwrite(e, src, b)
	default:
		return nil, refuse(http.StatusBadRequest, "Unknown destination type: %q", b.Destination.Type)
	}
	if err != nil {
		return nil, err
	}
	return q.content(&e.View, made, q.withDefaults())
}

// overwrite puts the source's body over a page that exists.
func overwrite(e *site.Edit, src *site.Content, b copyBody) (*site.Content, error) {
	to, ok := e.Content(b.Destination.Value)
	if !ok || to.Type != "page" {
		return nil, missing(b.Destination.Value)
	}
	ch := site.Change{Storage: &src.Storage}
	if b.Body != nil && b.Body.Storage != nil {
		ch.Storage = &b.Body.Storage.Value
	}
	if b.PageTitle != "" {
		ch.Title = &b.PageTitle
	}
	return e.Update(to.ID, ch)
}

const maxArchive = 300

// archivePages answers an unknown id with 500, as the real one does.
func (k *kit) archivePages(e *site.Edit, q request) (any, error) {
	var b struct{ Pages []struct{ ID json.Number } }
	if err := q.decode(&b); err != nil {
		return nil, err
	}
	if len(b.Pages) == 0 || len(b.Pages) > maxArchive {
		return nil, refuse(http.StatusBadRequest, "1 to %d pages can be archived at a time", maxArchive)
	}
	var ids []string
	for _, p := range b.Pages {
		c, ok := e.Content(p.ID.String())
		switch {
		case !ok:
			return nil, refuse(http.StatusInternalServerError, "java.lang.NullPointerException")
		case !e.MayEdit(c):
			return nil, refuse(http.StatusForbidden, "User is not permitted to archive content with id [%s]", c.ID)
		case c.Type != "page" || c.Status != "current":
			return nil, refuse(http.StatusBadRequest, "Content with id [%s] is no current page", c.ID)
		}
		if !slices.Contains(ids, c.ID) {
			ids = append(ids, c.ID)
		}
	}
	for _, id := range ids {
		if err := e.Archive(id); err != nil {
			return nil, err
		}
	}
	return k.tasks.start(q, "com.atlassian.confluence.archive"), nil
}

func restoreVersion(e *site.Edit, q request) (any, error) {
	c, err := q.find(&e.View, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	var b struct {
		OperationKey string
		Params       struct {
			VersionNumber int
			Message       string
			RestoreTitle  bool
		}
	}
	if err := q.decode(&b); err != nil {
		return nil, err
	}
	if b.OperationKey != "restore" {
		return nil, refuse(http.StatusBadRequest, "Unknown operation: %q", b.OperationKey)
	}
	if c, err = e.RestoreVersion(c.ID, b.Params.VersionNumber, b.Params.Message, b.Params.RestoreTitle); err != nil {
		return nil, err
	}
	return q.version(&e.View, c.Version, newest(&e.View, c)), nil
}

func deleteVersion(e *site.Edit, q request) (any, error) {
	c, err := q.find(&e.View, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(q.PathValue("number"))
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "Bad version number: %s", q.PathValue("number"))
	}
	if err := e.DeleteVersion(c.ID, n); err != nil {
		return nil, err
	}
	return reply{status: http.StatusNoContent}, nil
}

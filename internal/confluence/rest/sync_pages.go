package rest

import (
	"context"

	"confluence-mcp/internal/confluence"
)

// Bodies reads current pages, or blog posts, with their storage bodies by their
// ids, at most 250 in one answer. One that is gone, hidden or not current is
// missing. Kind Limited, code limit.too_large, when fewer must be asked for.
func (c *Client) Bodies(ctx context.Context, contentType string, ids []string) ([]confluence.Page, error) {
	const op = "read bodies"
	kind := orElse(contentType, confluence.TypePage)
	collection, err := contentPath(op, kind)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	if len(ids) > maxV2Limit {
		return nil, &confluence.Error{Kind: confluence.Invalid, Op: op, Message: "more than 250 ids at once", Next: "Ask in parts."}
	}
	for _, id := range ids {
		if err := needID(op, id); err != nil {
			return nil, err
		}
	}
	req := read(op, "", "/wiki/api/v2/"+collection).set("status", confluence.StatusCurrent)
	req.query["id"] = ids
	req.set("body-format", string(confluence.Storage)).set("limit", itoa(maxV2Limit))
	req.limit = maxBulk
	l, err := listCursor(ctx, c, req, confluence.Paging{}, c.shapePage(kind))
	if err != nil {
		return nil, outward(err)
	}
	return l.Items, c.fillKeys(ctx, l.Items)
}

// Folder reads a folder: its place and title.
func (c *Client) Folder(ctx context.Context, id string) (confluence.Page, error) {
	const op = "get folder"
	if err := needID(op, id); err != nil {
		return confluence.Page{}, err
	}
	w, err := fetch[wirePage](ctx, c.w, read(op, "folder "+id, "/wiki/api/v2/folders/{id}", id))
	if err != nil {
		return confluence.Page{}, c.judged(ctx, err)
	}
	return c.withKey(ctx, c.shapePage(confluence.TypeFolder)(w))
}

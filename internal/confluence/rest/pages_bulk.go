package rest

import (
	"context"
	"slices"

	"confluence-mcp/internal/confluence"
)

// maxBulkPages is how many pages one request asks for: 250 are possible, but
// their ids travel in the address.
const maxBulkPages = 100

// PagesByID reads pages, or blog posts, of many ids without their bodies. One that is not there, is not current or cannot be
// seen is missing from the answer.
func (c *Client) PagesByID(ctx context.Context, ids []string, contentType string) (map[string]confluence.Page, error) {
	const op = "get pages"
	kind := orElse(contentType, confluence.TypePage)
	collection, err := contentPath(op, kind)
	if err != nil {
		return nil, err
	}
	pages := map[string]confluence.Page{}
	for part := range slices.Chunk(ids, maxBulkPages) {
		for _, id := range part {
			if err := needID(op, id); err != nil {
				return nil, err
			}
		}
		req := read(op, "", "/wiki/api/v2/"+collection)
		req.set("status", confluence.StatusCurrent).set("limit", itoa(maxV2Limit))
		req.query["id"] = part
		l, err := listCursor(ctx, c, req, confluence.Paging{}, c.shapePage(kind))
		if err != nil {
			return nil, c.judged(ctx, err)
		}
		if err := c.fillKeys(ctx, l.Items); err != nil {
			return nil, err
		}
		for _, p := range l.Items {
			pages[p.ID] = p
		}
	}
	return pages, nil
}

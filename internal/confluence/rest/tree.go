package rest

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"confluence-mcp/internal/confluence"
)

// maxAncestorCalls bounds the climb to the root: 40 times 250 levels.
const maxAncestorCalls = 40

type wireNode struct {
	ID       text  `json:"id"`
	Type     text  `json:"type"`
	Status   text  `json:"status"`
	Title    text  `json:"title"`
	ParentID text  `json:"parentId"`
	Position *int  `json:"childPosition"`
	Depth    whole `json:"depth"`
}

func (n wireNode) shape() confluence.Node {
	return confluence.Node{ID: string(n.ID), Type: string(n.Type), Status: string(n.Status), Title: string(n.Title), ParentID: string(n.ParentID), Position: n.Position, Depth: int(n.Depth)}
}

// Children lists the direct children of a page, folder or other node, folders
// included. ParentID and Depth (1) are filled in: Confluence does not send them.
func (c *Client) Children(ctx context.Context, id, contentType string, p confluence.Paging) (confluence.List[confluence.Node], error) {
	const op = "list children"
	var none confluence.List[confluence.Node]
	collection, err := treePath(op, contentType)
	if err != nil {
		return none, err
	}
	if err := needID(op, id); err != nil {
		return none, err
	}
	req := read(op, "page "+id, "/wiki/api/v2/"+collection+"/{id}/direct-children", id)
	req.set("limit", limitOf(p, maxV2Limit))
	l, err := listCursor(ctx, c, req, p, func(n wireNode) confluence.Node {
		node := n.shape()
		node.ParentID, node.Depth = id, 1
		return node
	})
	return l, outward(err)
}

// Descendants lists the subtree of a page or folder to depth 1 to 10.
func (c *Client) Descendants(ctx context.Context, id string, depth int, p confluence.Paging) (confluence.List[confluence.Node], error) {
	const op = "list descendants"
	var none confluence.List[confluence.Node]
	if err := needID(op, id); err != nil {
		return none, err
	}
	if depth < 1 || depth > 10 {
		return none, &confluence.Error{Kind: confluence.Invalid, Op: op, Message: "the depth is a number from 1 to 10", Next: "Ask for a depth of at most 10."}
	}
	return inTree(ctx, c, op, id, func(collection string) (confluence.List[confluence.Node], error) {
		req := read(op, "page "+id, "/wiki/api/v2/"+collection+"/{id}/descendants", id)
		req.set("depth", strconv.Itoa(depth)).set("limit", limitOf(p, maxV2Limit))
		return listCursor(ctx, c, req, p, wireNode.shape)
	})
}

// Ancestors lists all ancestors, root first. Confluence tells their ids and
// types only. A blog post has none.
func (c *Client) Ancestors(ctx context.Context, id string) ([]confluence.Node, error) {
	const op = "list ancestors"
	if err := needID(op, id); err != nil {
		return nil, err
	}
	return inTree(ctx, c, op, id, func(collection string) ([]confluence.Node, error) {
		return c.climb(ctx, op, id, collection)
	})
}

func (c *Client) climb(ctx context.Context, op, id, collection string) ([]confluence.Node, error) {
	var chain []confluence.Node
	for range maxAncestorCalls {
		req := read(op, "page "+id, "/wiki/api/v2/"+collection+"/{id}/ancestors", id)
		req.set("limit", strconv.Itoa(maxV2Limit))
		b, err := fetch[batch[wireNode]](ctx, c.w, req)
		if err != nil {
			return nil, err
		}
		part := listOf(c, b, wireNode.shape, "").Items
		chain = append(part, chain...)
		if len(part) < maxV2Limit {
			return chain, nil
		}
		if collection, err = treePath(op, part[0].Type); err != nil {
			return nil, err
		}
		id = part[0].ID
	}
	return nil, repeated()
}

// inTree runs a question about a node of unknown type: as a page, and when
// there is no such page as what Confluence says it is.
func inTree[T any](ctx context.Context, c *Client, op, id string, ask func(collection string) (T, error)) (T, error) {
	v, err := ask("pages")
	if confluence.KindOf(err) != confluence.NotFound {
		return v, c.judged(ctx, err)
	}
	var none T
	types, typeErr := c.ConvertIDs(ctx, []string{id})
	if typeErr != nil {
		return none, c.judged(ctx, err)
	}
	switch kind := types[id]; kind {
	case confluence.TypeBlogPost:
		return none, nil
	case confluence.TypeFolder, "whiteboard", "database", "embed":
		collection, err := treePath(op, kind)
		if err != nil {
			return none, err
		}
		v, err := ask(collection)
		return v, c.judged(ctx, err)
	}
	return none, c.judged(ctx, err)
}

// ConvertIDs tells the content type of each id; an id that is missing from the
// answer does not exist or is not visible. At most 250 ids are asked at once.
func (c *Client) ConvertIDs(ctx context.Context, ids []string) (map[string]string, error) {
	const op = "look up content types"
	types := map[string]string{}
	for part := range slices.Chunk(ids, maxV2Limit) {
		for _, id := range part {
			if !contentID.MatchString(id) && !attachID.MatchString(id) {
				return nil, needID(op, id)
			}
		}
		req, err := write(http.MethodPost, op, "", "/wiki/api/v2/content/convert-ids-to-types").with(map[string]any{"contentIds": part})
		if err != nil {
			return nil, err
		}
		req.asking()
		v, err := fetch[struct {
			Results map[string]*string `json:"results"`
		}](ctx, c.w, req)
		if err != nil {
			return nil, c.judged(ctx, err)
		}
		for id, kind := range v.Results {
			if kind != nil {
				types[id] = *kind
			}
		}
	}
	return types, nil
}

// MovePage puts a page next to or below another one, which may be in another
// space.
func (c *Client) MovePage(ctx context.Context, id, position, targetID string) error {
	const op = "move page"
	if err := needID(op, id); err != nil {
		return err
	}
	if err := needID(op, targetID); err != nil {
		return err
	}
	switch position {
	case confluence.MoveAppend, confluence.MoveBefore, confluence.MoveAfter:
	default:
		return &confluence.Error{Kind: confluence.Invalid, Op: op, Message: "the position is not known", Next: "Use append, before or after."}
	}
	req := write(http.MethodPut, op, "page "+id, "/wiki/rest/api/content/{id}/move/{position}/{target}", id, position, targetID)
	req.safe = true // the same move twice ends in the same place
	_, err := c.w.do(ctx, req)
	return c.judged(ctx, err)
}

// CopyPage makes a new page below ParentID, or beside its source in the root
// of the source's space when ParentID is empty. Attachments, labels and the
// restrictions of the source are copied: a copy must not be readable by more
// people than the original.
func (c *Client) CopyPage(ctx context.Context, r confluence.CopyRequest) (confluence.Page, error) {
	const op = "copy page"
	if err := needID(op, r.SourceID); err != nil {
		return confluence.Page{}, err
	}
	destination, err := c.copyDestination(ctx, op, r)
	if err != nil {
		return confluence.Page{}, err
	}
	req, err := write(http.MethodPost, op, "page "+r.SourceID, "/wiki/rest/api/content/{id}/copy", r.SourceID).with(map[string]any{
		"copyAttachments": true, "copyLabels": true, "copyPermissions": true, "copyProperties": true,
		"destination": destination, "pageTitle": r.Title,
	})
	if err != nil {
		return confluence.Page{}, err
	}
	made, err := fetch[struct {
		ID text `json:"id"`
	}](ctx, c.w, req)
	if err != nil {
		return confluence.Page{}, c.judged(ctx, titleTaken(err))
	}
	page, err := c.Page(ctx, string(made.ID), confluence.PageOptions{})
	if err != nil { // the copy exists all the same
		return confluence.Page{ID: string(made.ID), Type: confluence.TypePage, Status: confluence.StatusCurrent, Title: r.Title, ParentID: r.ParentID}, nil
	}
	return page, nil
}

func (c *Client) copyDestination(ctx context.Context, op string, r confluence.CopyRequest) (map[string]string, error) {
	if r.ParentID != "" {
		if err := needID(op, r.ParentID); err != nil {
			return nil, err
		}
		types, err := c.ConvertIDs(ctx, []string{r.ParentID})
		if err != nil {
			return nil, err
		}
		if types[r.ParentID] == confluence.TypePage {
			return map[string]string{"type": "parent_page", "value": r.ParentID}, nil
		}
		return map[string]string{"type": "parent_content", "value": r.ParentID}, nil
	}
	source, err := c.Page(ctx, r.SourceID, confluence.PageOptions{})
	if err != nil {
		return nil, err
	}
	if err := needKey(op, source.SpaceKey); err != nil {
		return nil, err
	}
	return map[string]string{"type": "space", "value": source.SpaceKey}, nil
}

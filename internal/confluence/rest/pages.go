package rest

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"confluence-mcp/internal/confluence"
)

// wireVersion, wireBody and wirePage are the v2 shapes.
type wireVersion struct {
	Number    whole `json:"number"`
	CreatedAt stamp `json:"createdAt"`
	Message   text  `json:"message"`
	MinorEdit bool  `json:"minorEdit"`
	AuthorID  text  `json:"authorId"`
}

func (v wireVersion) shape() confluence.Version {
	return confluence.Version{Number: int(v.Number), CreatedAt: v.CreatedAt.Time, Message: string(v.Message), Minor: v.MinorEdit, AuthorID: string(v.AuthorID)}
}

type representation struct {
	Representation string `json:"representation"`
	Value          text   `json:"value"`
}

type wireBody struct {
	Storage    *representation `json:"storage"`
	ExportView *representation `json:"export_view"`
}

func (b wireBody) text() string {
	for _, r := range []*representation{b.Storage, b.ExportView} {
		if r != nil {
			return string(r.Value)
		}
	}
	return ""
}

type wirePage struct {
	ID         text        `json:"id"`
	Status     text        `json:"status"`
	Title      text        `json:"title"`
	SpaceID    text        `json:"spaceId"`
	ParentID   text        `json:"parentId"`
	ParentType text        `json:"parentType"`
	Position   *int        `json:"position"`
	AuthorID   text        `json:"authorId"`
	OwnerID    text        `json:"ownerId"`
	CreatedAt  stamp       `json:"createdAt"`
	Version    wireVersion `json:"version"`
	Body       wireBody    `json:"body"`
	Links      links       `json:"_links"`
}

func (c *Client) shapePage(kind string) func(wirePage) confluence.Page {
	return func(p wirePage) confluence.Page {
		c.learnBase(p.Links.Base)
		return confluence.Page{
			ID: string(p.ID), Type: kind, Status: string(p.Status), Title: string(p.Title),
			SpaceID: string(p.SpaceID), ParentID: string(p.ParentID), ParentType: string(p.ParentType),
			Position: p.Position, AuthorID: string(p.AuthorID), OwnerID: string(p.OwnerID),
			CreatedAt: p.CreatedAt.Time, Version: p.Version.shape(), Body: p.Body.text(),
			WebURL: c.webURL(p.Links.WebUI),
		}
	}
}

// Page finds a page, or a blog post, by id, also in the trash (Status tells).
// Kind NotFound when neither is visible, Expired when the answer turns out to
// be v2's way of refusing the credentials.
func (c *Client) Page(ctx context.Context, id string, opt confluence.PageOptions) (confluence.Page, error) {
	const op = "get page"
	if err := needID(op, id); err != nil {
		return confluence.Page{}, err
	}
	if opt.Version < 0 {
		return confluence.Page{}, &confluence.Error{Kind: confluence.Invalid, Op: op, Message: "a version is a number from 1", Next: "Take it from the history of the page."}
	}
	page, err := c.content(ctx, confluence.TypePage, id, opt)
	if confluence.KindOf(err) == confluence.NotFound {
		post, postErr := c.content(ctx, confluence.TypeBlogPost, id, opt)
		if confluence.KindOf(postErr) != confluence.NotFound { // else the error goes on to speak of a page
			page, err = post, postErr
		}
	}
	if err != nil {
		return confluence.Page{}, c.judged(ctx, err)
	}
	return c.withKey(ctx, page)
}

func (c *Client) content(ctx context.Context, kind, id string, opt confluence.PageOptions) (confluence.Page, error) {
	collection, err := contentPath("get page", kind)
	if err != nil {
		return confluence.Page{}, err
	}
	req := read("get page", kind+" "+id, "/wiki/api/v2/"+collection+"/{id}", id)
	req.set("body-format", string(opt.Format))
	if opt.Version > 0 {
		req.set("version", strconv.Itoa(opt.Version))
	}
	req.part = &opt.Part
	ans, err := c.w.do(ctx, req)
	if err != nil {
		return confluence.Page{}, err
	}
	p, err := decoded[wirePage](req, ans)
	if err != nil {
		return confluence.Page{}, err
	}
	page := c.shapePage(kind)(p)
	if ans.long != nil {
		page.Body, page.BodySize = ans.long.result()
	}
	return page, nil
}

// Pages lists pages or blog posts, at most 250 at a time.
func (c *Client) Pages(ctx context.Context, f confluence.PageFilter, p confluence.Paging) (confluence.List[confluence.Page], error) {
	const op = "list pages"
	var none confluence.List[confluence.Page]
	req, kind, err := pageListing(op, f)
	if err != nil {
		return none, err
	}
	req.set("title", f.Title).set("sort", f.Sort).set("body-format", string(f.Format))
	req.set("status", orElse(f.Status, confluence.StatusCurrent)).set("limit", limitOf(p, maxV2Limit))
	l, err := listCursor(ctx, c, req, p, c.shapePage(kind))
	if err != nil {
		return none, outward(err)
	}
	return l, c.fillKeys(ctx, l.Items)
}

func pageListing(op string, f confluence.PageFilter) (*call, string, error) {
	kind := orElse(f.Type, confluence.TypePage)
	collection, err := contentPath(op, kind)
	if err != nil {
		return nil, "", err
	}
	if f.Format == confluence.ExportView {
		return nil, "", &confluence.Error{Kind: confluence.Invalid, Op: op, Message: "a listing gives storage bodies only", Next: "Read single pages for another format."}
	}
	if f.SpaceID == "" {
		return read(op, "", "/wiki/api/v2/"+collection), kind, nil
	}
	if err := needID(op, f.SpaceID); err != nil {
		return nil, "", err
	}
	req := read(op, "space "+f.SpaceID, "/wiki/api/v2/spaces/{id}/"+collection, f.SpaceID)
	if kind == confluence.TypePage {
		req.set("depth", map[bool]string{true: "root", false: "all"}[f.Root])
	}
	return req, kind, nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Versions lists the saved states of a page, blog post, comment (by its kind)
// or attachment, newest first.
func (c *Client) Versions(ctx context.Context, id, contentType string, p confluence.Paging) (confluence.List[confluence.Version], error) {
	const op = "list versions"
	var none confluence.List[confluence.Version]
	var collection string
	var err error
	slot, need := "/{id}", needID
	switch contentType {
	case confluence.CommentFooter, confluence.CommentInline:
		collection, err = commentPath(op, contentType)
	case confluence.TypeAttachment:
		collection, slot, need = "attachments", "/{att}", needAttachment
	default:
		collection, err = contentPath(op, contentType)
	}
	if err != nil {
		return none, err
	}
	if err := need(op, id); err != nil {
		return none, err
	}
	req := read(op, "content "+id, "/wiki/api/v2/"+collection+slot+"/versions", id)
	req.set("sort", "-modified-date").set("limit", limitOf(p, maxV2Limit))
	l, err := listCursor(ctx, c, req, p, wireVersion.shape)
	return l, outward(err)
}

type wireValue struct {
	Representation string `json:"representation"`
	Value          string `json:"value"`
}

func storage(value string) wireValue { return wireValue{string(confluence.Storage), value} }

// CreatePage makes a page or blog post. Kind Conflict with code
// conflict.title when the space has a page of that title.
func (c *Client) CreatePage(ctx context.Context, n confluence.NewPage) (confluence.Page, error) {
	const op = "create page"
	kind := orElse(n.Type, confluence.TypePage)
	collection, err := contentPath(op, kind)
	if err != nil {
		return confluence.Page{}, err
	}
	if err := needID(op, n.SpaceID); err != nil {
		return confluence.Page{}, err
	}
	body := map[string]any{"spaceId": n.SpaceID, "status": confluence.StatusCurrent, "title": n.Title, "body": storage(n.Body)}
	if n.ParentID != "" {
		if err := needID(op, n.ParentID); err != nil {
			return confluence.Page{}, err
		}
		body["parentId"] = n.ParentID
	}
	req, err := write(http.MethodPost, op, "space "+n.SpaceID, "/wiki/api/v2/"+collection).with(body)
	if err != nil {
		return confluence.Page{}, err
	}
	p, err := fetch[wirePage](ctx, c.w, req)
	if err != nil {
		return confluence.Page{}, c.judged(ctx, titleTaken(err))
	}
	return c.written(ctx, c.shapePage(kind)(p)), nil
}

// titleTaken turns the 400 for a used title into its own code.
func titleTaken(err error) error {
	if f := asFailure(err); f != nil && f.status == http.StatusBadRequest && strings.Contains(f.upstream, "title already exists") {
		f.Kind = confluence.Conflict
		f.say("conflict.title", "the space already has a page with this title, perhaps an archived one", "Choose another title, or change the page that has it.")
	}
	return err
}

// UpdatePage replaces title and body. Minor is not sent: v2 has no field for
// it. A stale version is kind Conflict. When
// the answer is lost, the page is read again and compared before anything is
// reported; the write itself is never repeated.
func (c *Client) UpdatePage(ctx context.Context, u confluence.PageUpdate) (confluence.Page, error) {
	const op = "update page"
	kind := orElse(u.Type, confluence.TypePage)
	collection, err := contentPath(op, kind)
	if err != nil {
		return confluence.Page{}, err
	}
	if err := needID(op, u.ID); err != nil {
		return confluence.Page{}, err
	}
	if u.Status != "" && u.Status != confluence.StatusCurrent {
		return confluence.Page{}, &confluence.Error{Kind: confluence.Invalid, Op: op, Message: "a page is saved with status current only", Next: "Delete a page to move it to the trash."}
	}
	version := map[string]any{"number": u.Version, "message": u.Message} // v2 takes no minor flag
	req, err := write(http.MethodPut, op, kind+" "+u.ID, "/wiki/api/v2/"+collection+"/{id}", u.ID).with(map[string]any{
		"id": u.ID, "status": confluence.StatusCurrent, "title": u.Title, "body": storage(u.Body), "version": version,
	})
	if err != nil {
		return confluence.Page{}, err
	}
	p, err := fetch[wirePage](ctx, c.w, req)
	if err == nil {
		return c.written(ctx, c.shapePage(kind)(p)), nil
	}
	if f := asFailure(err); f != nil && f.inDoubt() {
		return c.afterDoubt(ctx, f, kind, u)
	}
	return confluence.Page{}, c.judged(ctx, titleTaken(err))
}

// afterDoubt finds out whether a write whose answer was lost was applied.
func (c *Client) afterDoubt(ctx context.Context, f *failure, kind string, u confluence.PageUpdate) (confluence.Page, error) {
	now, err := c.content(ctx, kind, u.ID, confluence.PageOptions{Format: confluence.Storage})
	switch {
	case err != nil:
		return confluence.Page{}, f.problem
	case now.Version.Number == u.Version && now.Title == u.Title && sameBody(now.Body, u.Body):
		return c.written(ctx, now), nil
	case now.Version.Number >= u.Version:
		f.conflict()
		f.Code = "conflict.unclear"
		f.Message = "the answer was lost and the page now has version " + itoa(now.Version.Number) + ", which is not exactly what was sent"
		f.Next = "Read the page: the change may be in it, as Confluence rewrote it, or someone else's."
		return confluence.Page{}, f.problem
	}
	f.Message = "Confluence did not answer and the change was not made"
	f.Next = "The page is unchanged; try again."
	return confluence.Page{}, f.problem
}

func sameBody(a, b string) bool {
	return strings.Join(strings.Fields(a), " ") == strings.Join(strings.Fields(b), " ")
}

// DeletePage moves a page or blog post to the trash. The home page of a space
// is refused: without it the space loses its root.
func (c *Client) DeletePage(ctx context.Context, id, contentType string) error {
	const op = "delete page"
	kind := orElse(contentType, confluence.TypePage)
	collection, err := contentPath(op, kind)
	if err != nil {
		return err
	}
	if err := needID(op, id); err != nil {
		return err
	}
	if kind == confluence.TypePage {
		if err := c.notHomepage(ctx, id); err != nil {
			return err
		}
	}
	_, err = c.w.do(ctx, write(http.MethodDelete, op, kind+" "+id, "/wiki/api/v2/"+collection+"/{id}", id))
	return c.judged(ctx, err)
}

func (c *Client) notHomepage(ctx context.Context, id string) error {
	page, err := c.content(ctx, confluence.TypePage, id, confluence.PageOptions{})
	if err != nil {
		return c.judged(ctx, err)
	}
	space, err := c.spaceByID(ctx, page.SpaceID)
	if err != nil {
		return err
	}
	if space.HomepageID == id {
		return &confluence.Error{
			Kind: confluence.Denied, Code: codeBlocked, Op: "delete page", Ref: "page " + id,
			Message: "this is the home page of its space", Next: "Make another page the home page first.",
		}
	}
	return nil
}

package rest

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"confluence-mcp/internal/confluence"
)

// maxCQL bounds a query, in bytes: it travels in the address.
const maxCQL = 6000

const codeCQL = "input.cql"

type wireHit struct {
	Content *struct {
		ID    text  `json:"id"`
		Type  text  `json:"type"`
		Title text  `json:"title"`
		Links links `json:"_links"`
	} `json:"content"`
	Space *struct {
		ID    text  `json:"id"`
		Key   text  `json:"key"`
		Name  text  `json:"name"`
		Links links `json:"_links"`
	} `json:"space"`
	Title     text `json:"title"`
	Excerpt   text `json:"excerpt"`
	URL       text `json:"url"`
	Container struct {
		DisplayURL string `json:"displayUrl"`
	} `json:"resultGlobalContainer"`
	EntityType   text  `json:"entityType"`
	LastModified stamp `json:"lastModified"`
}

var spaceInPath = regexp.MustCompile(`^(?:/wiki)?/(?:spaces|display)/([^/?#]+)`)

// Search runs one CQL query and gives one page of hits, at most 100. Total is
// Confluence's estimate. Kind Invalid, code input.cql for a query Confluence
// does not accept.
func (c *Client) Search(ctx context.Context, s confluence.Search) (confluence.List[confluence.Hit], error) {
	const op = "search"
	var none confluence.List[confluence.Hit]
	if err := checkCQL(op, s.CQL); err != nil {
		return none, err
	}
	req := read(op, "", "/wiki/rest/api/search")
	req.badCode = codeCQL
	req.set("cql", s.CQL).set("limit", limitOf(s.Paging, maxSearchLimit))
	req.set("excerpt", map[bool]string{true: "highlight", false: "none"}[s.Excerpts])
	if s.Archived {
		req.set("includeArchivedSpaces", "true")
	}
	if s.Cursor != "" {
		req.set("next", "true")
	}
	l, err := listCursor(ctx, c, req, s.Paging, c.shapeHit)
	return l, outward(err)
}

func checkCQL(op, cql string) error {
	e := &confluence.Error{Kind: confluence.Invalid, Code: codeCQL, Op: op, Next: "Write a query such as type = page AND text ~ \"backup\"."}
	switch {
	case strings.TrimSpace(cql) == "":
		e.Message = "the query is empty"
	case len(cql) > maxCQL:
		e.Message = "the query is longer than " + itoa(maxCQL) + " bytes"
	case strings.ContainsRune(cql, 0):
		e.Message = "the query holds a NUL character"
	default:
		return nil
	}
	return e
}

func (c *Client) shapeHit(h wireHit) confluence.Hit {
	hit := confluence.Hit{
		Type: string(h.EntityType), Title: plainText(string(h.Title)), Excerpt: plainText(string(h.Excerpt)),
		Updated: h.LastModified.Time, WebURL: c.webURL(string(h.URL)), SpaceKey: keyInPath(h.Container.DisplayURL),
	}
	switch {
	case h.Content != nil:
		hit.ID, hit.Type, hit.Title = string(h.Content.ID), string(h.Content.Type), string(h.Content.Title)
		if hit.SpaceKey == "" {
			hit.SpaceKey = keyInPath(h.Content.Links.WebUI)
		}
		if hit.WebURL == "" {
			hit.WebURL = c.webURL(h.Content.Links.WebUI)
		}
	case h.Space != nil:
		hit.ID, hit.SpaceKey, hit.Title = string(h.Space.ID), string(h.Space.Key), string(h.Space.Name)
	}
	return hit
}

func keyInPath(p string) string {
	m := spaceInPath.FindStringSubmatch(p)
	if m == nil {
		return ""
	}
	key, err := url.PathUnescape(m[1])
	if err != nil {
		return ""
	}
	return key
}

// Template reads a content template.
func (c *Client) Template(ctx context.Context, id string) (confluence.Template, error) {
	const op = "get template"
	if err := needID(op, id); err != nil {
		return confluence.Template{}, err
	}
	req := read(op, "template "+id, "/wiki/rest/api/template/{id}", id).set("expand", "body")
	v, err := fetch[struct {
		ID    text `json:"templateId"`
		Name  text `json:"name"`
		Space struct {
			Key  text `json:"key"`
			Type text `json:"type"`
		} `json:"space"`
		Expandable struct {
			Space text `json:"space"`
		} `json:"_expandable"`
		Labels []struct {
			Name text `json:"name"`
		} `json:"labels"`
		Body wireBody `json:"body"`
	}](ctx, c.w, req)
	if err != nil {
		return confluence.Template{}, c.judged(ctx, err)
	}
	t := confluence.Template{ID: string(v.ID), Name: string(v.Name), SpaceKey: string(v.Space.Key), SpaceType: string(v.Space.Type), Body: v.Body.text()}
	if t.SpaceKey == "" && v.Expandable.Space != "" { // a space that was not told is still one
		t.SpaceKey = path.Base(string(v.Expandable.Space))
		if key, err := url.PathUnescape(t.SpaceKey); err == nil { // else a key that no space has
			t.SpaceKey = key
		}
	}
	for _, l := range v.Labels {
		t.Labels = append(t.Labels, string(l.Name))
	}
	return t, nil
}

// Labels reads all labels of a page or blog post.
func (c *Client) Labels(ctx context.Context, id, contentType string) ([]confluence.Label, error) {
	const op = "list labels"
	collection, err := contentPath(op, contentType)
	if err != nil {
		return nil, err
	}
	if err := needID(op, id); err != nil {
		return nil, err
	}
	return collect(All(ctx, func(ctx context.Context, p confluence.Paging) (confluence.List[confluence.Label], error) {
		req := read(op, "page "+id, "/wiki/api/v2/"+collection+"/{id}/labels", id).set("limit", limitOf(p, maxV2Limit))
		l, err := listCursor(ctx, c, req, p, wireLabel.shape)
		return l, outward(err)
	}))
}

type wireLabel struct {
	ID     text `json:"id"`
	Name   text `json:"name"`
	Label  text `json:"label"`
	Prefix text `json:"prefix"`
}

func (l wireLabel) shape() confluence.Label {
	return confluence.Label{ID: string(l.ID), Name: orElse(string(l.Name), string(l.Label)), Prefix: string(l.Prefix)}
}

// AddLabels adds global labels and gives the full set afterwards.
func (c *Client) AddLabels(ctx context.Context, id string, names []string) ([]confluence.Label, error) {
	const op = "add labels"
	if err := needID(op, id); err != nil {
		return nil, err
	}
	type label struct {
		Prefix string `json:"prefix"`
		Name   string `json:"name"`
	}
	body := []label{}
	for _, name := range names {
		if err := needLabel(op, name); err != nil {
			return nil, err
		}
		body = append(body, label{"global", name})
	}
	req, err := write(http.MethodPost, op, "page "+id, "/wiki/rest/api/content/{id}/label", id).with(body)
	if err != nil {
		return nil, err
	}
	req.safe = true // adding a label twice is adding it once
	b, err := fetch[batch[wireLabel]](ctx, c.w, req)
	if err != nil {
		return nil, c.judged(ctx, err)
	}
	return listOf(c, b, wireLabel.shape, "").Items, nil
}

func needLabel(op, name string) error {
	if labelName.MatchString(name) {
		return nil
	}
	return &confluence.Error{Kind: confluence.Invalid, Op: op, Message: "a label has no spaces and at most 255 characters", Next: "Join its words with hyphens."}
}

// RemoveLabel takes a label off. Kind NotFound when it is not there, which
// Confluence answers with a 403.
func (c *Client) RemoveLabel(ctx context.Context, id, name string) error {
	const op = "remove label"
	if err := needID(op, id); err != nil {
		return err
	}
	if err := needLabel(op, name); err != nil {
		return err
	}
	req := write(http.MethodDelete, op, "page "+id, "/wiki/rest/api/content/{id}/label", id).set("name", name)
	_, err := c.w.do(ctx, req)
	if f := asFailure(err); f != nil && f.status == http.StatusForbidden && strings.Contains(f.upstream, "label doesn't exist") {
		f.Kind = confluence.NotFound
		f.say("", "the page does not have this label", "List the labels of the page.")
	}
	return c.judged(ctx, err)
}

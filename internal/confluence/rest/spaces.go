package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"confluence-mcp/internal/confluence"
)

type wireSpace struct {
	ID         text `json:"id"`
	Key        text `json:"key"`
	Name       text `json:"name"`
	Type       text `json:"type"`
	Status     text `json:"status"`
	HomepageID text `json:"homepageId"`
	Homepage   *struct {
		ID text `json:"id"`
	} `json:"homepage"`
	Description *struct {
		Plain *representation `json:"plain"`
	} `json:"description"`
	Links links `json:"_links"`
}

func (c *Client) shapeSpace(w wireSpace) confluence.Space {
	c.learnBase(w.Links.Base)
	s := confluence.Space{
		ID: string(w.ID), Key: string(w.Key), Name: string(w.Name), Type: string(w.Type), Status: string(w.Status),
		HomepageID: string(w.HomepageID), WebURL: c.webURL(w.Links.WebUI),
	}
	if w.Homepage != nil && s.HomepageID == "" {
		s.HomepageID = string(w.Homepage.ID)
	}
	if w.Description != nil && w.Description.Plain != nil {
		s.Description = string(w.Description.Plain.Value)
	}
	return s
}

// Spaces lists spaces of every type, personal ones included; the caller
// decides which it serves.
func (c *Client) Spaces(ctx context.Context, f confluence.SpaceFilter, p confluence.Paging) (confluence.List[confluence.Space], error) {
	const op = "list spaces"
	var none confluence.List[confluence.Space]
	if len(f.Keys) > maxV2Limit {
		return none, &confluence.Error{Kind: confluence.Invalid, Op: op, Message: "more than 250 space keys at once", Next: "Ask in parts."}
	}
	for _, key := range f.Keys {
		if err := needKey(op, key); err != nil {
			return none, err
		}
	}
	req := read(op, "", "/wiki/api/v2/spaces")
	req.set("keys", strings.Join(f.Keys, ",")).set("type", f.Type).set("status", f.Status)
	req.set("description-format", "plain").set("limit", limitOf(p, maxV2Limit))
	l, err := listCursor(ctx, c, req, p, c.shapeSpace)
	if err != nil {
		return none, outward(err)
	}
	for _, s := range l.Items {
		c.keys.remember(s.ID, s.Key)
	}
	return l, nil
}

// Space finds a space by key (in any case).
func (c *Client) Space(ctx context.Context, key string) (confluence.Space, error) {
	const op = "get space"
	if err := needKey(op, key); err != nil {
		return confluence.Space{}, err
	}
	l, err := c.Spaces(ctx, confluence.SpaceFilter{Keys: []string{key}}, confluence.Paging{})
	if err != nil {
		return confluence.Space{}, err
	}
	for _, s := range l.Items {
		if strings.EqualFold(s.Key, key) {
			return s, nil
		}
	}
	return confluence.Space{}, &confluence.Error{
		Kind: confluence.NotFound, Op: op, Ref: "space " + key,
		Message: "it does not exist or is not visible to this account", Next: "List the spaces.",
	}
}

func (c *Client) spaceByID(ctx context.Context, id string) (confluence.Space, error) {
	const op = "get space"
	if err := needID(op, id); err != nil {
		return confluence.Space{}, err
	}
	w, err := fetch[wireSpace](ctx, c.w, read(op, "space "+id, "/wiki/api/v2/spaces/{id}", id))
	if err != nil {
		return confluence.Space{}, c.judged(ctx, err)
	}
	s := c.shapeSpace(w)
	c.keys.remember(s.ID, s.Key)
	return s, nil
}

type plainDescription struct {
	Plain wireValue `json:"plain"`
}

func describe(s string) plainDescription { return plainDescription{wireValue{"plain", s}} }

// CreateSpace makes a space with Confluence's default permissions.
func (c *Client) CreateSpace(ctx context.Context, n confluence.NewSpace) (confluence.Space, error) {
	const op = "create space"
	if err := needKey(op, n.Key); err != nil {
		return confluence.Space{}, err
	}
	body := map[string]any{"key": n.Key, "name": n.Name}
	if n.Description != "" {
		body["description"] = describe(n.Description)
	}
	req, err := write(http.MethodPost, op, n.Key, "/wiki/rest/api/space").with(body)
	if err != nil {
		return confluence.Space{}, err
	}
	w, err := fetch[wireSpace](ctx, c.w, req)
	if err != nil {
		return confluence.Space{}, c.judged(ctx, err)
	}
	return c.shapeSpace(w), nil
}

// UpdateSpace changes name, description or home page, and nothing else.
func (c *Client) UpdateSpace(ctx context.Context, u confluence.SpaceUpdate) (confluence.Space, error) {
	const op = "update space"
	if err := needKey(op, u.Key); err != nil {
		return confluence.Space{}, err
	}
	body := map[string]any{}
	if u.Name != nil {
		body["name"] = *u.Name
	}
	if u.Description != nil {
		body["description"] = describe(*u.Description)
	}
	if u.HomepageID != nil {
		if err := needID(op, *u.HomepageID); err != nil {
			return confluence.Space{}, err
		}
		body["homepage"] = map[string]string{"id": *u.HomepageID}
	}
	req, err := write(http.MethodPut, op, "space "+u.Key, "/wiki/rest/api/space/{key}", u.Key).with(body)
	if err != nil {
		return confluence.Space{}, err
	}
	req.safe = true // the same values twice are the same values
	w, err := fetch[wireSpace](ctx, c.w, req)
	if err != nil {
		return confluence.Space{}, c.judged(ctx, err)
	}
	if now, err := c.Space(ctx, u.Key); err == nil {
		return now, nil // v1 answers without home page and description
	}
	return c.shapeSpace(w), nil
}

// Bounds of the memory of space keys.
const (
	maxSpaceKeys = 4096
	keyLifetime  = 10 * time.Minute
)

// spaceKeys remembers which key a space id has, for one credential.
type spaceKeys struct {
	now func() time.Time
	mu  sync.Mutex
	m   map[string]keyEntry
}

type keyEntry struct {
	key   string
	since time.Time
}

func newSpaceKeys(now func() time.Time) *spaceKeys {
	return &spaceKeys{now: now, m: map[string]keyEntry{}}
}

func (k *spaceKeys) remember(id, key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.m) >= maxSpaceKeys {
		clear(k.m)
	}
	k.m[id] = keyEntry{key, k.now()}
}

func (k *spaceKeys) key(id string) (string, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.m[id]
	if !ok || k.now().Sub(e.since) > keyLifetime {
		return "", false
	}
	return e.key, true
}

// withKey fills the space key of one page.
func (c *Client) withKey(ctx context.Context, page confluence.Page) (confluence.Page, error) {
	pages := []confluence.Page{page}
	err := c.fillKeys(ctx, pages)
	return pages[0], err
}

// written fills the space key of a page that was just saved. A failed look-up
// leaves it empty: it must not make a write that happened look like a failure.
func (c *Client) written(ctx context.Context, page confluence.Page) confluence.Page {
	page, _ = c.withKey(ctx, page)
	return page
}

// fillKeys fills the space keys of pages with at most one request for every
// 250 unknown spaces. A space that is not visible leaves the key empty.
func (c *Client) fillKeys(ctx context.Context, pages []confluence.Page) error {
	var unknown []string
	for _, page := range pages {
		if _, ok := c.keys.key(page.SpaceID); !ok && contentID.MatchString(page.SpaceID) && !slices.Contains(unknown, page.SpaceID) {
			unknown = append(unknown, page.SpaceID)
		}
	}
	for part := range slices.Chunk(unknown, maxV2Limit) {
		req := read("get space", "", "/wiki/api/v2/spaces").set("ids", strings.Join(part, ",")).set("limit", itoa(maxV2Limit))
		l, err := listCursor(ctx, c, req, confluence.Paging{}, c.shapeSpace)
		if err != nil {
			return outward(err)
		}
		for _, s := range l.Items {
			c.keys.remember(s.ID, s.Key)
		}
	}
	for i := range pages {
		pages[i].SpaceKey, _ = c.keys.key(pages[i].SpaceID)
	}
	return nil
}

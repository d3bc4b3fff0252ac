package tools

import (
	"cmp"
	"context"
	"net/url"
	"regexp"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

// Kinds of a [target] and of what policy sees as resource.type.
const (
	onPage       = "page"
	onComment    = "comment"
	onAttachment = "attachment"
	onSpace      = "space"
	onUser       = "user"
	onTemplate   = "template"
)

// target says what a call is about, as far as its arguments tell.
type target struct {
	kind     string
	id       string
	url      string
	title    string // with spaceKey: finds a page; else the title a write gives
	spaceKey string
	toSpace  string // the space a write creates something in
}

// subject is what a call is about, loaded live. Comments and attachments bring
// the page they hang on.
type subject struct {
	page       *confluence.Page
	space      *confluence.Space
	comment    *confluence.Comment
	attachment *confluence.Attachment
}

func nothing[In any](In) target { return target{} }

// load fetches the subject. ruled asks for what only rules look at.
func (k *call) load(ctx context.Context, t target, ruled bool) error {
	var err error
	switch t.kind {
	case onPage:
		k.on.page, err = k.findPage(ctx, t)
	case onComment:
		err = k.loadComment(ctx, t.id)
	case onAttachment:
		err = k.loadAttachment(ctx, t.id)
	case onSpace:
		k.on.space, err = k.findSpace(ctx, t.spaceKey)
	}
	if err != nil {
		return err
	}
	if k.on.page != nil && (ruled || !k.tool.ReadOnly) && k.on.space == nil {
		if k.on.space, err = k.findSpace(ctx, k.on.page.SpaceKey); err != nil {
			return err
		}
	}
	return k.fill(ctx, t, ruled)
}

func (k *call) loadComment(ctx context.Context, id string) error {
	c, err := k.site.Comment(ctx, id)
	if err != nil {
		return err
	}
	k.on.comment = &c
	k.on.page, err = k.findPage(ctx, target{id: c.PageID})
	return err
}

func (k *call) loadAttachment(ctx context.Context, id string) error {
	a, err := k.site.Attachment(ctx, attachmentID(id))
	if err != nil {
		return err
	}
	k.on.attachment = &a
	k.on.page, err = k.findPage(ctx, target{id: a.PageID})
	return err
}

// attachmentID is the form Confluence uses, whatever the caller sent.
func attachmentID(id string) string { return "att" + strings.TrimPrefix(id, "att") }

// findSpace finds a space among those this server may touch.
func (k *call) findSpace(ctx context.Context, key string) (*confluence.Space, error) {
	if k.limited() && !k.inSpaces(key) {
		return nil, noSpace(key)
	}
	s, err := k.site.Space(ctx, key)
	if err != nil {
		return nil, err
	}
	if k.limited() && !k.inSpaces(s.Key) {
		return nil, noSpace(key)
	}
	return &s, nil
}

func noSpace(key string) error {
	return &confluence.Error{Kind: confluence.NotFound, Op: "find space", Ref: key,
		Message: "Space " + key + " does not exist, or you may not see it.", Next: "List the spaces with confluence_list_spaces."}
}

// findPage finds a page by id, by address or by title and space.
func (k *call) findPage(ctx context.Context, t target) (*confluence.Page, error) {
	id := t.id
	if t.url != "" {
		ref, err := k.parseURL(t.url)
		if err != nil {
			return nil, err
		}
		id, t.title, t.spaceKey = ref.id, ref.title, ref.spaceKey
	}
	if id == "" {
		return k.findTitle(ctx, t)
	}
	p, err := k.site.Page(ctx, id, confluence.PageOptions{})
	if err != nil {
		return nil, err
	}
	if k.limited() && !k.inSpaces(p.SpaceKey) {
		return nil, notFound("Page", id)
	}
	return &p, nil
}

func (k *call) findTitle(ctx context.Context, t target) (*confluence.Page, error) {
	space, err := k.findSpace(ctx, t.spaceKey)
	if err != nil {
		return nil, err
	}
	for _, kind := range []string{confluence.TypePage, confluence.TypeBlogPost} {
		list, err := k.site.Pages(ctx, confluence.PageFilter{SpaceID: space.ID, Title: t.title, Type: kind}, confluence.Paging{Limit: 2})
		if err != nil {
			return nil, err
		}
		for _, p := range list.Items {
			if strings.EqualFold(p.Title, t.title) {
				p.SpaceKey = cmp.Or(p.SpaceKey, space.Key)
				return &p, nil
			}
		}
	}
	return nil, &confluence.Error{Kind: confluence.NotFound, Op: "find page", Ref: space.Key,
		Message: "No page in " + space.Key + " has exactly the title " + quoteShort(line(t.title)) + ", or you may not see it.",
		Next:    "Search for it with confluence_search."}
}

// parseURL reads the address of a page on this very site. It never follows it.
func (k *call) parseURL(raw string) (target, error) {
	next := "Send page_id, or an address that starts with " + k.info.BaseURL + "."
	u, err := url.Parse(strings.TrimSpace(raw))
	base, baseErr := url.Parse(k.info.BaseURL)
	if err != nil || baseErr != nil || u.User != nil || !strings.EqualFold(u.Host, base.Host) || u.Scheme != base.Scheme {
		return target{}, invalid("url", "url is not an address on this Confluence site.", next)
	}
	path, isBelow := strings.CutPrefix(u.Path, strings.TrimSuffix(base.Path, "/"))
	if !isBelow || strings.Contains(path, "..") {
		return target{}, invalid("url", "url is not an address on this Confluence site.", next)
	}
	if id := u.Query().Get("pageId"); isID(id) {
		return target{id: id}, nil
	}
	if m := regexp.MustCompile(`^/spaces/[^/]+/(?:pages|blog)/(?:edit-v2/|\d{4}/\d{2}/\d{2}/)?(\d{1,19})(?:/|$)`).FindStringSubmatch(path); m != nil {
		return target{id: m[1]}, nil
	}
	if m := regexp.MustCompile(`^/x/([A-Za-z0-9_-]{1,16})$`).FindStringSubmatch(path); m != nil {
		if id, ok := tinyID(m[1]); ok {
			return target{id: id}, nil
		}
	}
	if m := regexp.MustCompile(`^/display/([A-Za-z0-9_]+)/([^/]+)$`).FindStringSubmatch(path); m != nil {
		return target{spaceKey: m[1], title: strings.ReplaceAll(m[2], "+", " ")}, nil
	}
	return target{}, invalid("url", "url does not name a page.", next)
}

// fill turns the subject into what rules see. What only rules look at is
// fetched when a rule asks; if that fails the resource stays unknown and policy
// denies.
func (k *call) fill(ctx context.Context, t target, ruled bool) error {
	r := &k.request.Resource
	if s := k.on.space; s != nil {
		r.SpaceKey, r.SpaceType = s.Key, s.Type
		if t.kind == onSpace {
			r.ID, r.Title, r.Status = s.ID, s.Name, s.Status
		}
	}
	if a := k.on.attachment; a != nil {
		r.AttachmentBytes, r.ID = a.Size, a.ID
		k.request.Change.MediaType = a.MediaType
	}
	if p := k.on.page; p != nil {
		k.fillPage(r, p, t)
	}
	r.Known = true
	if !ruled || k.on.page == nil {
		return nil
	}
	if k.place {
		r.Known = k.fillRuled(ctx, r)
		return nil
	}
	if err := k.noteAuthors(ctx, k.wrote()...); err != nil {
		return err
	}
	r.Known = k.fillRuled(ctx, r)
	if r.Restricted || !r.Known { // what could not be looked at counts as restricted
		return untainted(k.catalog.cfg.Taints.Restricted(ctx, k.caller.Payer(), k.started))
	}
	return nil
}

func (k *call) fillPage(r *policy.Resource, p *confluence.Page, t target) {
	r.SpaceKey, r.Status, r.Title, r.AuthorID = p.SpaceKey, p.Status, p.Title, p.AuthorID
	r.Version = p.Version.Number
	if !p.Version.CreatedAt.IsZero() {
		r.UpdatedAt = p.Version.CreatedAt
	}
	if t.kind == onPage {
		r.ID, r.Type = p.ID, cmp.Or(p.Type, onPage)
	}
}

// Bounds of what rules see (policy.md 3.4).
const (
	maxLabels    = 200
	maxAncestors = 100
)

func (k *call) fillRuled(ctx context.Context, r *policy.Resource) bool {
	p := k.on.page
	labels, err := k.site.Labels(ctx, p.ID, p.Type)
	if err != nil {
		return false
	}
	for _, l := range labels[:min(len(labels), maxLabels)] {
		r.Labels = append(r.Labels, l.Name)
	}
	ids := []string{p.ID}
	if p.Type != confluence.TypeBlogPost {
		nodes, err := k.site.Ancestors(ctx, p.ID)
		if err != nil || len(nodes) > maxAncestors {
			return false
		}
		for _, n := range nodes {
			r.AncestorIDs = append(r.AncestorIDs, n.ID)
			if n.Type == "" || n.Type == confluence.TypePage {
				ids = append(ids, n.ID)
			}
		}
	}
	r.Restricted, err = k.restricted(ctx, ids)
	return err == nil
}

// wrote are the last authors of what a call is about.
func (k *call) wrote() []string {
	ids := []string{k.on.page.Version.AuthorID}
	if c := k.on.comment; c != nil {
		ids = append(ids, c.Version.AuthorID)
	}
	if a := k.on.attachment; a != nil {
		ids = append(ids, a.Version.AuthorID)
	}
	return ids
}

// restricted finds out whether any of the pages has a view restriction.
func (k *call) restricted(ctx context.Context, ids []string) (bool, error) {
	for _, id := range ids {
		list, err := k.site.Restrictions(ctx, id)
		if err != nil {
			return false, err
		}
		for _, one := range list {
			if one.Operation == "read" && len(one.UserIDs)+len(one.Groups) > 0 {
				return true, nil
			}
		}
	}
	return false, nil
}

// asResource is a page as rules see it, without what costs a request.
func asResource(p confluence.Page) policy.Resource {
	return policy.Resource{Known: true, Type: cmp.Or(p.Type, onPage), ID: p.ID, SpaceKey: p.SpaceKey, Status: p.Status,
		Title: p.Title, AuthorID: p.AuthorID, Version: p.Version.Number, UpdatedAt: orEpoch(p.Version.CreatedAt)}
}

func orEpoch(t time.Time) time.Time {
	if t.IsZero() {
		return epoch()
	}
	return t
}

// epoch is the time rules see where none is known.
func epoch() time.Time { return time.Unix(0, 0).UTC() }

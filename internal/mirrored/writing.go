package mirrored

import (
	"cmp"
	"context"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/mirror"
	"confluence-mcp/tools"
)

// writing is Confluence itself for one caller, remembering what he writes.
type writing struct {
	tools.Site
	of    *Sites
	at    int64 // the integration
	who   identity.Caller
	named string // the user as the request named him
	own   bool   // below is Confluence as he himself
}

// User implements tools.Directory; the caller's own name is any he is known by.
func (w *writing) User(ctx context.Context, id string) (confluence.User, error) {
	if id == w.named {
		id = cmp.Or(w.who.AccountID, id)
	}
	return w.Site.User(ctx, id)
}

// Lent reports whether the connecting account writes for the caller.
func (w *writing) Lent() bool { return !w.own }

// Author is the account Confluence names as the author of what is written.
func (w *writing) Author(ctx context.Context) (confluence.User, error) {
	if g, ok := w.Site.(*guarded); ok {
		return g.live.CurrentUser(ctx)
	}
	return w.CurrentUser(ctx)
}

// Rehearsal gives the same site with writes of the connecting account judged and
// none made; would says for whom one would be made, nothing when none would.
func (w *writing) Rehearsal() (judge tools.Site, would func() string) {
	said := ""
	would = func() string { return said }
	g, ok := w.Site.(*guarded)
	if !ok {
		return w, would
	}
	again := *g
	again.rehearsal = &said
	return &again, would
}

// wrote remembers a write of one page, one that failed too: it may have been made,
// unless it was refused. Version is 0 where none was made.
func (w *writing) wrote(id string, version int, err error) {
	if err != nil && confluence.KindOf(err) == confluence.Denied {
		return
	}
	w.of.written.page(mirror.Ref{Integration: w.at, ID: id}, version, w.of.cfg.Now())
	w.of.cfg.Wrote(w.at, id)
}

// stirred remembers that the tree changed around pages, or of the spaces named.
func (w *writing) stirred(ctx context.Context, ids ...string) {
	for _, id := range ids {
		key := ""
		if p, err := w.of.cfg.Mirror.Page(ctx, w.who, mirror.Ref{Integration: w.at, ID: id}); err == nil {
			key = p.SpaceKey
		}
		w.of.written.tree(tree{w.at, key}, w.of.cfg.Now())
	}
}

// CreatePage implements tools.PageSink.
func (w *writing) CreatePage(ctx context.Context, n confluence.NewPage) (confluence.Page, error) {
	p, err := w.Site.CreatePage(ctx, n)
	w.created(p, err)
	return p, err
}

// CopyPage implements tools.PageSink.
func (w *writing) CopyPage(ctx context.Context, c confluence.CopyRequest) (confluence.Page, error) {
	p, err := w.Site.CopyPage(ctx, c)
	w.created(p, err)
	return p, err
}

func (w *writing) created(p confluence.Page, err error) {
	if err == nil {
		w.wrote(p.ID, p.Version.Number, err)
	}
	w.of.written.tree(tree{w.at, p.SpaceKey}, w.of.cfg.Now()) // a write that failed may have been made
}

// UpdatePage implements tools.PageSink.
func (w *writing) UpdatePage(ctx context.Context, u confluence.PageUpdate) (confluence.Page, error) {
	p, err := w.Site.UpdatePage(ctx, u)
	w.wrote(u.ID, u.Version, err)
	w.stirred(ctx, u.ID) // its title is in the tree
	return p, err
}

// DeletePage implements tools.PageSink.
func (w *writing) DeletePage(ctx context.Context, id, contentType string) error {
	w.stirred(ctx, id)
	err := w.Site.DeletePage(ctx, id, contentType)
	w.wrote(id, 0, err)
	w.stirred(ctx, id)
	return err
}

// MovePage implements tools.PageSink.
func (w *writing) MovePage(ctx context.Context, id, position, targetID string) error {
	err := w.Site.MovePage(ctx, id, position, targetID)
	w.wrote(id, 0, err)
	w.stirred(ctx, id, targetID)
	return err
}

// AddLabels implements tools.LabelStore.
func (w *writing) AddLabels(ctx context.Context, id string, names []string) ([]confluence.Label, error) {
	l, err := w.Site.AddLabels(ctx, id, names)
	w.wrote(id, 0, err)
	return l, err
}

// RemoveLabel implements tools.LabelStore.
func (w *writing) RemoveLabel(ctx context.Context, id, name string) error {
	err := w.Site.RemoveLabel(ctx, id, name)
	w.wrote(id, 0, err)
	return err
}

// CreateSpace implements tools.SpaceStore.
func (w *writing) CreateSpace(ctx context.Context, n confluence.NewSpace) (confluence.Space, error) {
	s, err := w.Site.CreateSpace(ctx, n)
	w.of.written.tree(tree{integration: w.at}, w.of.cfg.Now())
	return s, err
}

// UpdateSpace implements tools.SpaceStore.
func (w *writing) UpdateSpace(ctx context.Context, u confluence.SpaceUpdate) (confluence.Space, error) {
	s, err := w.Site.UpdateSpace(ctx, u)
	w.of.written.tree(tree{integration: w.at}, w.of.cfg.Now())
	return s, err
}

// Upload implements tools.AttachmentStore.
func (w *writing) Upload(ctx context.Context, u confluence.Upload) (confluence.Attachment, error) {
	a, err := w.Site.Upload(ctx, u)
	w.wrote(u.PageID, 0, err)
	return a, err
}

// DeleteAttachment implements tools.AttachmentStore.
func (w *writing) DeleteAttachment(ctx context.Context, id string) error {
	page := ""
	if a, err := w.Attachment(ctx, id); err == nil {
		page = a.PageID
	}
	err := w.Site.DeleteAttachment(ctx, id)
	w.wrote(page, 0, err)
	return err
}

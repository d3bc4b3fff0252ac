package mirrored

import (
	"context"
	"io"
	"sync"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/mirror"
	"confluence-mcp/tools"
)

// guarded is Confluence as the connecting account, for a caller who has no
// credential of his own. Everything is judged by the page it belongs to and by
// the caller's rights in the mirror: what the mirror does not know or does not
// show him is not found, in the same words. It writes where [guarded.permit] says
// so, and nowhere else.
//
// It names every method of tools.Site itself, so that none is passed through by
// being forgotten.
type guarded struct {
	live    tools.Site
	of      *Sites
	at      int64 // the integration
	who     identity.Caller
	refusal error // of writes, when more is known than that he has no credential

	rehearsal *string                    // set: writes are judged and not made; it takes what would be
	made      map[string]confluence.Page // by this call: the mirror does not have them yet
	open      *sync.Map                  // by id: whether its own restriction, read in this call, names the caller
}

func missing(op, ref string) error {
	return &confluence.Error{Kind: confluence.NotFound, Op: op, Ref: ref,
		Message: "there is no such content, or you may not see it", Next: "Check the id, or search for it."}
}

// sees gives the place of the mirror's page, kind NotFound when the caller may not see it.
func (g *guarded) sees(ctx context.Context, id string) (mirror.Page, error) {
	return g.of.cfg.Mirror.Place(ctx, g.who, mirror.Ref{Integration: g.at, ID: id})
}

// Describe implements tools.Site.
func (g *guarded) Describe() confluence.Site { return g.live.Describe() }

// Page implements tools.PageSource. A page that stands elsewhere by now, or is
// no current one any more, is judged by where it stands. An earlier version says
// nothing of that, so the page is asked for first. A body is given as it is stored only: Confluence would make any
// other with the account's rights, pages that are included and lists in it too.
func (g *guarded) Page(ctx context.Context, id string, opt confluence.PageOptions) (confluence.Page, error) {
	known, err := g.sees(ctx, id)
	if err == nil {
		err = stored("get page", opt.Format)
	}
	if err != nil {
		return confluence.Page{}, err
	}
	if opt.Version != 0 {
		if err := g.standing(ctx, id); err != nil {
			return confluence.Page{}, err
		}
		p, err := g.live.Page(ctx, id, opt)
		p.Stale = known.Stale
		return p, err
	}
	p, err := g.live.Page(ctx, id, opt)
	if err == nil {
		err = g.stillThere(ctx, known, p)
	}
	if err != nil {
		return confluence.Page{}, err
	}
	p.Stale = known.Stale
	return p, nil
}

// stored refuses a body in any format but the one it is stored in.
func stored(op string, f confluence.BodyFormat) error {
	if f == confluence.NoBody || f == confluence.Storage {
		return nil
	}
	return &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Op: op,
		Message: "A rendered page is made with the rights of the connecting account, which are not yours.",
		Next:    "Read it as markdown, or connect an account of your own."}
}

// stillThere judges a page by where Confluence says it stands now, and where it
// is another version than the mirror's also by what restricts it now. Whatever
// hides it is said in the words of a page that does not exist.
func (g *guarded) stillThere(ctx context.Context, known mirror.Page, p confluence.Page) error {
	gone := missing("get page", "page "+known.ID)
	if p.Status != "" && p.Status != confluence.StatusCurrent {
		return gone
	}
	var err error
	switch {
	case p.ParentID != "" && p.ParentID != known.ParentID:
		_, err = g.sees(ctx, p.ParentID)
	case p.SpaceID != "" && p.SpaceID != known.SpaceID:
		err = g.inSpace(ctx, p.SpaceKey)
	}
	if err == nil && known.Type != confluence.TypeFolder && p.Version.Number != known.Version.Number {
		err = g.stillOpen(ctx, known, p.ParentID)
	}
	if confluence.KindOf(err) == confluence.NotFound {
		return gone
	}
	return err
}

// standing refuses a page the caller does not see, or not where it stands and as
// it is restricted now: what is read beside it may be newer than the mirror. Of a folder nobody is asked: it has nothing of its own
// that is read live.
func (g *guarded) standing(ctx context.Context, id string) error {
	known, err := g.sees(ctx, id)
	if err != nil || known.Type == confluence.TypeFolder {
		return err
	}
	p, err := g.standsAs(ctx, known)
	if err != nil {
		return err
	}
	if err := g.stillOpen(ctx, known, p.ParentID); confluence.KindOf(err) != confluence.NotFound {
		return err
	}
	return missing("get page", "page "+id)
}

// standsAs gives a page of the mirror as it stands now.
func (g *guarded) standsAs(ctx context.Context, known mirror.Page) (confluence.Page, error) {
	found, err := g.live.PagesByID(ctx, []string{known.ID}, known.Type)
	if err != nil {
		return confluence.Page{}, err
	}
	p, ok := found[known.ID]
	if !ok {
		return confluence.Page{}, missing("get page", "page "+known.ID)
	}
	return p, g.stillThere(ctx, known, p)
}

// PagesByID implements tools.PageSource.
func (g *guarded) PagesByID(ctx context.Context, ids []string, contentType string) (map[string]confluence.Page, error) {
	known := map[string]mirror.Page{}
	var asked []string
	for _, id := range ids {
		p, err := g.sees(ctx, id)
		if confluence.KindOf(err) == confluence.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		known[id], asked = p, append(asked, id)
	}
	if len(asked) == 0 {
		return map[string]confluence.Page{}, nil
	}
	found, err := g.live.PagesByID(ctx, asked, contentType)
	for id, p := range found {
		if g.stillThere(ctx, known[id], p) != nil {
			delete(found, id)
			continue
		}
		p.Stale = known[id].Stale
		found[id] = p
	}
	return found, err
}

// inSpace refuses a space the caller may not view.
func (g *guarded) inSpace(ctx context.Context, key string) error {
	found, err := g.of.cfg.Mirror.Spaces(ctx, g.who, g.at, key)
	if err == nil && (key == "" || len(found) == 0) {
		return missing("get space", "space "+key)
	}
	return err
}

// Versions implements tools.PageSource.
func (g *guarded) Versions(ctx context.Context, id, contentType string, p confluence.Paging) (confluence.List[confluence.Version], error) {
	if err := g.standing(ctx, id); err != nil {
		return confluence.List[confluence.Version]{}, err
	}
	return g.live.Versions(ctx, id, contentType, p)
}

// Template implements tools.PageSource: a template belongs to no page.
func (g *guarded) Template(_ context.Context, id string) (confluence.Template, error) {
	return confluence.Template{}, missing("get template", "template "+id)
}

// Restrictions implements tools.Directory.
func (g *guarded) Restrictions(ctx context.Context, id string) ([]confluence.Restriction, error) {
	if err := g.standing(ctx, id); err != nil {
		return nil, err
	}
	return g.live.Restrictions(ctx, id)
}

// Labels implements tools.LabelStore.
func (g *guarded) Labels(ctx context.Context, id, contentType string) ([]confluence.Label, error) {
	if err := g.standing(ctx, id); err != nil {
		return nil, err
	}
	return g.live.Labels(ctx, id, contentType)
}

// Comments implements tools.CommentStore.
func (g *guarded) Comments(ctx context.Context, pageID, contentType, kind string, p confluence.Paging) (confluence.List[confluence.Comment], error) {
	if err := g.standing(ctx, pageID); err != nil {
		return confluence.List[confluence.Comment]{}, err
	}
	return g.live.Comments(ctx, pageID, contentType, kind, p)
}

// Replies implements tools.CommentStore.
func (g *guarded) Replies(ctx context.Context, commentID, kind string, p confluence.Paging) (confluence.List[confluence.Comment], error) {
	if _, err := g.Comment(ctx, commentID); err != nil {
		return confluence.List[confluence.Comment]{}, err
	}
	return g.live.Replies(ctx, commentID, kind, p)
}

// Comment implements tools.CommentStore. A comment of a hidden page is answered
// like one that is not there.
func (g *guarded) Comment(ctx context.Context, id string) (confluence.Comment, error) {
	c, err := g.live.Comment(ctx, id)
	if err == nil {
		err = g.standing(ctx, c.PageID)
	}
	if confluence.KindOf(err) == confluence.NotFound {
		return confluence.Comment{}, missing("get comment", "comment "+id)
	}
	if err != nil {
		return confluence.Comment{}, err
	}
	return c, nil
}

// Attachment implements tools.AttachmentStore. A file of a hidden page is
// answered like one that is not there.
func (g *guarded) Attachment(ctx context.Context, id string) (confluence.Attachment, error) {
	a, err := g.live.Attachment(ctx, id)
	if err == nil {
		err = g.standing(ctx, a.PageID)
	}
	if confluence.KindOf(err) == confluence.NotFound {
		return confluence.Attachment{}, missing("get attachment", "attachment "+id)
	}
	if err != nil {
		return confluence.Attachment{}, err
	}
	return a, nil
}

// Attachments implements tools.AttachmentStore.
func (g *guarded) Attachments(ctx context.Context, pageID, contentType string, p confluence.Paging) (confluence.List[confluence.Attachment], error) {
	if err := g.standing(ctx, pageID); err != nil {
		return confluence.List[confluence.Attachment]{}, err
	}
	return g.live.Attachments(ctx, pageID, contentType, p)
}

// Download implements tools.AttachmentStore. Where the file is, is asked again:
// what the caller says of it proves nothing.
func (g *guarded) Download(ctx context.Context, a confluence.Attachment, offset, limit int64) (io.ReadCloser, error) {
	there, err := g.Attachment(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	if a.Pinned {
		there.Pinned, there.Version.Number = true, a.Version.Number
	}
	return g.live.Download(ctx, there, offset, limit)
}

package mirrored

import (
	"cmp"
	"context"

	"confluence-mcp/internal/confluence"
)

// CreatePage implements tools.PageSink. A page stands below one the caller may
// read, the space's home page where none is named. Confluence keeps no message
// of a first version; the record says for whom it was made.
func (g *guarded) CreatePage(ctx context.Context, n confluence.NewPage) (confluence.Page, error) {
	if err := g.permit(ctx, "create page", func() ([]need, error) {
		all := []need{within(n.SpaceID, "create/"+cmp.Or(n.Type, confluence.TypePage))}
		parent, err := n.ParentID, error(nil)
		if parent == "" && n.Type != confluence.TypeBlogPost {
			parent, err = g.home(ctx, n.SpaceID)
		}
		if err != nil || parent == "" {
			return all, err
		}
		p, err := g.stands(ctx, parent)
		if err == nil && p.SpaceID != n.SpaceID { // the right to create is asked of one space
			err = missing("get page", "page "+parent)
		}
		return append(all, on(p, toRead)), err
	}); err != nil {
		return confluence.Page{}, err
	}
	return g.keep(g.live.CreatePage(ctx, n))
}

// keep remembers a page this call has made, so that the call can go on with it.
func (g *guarded) keep(p confluence.Page, err error) (confluence.Page, error) {
	if err == nil {
		g.made[p.ID] = p
	}
	return p, err
}

// home gives the home page of a space the caller may view, empty where it has
// none.
func (g *guarded) home(ctx context.Context, spaceID string) (string, error) {
	s, err := g.spaceOf(ctx, spaceID)
	if err != nil {
		return "", err
	}
	now, err := g.live.Space(ctx, s.Key)
	return now.HomepageID, err
}

// UpdatePage implements tools.PageSink.
func (g *guarded) UpdatePage(ctx context.Context, u confluence.PageUpdate) (confluence.Page, error) {
	if err := g.permit(ctx, "update page", onNode(u.ID, toUpdate)); err != nil {
		return confluence.Page{}, err
	}
	var err error
	if u.Message, err = g.signed(ctx, u.Message); err != nil {
		return confluence.Page{}, err
	}
	return g.live.UpdatePage(ctx, u)
}

// DeletePage implements tools.PageSink.
func (g *guarded) DeletePage(ctx context.Context, id, contentType string) error {
	if err := g.permit(ctx, "delete page", onNode(id, toDelete)); err != nil {
		return err
	}
	return g.live.DeletePage(ctx, id, contentType)
}

// MovePage implements tools.PageSink: it changes the page, takes it out of a
// space it leaves, and makes one where it goes.
func (g *guarded) MovePage(ctx context.Context, id, position, targetID string) error {
	if err := g.permit(ctx, "move page", func() ([]need, error) {
		from, err := g.stands(ctx, id)
		if err != nil {
			return nil, err
		}
		to, err := g.stands(ctx, targetID)
		all := []need{on(from, toUpdate), on(to, toRead), within(to.SpaceID, "create/page")}
		if from.SpaceID != to.SpaceID {
			all = append(all, on(from, toDelete))
		}
		return all, err
	}); err != nil {
		return err
	}
	return g.live.MovePage(ctx, id, position, targetID)
}

// CopyPage implements tools.PageSink. A copy takes the files along.
func (g *guarded) CopyPage(ctx context.Context, c confluence.CopyRequest) (confluence.Page, error) {
	if err := g.permit(ctx, "copy page", func() ([]need, error) {
		from, err := g.stands(ctx, c.SourceID)
		if err != nil {
			return nil, err
		}
		below := c.ParentID
		if below == "" {
			if below, err = g.home(ctx, from.SpaceID); err != nil {
				return nil, err
			}
		}
		to, err := g.stands(ctx, below)
		return []need{on(from, toRead), on(to, toRead), within(to.SpaceID, "create/page", "create/attachment")}, err
	}); err != nil {
		return confluence.Page{}, err
	}
	return g.keep(g.live.CopyPage(ctx, c))
}

// CreateComment implements tools.CommentStore. An answer is a comment on the page
// of what it answers.
func (g *guarded) CreateComment(ctx context.Context, n confluence.NewComment) (confluence.Comment, error) {
	if err := g.permit(ctx, "create comment", func() ([]need, error) {
		page, err := g.stands(ctx, n.PageID)
		all := []need{on(page, toRead), within(page.SpaceID, "create/comment")}
		if err != nil || n.ParentID == "" {
			return all, err
		}
		c, err := g.Comment(ctx, n.ParentID)
		if err == nil && c.PageID != n.PageID { // Confluence puts an answer where the comment is
			err = missing("get comment", "comment "+n.ParentID)
		}
		return append(all, need{id: n.ParentID, operation: toRead, stands: true}), err
	}); err != nil {
		return confluence.Comment{}, err
	}
	return g.live.CreateComment(ctx, n)
}

// UpdateComment implements tools.CommentStore.
func (g *guarded) UpdateComment(ctx context.Context, u confluence.CommentUpdate) (confluence.Comment, error) {
	if err := g.permit(ctx, "update comment", onComment(u.ID, toUpdate)); err != nil {
		return confluence.Comment{}, err
	}
	var err error
	if u.Message, err = g.signed(ctx, u.Message); err != nil {
		return confluence.Comment{}, err
	}
	return g.live.UpdateComment(ctx, u)
}

// DeleteComment implements tools.CommentStore.
func (g *guarded) DeleteComment(ctx context.Context, id, kind string) error {
	if err := g.permit(ctx, "delete comment", onComment(id, toDelete)); err != nil {
		return err
	}
	return g.live.DeleteComment(ctx, id, kind)
}

// AddLabels implements tools.LabelStore.
func (g *guarded) AddLabels(ctx context.Context, id string, names []string) ([]confluence.Label, error) {
	if err := g.permit(ctx, "add labels", onNode(id, toUpdate)); err != nil {
		return nil, err
	}
	return g.live.AddLabels(ctx, id, names)
}

// RemoveLabel implements tools.LabelStore.
func (g *guarded) RemoveLabel(ctx context.Context, id, name string) error {
	if err := g.permit(ctx, "remove label", onNode(id, toUpdate)); err != nil {
		return err
	}
	return g.live.RemoveLabel(ctx, id, name)
}

// CreateSpace implements tools.SpaceStore: whether somebody else may make spaces
// Confluence tells nobody.
func (g *guarded) CreateSpace(ctx context.Context, _ confluence.NewSpace) (confluence.Space, error) {
	const op = "create space"
	return confluence.Space{}, g.permit(ctx, op, func() ([]need, error) {
		return nil, refused(op, "Confluence does not tell who may make spaces, so the connecting account makes none for somebody else.",
			"Nothing was changed. Connect this user's own account, or ask an admin to make the space.")
	})
}

// UpdateSpace implements tools.SpaceStore: its administrators do that.
func (g *guarded) UpdateSpace(ctx context.Context, u confluence.SpaceUpdate) (confluence.Space, error) {
	if err := g.permit(ctx, "update space", func() ([]need, error) {
		sp, err := g.Space(ctx, u.Key)
		all := []need{within(sp.ID, "administer/space")}
		if u.HomepageID != nil {
			all = append(all, need{id: *u.HomepageID, operation: toRead})
		}
		return all, err
	}); err != nil {
		return confluence.Space{}, err
	}
	return g.live.UpdateSpace(ctx, u)
}

// Upload implements tools.AttachmentStore: a file is a part of its page. Its
// version has a message, which names whom it was made for.
func (g *guarded) Upload(ctx context.Context, u confluence.Upload) (confluence.Attachment, error) {
	if err := g.permit(ctx, "upload", func() ([]need, error) {
		if u.AttachmentID != "" {
			old, err := g.live.Attachment(ctx, u.AttachmentID)
			if err == nil && old.PageID != u.PageID || confluence.KindOf(err) == confluence.NotFound {
				err = missing("get attachment", "attachment "+u.AttachmentID)
			}
			if err != nil {
				return nil, err
			}
		}
		return g.file(ctx, u.PageID, "create/attachment")
	}); err != nil {
		return confluence.Attachment{}, err
	}
	var err error
	if u.Comment, err = g.signed(ctx, u.Comment); err != nil {
		return confluence.Attachment{}, err
	}
	return g.live.Upload(ctx, u)
}

// DeleteAttachment implements tools.AttachmentStore.
func (g *guarded) DeleteAttachment(ctx context.Context, id string) error {
	if err := g.permit(ctx, "delete attachment", func() ([]need, error) {
		a, err := g.Attachment(ctx, id)
		if err != nil {
			return nil, err
		}
		return g.file(ctx, a.PageID, "delete/attachment")
	}); err != nil {
		return err
	}
	return g.live.DeleteAttachment(ctx, id)
}

// file is what a write of a file needs: whoever may change its page may, where
// the space lets him have to do with files.
func (g *guarded) file(ctx context.Context, pageID, permission string) ([]need, error) {
	page, err := g.stands(ctx, pageID)
	return []need{on(page, toUpdate), within(page.SpaceID, permission)}, err
}

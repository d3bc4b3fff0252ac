package mirrored

import (
	"context"

	"confluence-mcp/internal/confluence"
)

// refuse is why a caller without a credential of his own writes nothing. It is
// the one place that decides it.
func (g *guarded) refuse(op string) error {
	if g.refusal != nil {
		return g.refusal
	}
	return &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Op: op,
		Message: "This server holds no Confluence credential of this user, so it reads for him and writes nothing.",
		Next:    "Nothing was changed. Ask an admin to connect this user, or to give the agent the identity of the connecting account."}
}

// CreatePage implements tools.PageSink.
func (g *guarded) CreatePage(context.Context, confluence.NewPage) (confluence.Page, error) {
	return confluence.Page{}, g.refuse("create page")
}

// UpdatePage implements tools.PageSink.
func (g *guarded) UpdatePage(context.Context, confluence.PageUpdate) (confluence.Page, error) {
	return confluence.Page{}, g.refuse("update page")
}

// DeletePage implements tools.PageSink.
func (g *guarded) DeletePage(context.Context, string, string) error { return g.refuse("delete page") }

// MovePage implements tools.PageSink.
func (g *guarded) MovePage(context.Context, string, string, string) error {
	return g.refuse("move page")
}

// CopyPage implements tools.PageSink.
func (g *guarded) CopyPage(context.Context, confluence.CopyRequest) (confluence.Page, error) {
	return confluence.Page{}, g.refuse("copy page")
}

// CreateComment implements tools.CommentStore.
func (g *guarded) CreateComment(context.Context, confluence.NewComment) (confluence.Comment, error) {
	return confluence.Comment{}, g.refuse("create comment")
}

// UpdateComment implements tools.CommentStore.
func (g *guarded) UpdateComment(context.Context, confluence.CommentUpdate) (confluence.Comment, error) {
	return confluence.Comment{}, g.refuse("update comment")
}

// DeleteComment implements tools.CommentStore.
func (g *guarded) DeleteComment(context.Context, string, string) error {
	return g.refuse("delete comment")
}

// AddLabels implements tools.LabelStore.
func (g *guarded) AddLabels(context.Context, string, []string) ([]confluence.Label, error) {
	return nil, g.refuse("add labels")
}

// RemoveLabel implements tools.LabelStore.
func (g *guarded) RemoveLabel(context.Context, string, string) error {
	return g.refuse("remove label")
}

// CreateSpace implements tools.SpaceStore.
func (g *guarded) CreateSpace(context.Context, confluence.NewSpace) (confluence.Space, error) {
	return confluence.Space{}, g.refuse("create space")
}

// UpdateSpace implements tools.SpaceStore.
func (g *guarded) UpdateSpace(context.Context, confluence.SpaceUpdate) (confluence.Space, error) {
	return confluence.Space{}, g.refuse("update space")
}

// Upload implements tools.AttachmentStore.
func (g *guarded) Upload(context.Context, confluence.Upload) (confluence.Attachment, error) {
	return confluence.Attachment{}, g.refuse("upload")
}

// DeleteAttachment implements tools.AttachmentStore.
func (g *guarded) DeleteAttachment(context.Context, string) error {
	return g.refuse("delete attachment")
}

package tools

import (
	"context"
	"io"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
)

// Sites hands out Confluence bound to one caller. It is the only way a tool
// reaches Confluence, so nothing is read or written without saying who asks.
// Kind Denied when no credentials fit the caller.
type Sites interface {
	For(ctx context.Context, c identity.Caller) (Site, error)
}

// Site is one Confluence site, acting as one caller. All errors are
// *confluence.Error. Listings return one page at a time; Next of the answer
// is the Cursor of the next question.
type Site interface {
	// Describe names the site for people and for policy.
	Describe() confluence.Site
	PageSource
	PageSink
	CommentStore
	LabelStore
	SpaceStore
	AttachmentStore
	Directory
}

// Copied is a [Site] that answers from a copy of Confluence where it has one.
type Copied interface {
	Site
	// Live gives the same site, for the same caller, that asks Confluence
	// whatever it is asked.
	Live() Site
}

// PageSource reads pages, blog posts, their tree and their history.
type PageSource interface {
	// Page finds a page, or a blog post, by id.
	Page(ctx context.Context, id string, opt confluence.PageOptions) (confluence.Page, error)
	Pages(ctx context.Context, f confluence.PageFilter, p confluence.Paging) (confluence.List[confluence.Page], error)
	// PagesByID reads pages, or blog posts, without their bodies. One that is
	// not there, or not current, is missing from the answer.
	PagesByID(ctx context.Context, ids []string, contentType string) (map[string]confluence.Page, error)
	// Children lists direct children of a page or folder, folders included.
	Children(ctx context.Context, id, contentType string, p confluence.Paging) (confluence.List[confluence.Node], error)
	// Descendants lists the subtree to depth 1 to 10.
	Descendants(ctx context.Context, id string, depth int, p confluence.Paging) (confluence.List[confluence.Node], error)
	// Ancestors lists root first, all of them.
	Ancestors(ctx context.Context, id string) ([]confluence.Node, error)
	// Versions lists newest first, of comments (by their kind) and attachments too.
	Versions(ctx context.Context, id, contentType string, p confluence.Paging) (confluence.List[confluence.Version], error)
	Search(ctx context.Context, s confluence.Search) (confluence.List[confluence.Hit], error)
	Template(ctx context.Context, id string) (confluence.Template, error)
}

// PageSink writes pages and blog posts. DeletePage moves to the trash; there
// is no purge.
type PageSink interface {
	CreatePage(ctx context.Context, n confluence.NewPage) (confluence.Page, error)
	UpdatePage(ctx context.Context, u confluence.PageUpdate) (confluence.Page, error)
	DeletePage(ctx context.Context, id, contentType string) error
	MovePage(ctx context.Context, id, position, targetID string) error
	CopyPage(ctx context.Context, c confluence.CopyRequest) (confluence.Page, error)
}

// CommentStore reads and writes comments.
type CommentStore interface {
	// Comments lists root comments of one kind.
	Comments(ctx context.Context, pageID, contentType, kind string, p confluence.Paging) (confluence.List[confluence.Comment], error)
	Replies(ctx context.Context, commentID, kind string, p confluence.Paging) (confluence.List[confluence.Comment], error)
	// Comment finds a footer or inline comment by id.
	Comment(ctx context.Context, id string) (confluence.Comment, error)
	CreateComment(ctx context.Context, n confluence.NewComment) (confluence.Comment, error)
	UpdateComment(ctx context.Context, u confluence.CommentUpdate) (confluence.Comment, error)
	// DeleteComment is permanent: comments have no trash.
	DeleteComment(ctx context.Context, id, kind string) error
}

// LabelStore reads and writes labels of content.
type LabelStore interface {
	Labels(ctx context.Context, id, contentType string) ([]confluence.Label, error)
	AddLabels(ctx context.Context, id string, names []string) ([]confluence.Label, error)
	RemoveLabel(ctx context.Context, id, name string) error
}

// SpaceStore reads, creates and changes spaces. It has no delete.
type SpaceStore interface {
	Spaces(ctx context.Context, f confluence.SpaceFilter, p confluence.Paging) (confluence.List[confluence.Space], error)
	Space(ctx context.Context, key string) (confluence.Space, error)
	CreateSpace(ctx context.Context, n confluence.NewSpace) (confluence.Space, error)
	UpdateSpace(ctx context.Context, u confluence.SpaceUpdate) (confluence.Space, error)
}

// AttachmentStore reads and writes files. DeleteAttachment moves to the trash.
type AttachmentStore interface {
	Attachments(ctx context.Context, pageID, contentType string, p confluence.Paging) (confluence.List[confluence.Attachment], error)
	Attachment(ctx context.Context, id string) (confluence.Attachment, error)
	// Download gives the bytes from offset on, at most limit of them.
	Download(ctx context.Context, a confluence.Attachment, offset, limit int64) (io.ReadCloser, error)
	Upload(ctx context.Context, u confluence.Upload) (confluence.Attachment, error)
	DeleteAttachment(ctx context.Context, id string) error
}

// Directory finds people and restrictions.
type Directory interface {
	CurrentUser(ctx context.Context) (confluence.User, error)
	User(ctx context.Context, id string) (confluence.User, error)
	// UsersByID reads many people at once. One that does not exist is missing
	// from the answer.
	UsersByID(ctx context.Context, ids []string) (map[string]confluence.User, error)
	// FindUsers matches a part of the full name.
	FindUsers(ctx context.Context, query string, p confluence.Paging) (confluence.List[confluence.User], error)
	// Restrictions lists the own restrictions of one piece of content.
	Restrictions(ctx context.Context, id string) ([]confluence.Restriction, error)
}

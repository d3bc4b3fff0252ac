package confluence

import (
	"io"
	"time"
)

// BodyFormat chooses the representation of a body that is read.
type BodyFormat string

// Body formats a single read accepts. NoBody leaves the body out.
const (
	NoBody     BodyFormat = ""
	Storage    BodyFormat = "storage"
	ExportView BodyFormat = "export_view"
)

// PageOptions says what to read of a page. Version 0 is the current one. A
// source may give the whole body whatever Part says.
type PageOptions struct {
	Format  BodyFormat
	Version int
	Part    Part
}

// Part asks for a piece of a body that is too large to be held: one of more
// than Whole bytes comes as its Size bytes from byte From on, moved inwards to
// borders of characters. The zero Part asks for every body whole.
type Part struct {
	Whole, From, Size int
}

// PageFilter narrows a listing of pages. Empty fields do not narrow. Status
// defaults to current (Confluence's own default includes archived pages).
type PageFilter struct {
	SpaceID string
	Type    string // TypePage (default) or TypeBlogPost
	Title   string // exact, case-insensitive
	Status  string
	Sort    string // for example -modified-date
	Root    bool   // only the top level of the space
	Format  BodyFormat
}

// NewPage is a page to create. ParentID empty puts it under the home page of
// the space; a folder is a legal parent.
type NewPage struct {
	SpaceID  string
	Type     string
	Title    string
	ParentID string
	Body     string // storage
}

// PageUpdate replaces title and body of a page. Version is the number the
// update will create: the version that was read plus one. Status current on a
// trashed page restores it (and then ignores the body).
type PageUpdate struct {
	ID      string
	Type    string
	Status  string
	Title   string
	Body    string // storage
	Version int
	Message string
	Minor   bool
}

// Positions of a moved page relative to its target.
const (
	MoveAppend = "append"
	MoveBefore = "before"
	MoveAfter  = "after"
)

// CopyRequest makes a new page from an existing one, attachments and labels
// included. It never overwrites a page.
type CopyRequest struct {
	SourceID string
	ParentID string
	Title    string
}

// NewComment is a comment to create: a reply when ParentID is set, else inline
// when Selection is set, else a footer comment. MatchCount and MatchIndex
// (from 0) say which occurrence of Selection is meant.
type NewComment struct {
	PageID     string
	PageType   string
	ParentID   string
	Kind       string // kind of the parent for a reply
	Body       string // storage
	Selection  string
	MatchCount int
	MatchIndex int
}

// CommentUpdate changes a comment. Version is the number the update creates.
// Resolved applies to inline comments only; nil leaves it.
type CommentUpdate struct {
	ID       string
	Kind     string
	Body     string // storage
	Version  int
	Message  string // of the new version
	Resolved *bool
}

// SpaceFilter narrows a listing of spaces. Status empty means both.
type SpaceFilter struct {
	Keys   []string
	Type   string
	Status string
}

// NewSpace is a space to create.
type NewSpace struct {
	Key         string
	Name        string
	Description string
}

// SpaceUpdate changes a space; nil leaves a field as it is. Status, type and
// permissions of a space are not among what can be changed.
type SpaceUpdate struct {
	Key         string
	Name        *string
	Description *string
	HomepageID  *string
}

// Upload is a file to attach. AttachmentID set means a new version of that
// attachment. Size is the number of bytes Content will give.
type Upload struct {
	PageID       string
	AttachmentID string
	FileName     string
	MediaType    string
	Comment      string
	Minor        bool
	Size         int64
	Content      io.Reader
}

// Search is one search. CQL is the whole question, as Confluence reads it;
// Terms says the same in fields, nil where only CQL can say it. Excerpts asks
// for text around the match. SpaceKey, where it is set, is a space CQL keeps to.
type Search struct {
	CQL      string
	SpaceKey string
	Terms    *Terms
	Excerpts bool
	Archived bool // also archived spaces
	Paging
}

// Terms is a search for pages and blog posts in fields. Empty fields do not
// narrow.
type Terms struct {
	Text         string // words; "*" finds everything, the last changed first where that is not too much
	SpaceKey     string
	Type         string // TypePage or TypeBlogPost
	Label        string
	AncestorID   string
	UpdatedSince time.Time
}

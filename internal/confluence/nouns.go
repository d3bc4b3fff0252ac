package confluence

import (
	"strings"
	"time"
)

// Content types of a [Page] and a [Node].
const (
	TypePage       = "page"
	TypeBlogPost   = "blogpost"
	TypeFolder     = "folder"
	TypeAttachment = "attachment" // of versions
)

// Content states.
const (
	StatusCurrent  = "current"
	StatusTrashed  = "trashed"
	StatusArchived = "archived"
)

// Version is one saved state of a page, comment or attachment. Number starts
// at 1 and grows by one per save; CreatedAt is UTC and is what Confluence calls
// "last modified" (there is no other field for it).
type Version struct {
	Number    int
	CreatedAt time.Time
	Message   string
	Minor     bool
	AuthorID  string // who saved this version, not who wrote the first one
}

// Page is a page or a blog post (Type tells).
//
// Body is empty unless a body format was asked for. SpaceKey is filled by the
// client from SpaceID. ParentID is empty for a home page, a blog post and
// anything in the trash; ParentType may be a folder or another node that is
// not a page. WebURL is the address a person opens. ReadAt is when a copy of it
// was read from Confluence; zero when it was read just now. Stale says that who may
// see it was read too long ago to be relied on without a word.
type Page struct {
	ID         string
	Type       string
	Status     string
	Title      string
	SpaceID    string
	SpaceKey   string
	ParentID   string
	ParentType string
	Position   *int // order among siblings; nil where Confluence gives none
	AuthorID   string
	OwnerID    string
	CreatedAt  time.Time
	Version    Version
	Body       string
	BodySize   int // bytes of the whole body where Body is a part of it; else 0
	WebURL     string
	ReadAt     time.Time
	Stale      bool
}

// Node is one entry of a page tree: a page, folder, whiteboard, database or
// embed. Depth counts from 1 below the node that was asked about.
type Node struct {
	ID       string
	Type     string
	Status   string
	Title    string
	ParentID string
	Position *int
	Depth    int
}

// Space is a space. ID is numeric in v1 and a string in v2 of the same number;
// here it is always the string. ReadAt and Stale are as in a [Page].
type Space struct {
	ID          string
	Key         string
	Name        string
	Type        string // global, collaboration, knowledge_base, personal, system, onboarding, …
	Status      string // current or archived
	HomepageID  string
	Description string
	WebURL      string
	ReadAt      time.Time
	Stale       bool
}

// longestSpaceKey is in characters.
const longestSpaceKey = 255

// IsSpaceKey reports whether a text is the key of a space that is served: letters
// and digits. Keys of personal spaces begin with ~; those are not served.
func IsSpaceKey(s string) bool {
	return s != "" && len(s) <= longestSpaceKey && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
}

// Label is a label on content. Only prefix "global" is visible to everybody.
type Label struct {
	ID     string
	Name   string
	Prefix string
}

// Comment kinds.
const (
	CommentFooter = "footer"
	CommentInline = "inline"
)

// Comment is a footer or inline comment. ParentID names the comment it
// answers, empty at the root. Status is current or, for inline comments,
// Resolution is open, reopened, resolved or dangling. Selection is the text an
// inline comment is attached to. Body is storage.
type Comment struct {
	ID         string
	Kind       string
	PageID     string
	ParentID   string
	Status     string
	Resolution string
	Selection  string
	Body       string
	Version    Version
	WebURL     string
}

// Attachment is the metadata of a file on a page, blog post or comment. ID has
// the form att123. Size is in bytes.
type Attachment struct {
	ID        string
	PageID    string
	Title     string // the file name
	MediaType string
	Size      int64
	Comment   string
	Version   Version
	Pinned    bool // for a download: this very version is meant, not the current one
	WebURL    string
}

// User is an account. Email is empty when the user's privacy settings hide it.
type User struct {
	ID     string // accountId on Cloud, user key on Data Center
	Name   string
	Email  string
	Type   string // atlassian, app, customer, unknown
	Active bool
	Guest  bool
}

// Group is a group of users. ID is stable over renames.
type Group struct {
	ID   string
	Name string
}

// Restriction is the own restriction of one piece of content for one
// operation (read or update). Both lists empty means: none. What ancestors
// restrict is not in it.
type Restriction struct {
	Operation string
	UserIDs   []string
	Groups    []Group
}

// Hit is one row of a search. Excerpt is plain text: highlighting marks and
// HTML escapes are removed by the client.
//
// ReadAt and Stale are as in a [Page]. Where Version is set, the excerpt is the best passage
// of that version, and the fields after it say where it stands.
type Hit struct {
	ID       string
	Type     string // page, blogpost, comment, attachment, space, …
	Title    string
	SpaceKey string
	Excerpt  string
	Updated  time.Time
	WebURL   string

	ReadAt      time.Time
	Stale       bool
	Version     int
	HeadingPath []string // headings above the passage, outermost first
	Anchor      string   // address of the passage
	More        int      // other sections of the page that match as well
}

// Template is a content template; Body is storage and may hold template
// variables. A template of the site has no SpaceKey; SpaceType is empty where
// Confluence does not say it. Who wrote a template Confluence does not say.
type Template struct {
	ID        string
	Name      string
	SpaceKey  string
	SpaceType string
	Labels    []string
	Body      string
}

// List is one page of a listing. Next is opaque and empty at the end; a short
// page is not the end. Total is an estimate, or -1 where Confluence gives none.
//
// ReadAt is when the oldest of what is listed was read from Confluence; zero
// when that was just now. Stale says that something listed is. Exact, Near,
// Titles and Facets are said by a search in a copy.
type List[T any] struct {
	Items  []T
	Next   string
	Total  int
	ReadAt time.Time
	Stale  bool
	Exact  bool   // Total is no estimate
	Near   bool   // nothing had the words, so words that look alike were taken
	Titles bool   // the words were looked for in titles only
	Notice string // what is wrong with what was searched, for whoever reads the answer; "" when nothing is
	Facets []Facet
}

// Facet counts, for one property of everything a search found, how often each
// value stands there, the most frequent first.
type Facet struct {
	Name   string // space, type, label
	Counts []Count
}

// Count is one value of a [Facet].
type Count struct {
	Value string
	N     int
}

// Paging asks for one page of a listing. Limit 0 means the server's default;
// v2 takes at most 250.
type Paging struct {
	Cursor string
	Limit  int
}

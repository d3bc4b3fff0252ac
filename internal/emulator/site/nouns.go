package site

import (
	"strconv"
	"strings"
	"time"
)

// User is one account. Groups are names; Account is user, guest or app.
type User struct {
	ID, Username, Name, Email string
	Active, Admin             bool
	Groups                    []string
	Account                   string
	Token                     string
}

func (u *User) answersTo(login string) bool {
	return login == "" || strings.EqualFold(login, u.Email) || login == u.Username
}

// Group is a named set of users. Members of a group are members of its Parent
// (a group name; empty is none) too.
type Group struct {
	ID, Name, Parent string
}

// Space is a space. Status is current or archived; Type as in Confluence's own
// list (global, knowledge_base, collaboration, personal, system). Alias equals
// the key.
type Space struct {
	ID, Key, Name, Type, Status string
	Description                 string
	Author                      string
	Created                     time.Time
	grants                      []Grant
}

// Grant gives To an Op (read or write; write implies read) in a space. To is
// group:NAME, user:ID, anonymous or class:NAME with the access classes of
// Confluence: all-licensed-users, authenticated-users, anonymous-users,
// all-product-admins, jsm-project-admins.
type Grant struct {
	To, Op string
}

// Subjects is one side of a restriction. Empty means unrestricted. Subjects
// that name nobody known still restrict.
type Subjects struct {
	Users  []string // ids
	Groups []string // names
}

// Empty says that there is no restriction.
func (s Subjects) Empty() bool { return len(s.Users) == 0 && len(s.Groups) == 0 }

// Content is a page, blogpost, folder, comment or attachment at its newest
// version. Do not change one: it is shared.
type Content struct {
	ID     string
	Type   string // page, blogpost, folder, comment, attachment
	Space  string // key
	Parent string // id of the parent page or folder, or of the container; kept in the trash
	Title  string // file name of an attachment, empty for a comment
	Status string // current, draft, trashed, archived

	Storage  string
	Labels   []string
	Author   string // of version 1
	Created  time.Time
	Position int

	Version   int
	Updated   time.Time // of the newest version
	UpdatedBy string
	Message   string
	Minor     bool

	Read, Update Subjects   // own restrictions
	Properties   []Property // in the order they were made

	MediaType string
	Data      []byte
	Comment   string // the comment of an attachment's version

	Inline     *Inline // nil for footer comments and everything else
	Resolution string  // open, reopened, resolved, dangling: inline comments only

	history []Version // versions older than the newest that are known, oldest first
	num     int64
	folded  string // the title in lower case
}

// Inline is where an inline comment sits: the selected text, which match of it
// on the page, and the id of the marker element in the page's storage.
type Inline struct {
	Selection    string
	Count, Index int
	Marker       string
}

// Version is one state of a content's title, body or bytes.
type Version struct {
	Number    int
	Title     string
	Storage   string
	MediaType string
	Data      []byte
	At        time.Time
	By        string
	Message   string
	Minor     bool
}

// Template is a content template; an empty Space makes it a site template.
type Template struct {
	ID, Space, Name, Storage string
}

// Refusal is why the site said no. Status is the HTTP status of the older API
// generation: 400 a bad request, 403 not permitted, 404 not there or not
// visible, 409 a conflict, 413 too large. (The v2 generation answers 404 where
// this says 403.)
type Refusal struct {
	Status  int
	Message string
}

// Error is the message as the API shows it.
func (r *Refusal) Error() string { return r.Message }

func refuse(status int, message string) error { return &Refusal{Status: status, Message: message} }

// isNode says that a content stands in the tree by itself, not in a container.
func (c *Content) isNode() bool { return c.Type != "comment" && c.Type != "attachment" }

// number is the numeric part of an id, for ordering; 0 when there is none.
func number(id string) int64 {
	n, err := strconv.ParseInt(strings.TrimPrefix(id, "att"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

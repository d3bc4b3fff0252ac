package ingest

import (
	"context"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// Source is what a sync reads of one integration, as the connecting account.
// All errors are *confluence.Error; NotFound from Extras means that the site
// does not have this operation any more.
type Source interface {
	Describe() confluence.Site
	CurrentUser(ctx context.Context) (confluence.User, error)
	OpenToAnonymous(ctx context.Context) (bool, error)
	Spaces(ctx context.Context, f confluence.SpaceFilter, p confluence.Paging) (confluence.List[confluence.Space], error)

	Pages(ctx context.Context, f confluence.PageFilter, p confluence.Paging) (confluence.List[confluence.Page], error)
	Page(ctx context.Context, id string, opt confluence.PageOptions) (confluence.Page, error)
	Bodies(ctx context.Context, contentType string, ids []string) ([]confluence.Page, error)
	PagesByID(ctx context.Context, ids []string, contentType string) (map[string]confluence.Page, error)
	Folder(ctx context.Context, id string) (confluence.Page, error)
	Ancestors(ctx context.Context, id string) ([]confluence.Node, error)
	Extras(ctx context.Context, spaceKey, contentType string, p confluence.Paging) (confluence.List[confluence.Extras], error)
	Labels(ctx context.Context, id, contentType string) ([]confluence.Label, error)
	Attachments(ctx context.Context, id, contentType string, p confluence.Paging) (confluence.List[confluence.Attachment], error)

	Restrictions(ctx context.Context, id string) ([]confluence.Restriction, error)
	SpacePermissions(ctx context.Context, spaceID string, p confluence.Paging) (confluence.List[confluence.Permission], error)
	SpaceRoleAssignments(ctx context.Context, spaceID string, p confluence.Paging) (confluence.List[confluence.RoleAssignment], error)
	SpaceRoles(ctx context.Context, spaceID string, p confluence.Paging) (confluence.List[confluence.Role], error)

	Groups(ctx context.Context, p confluence.Paging) (confluence.List[confluence.Group], error)
	GroupMembers(ctx context.Context, id string, p confluence.Paging) (confluence.List[confluence.User], error)
	GroupsOf(ctx context.Context, userID string, p confluence.Paging) (confluence.List[confluence.Group], error)
	UsersByID(ctx context.Context, ids []string) (map[string]confluence.User, error)
}

// Mirror is what a sync fills. The semantics are those of store/mirror's Writer
// and Pass, whose types have the same fields.
type Mirror interface {
	Begin(ctx context.Context, integration int64, sp confluence.Space) (Pass, error)
	Spaces(ctx context.Context, integration int64) ([]Swept, error)
	Sealed(ctx context.Context, integration int64) (map[string]int, error)
	SetIntegration(ctx context.Context, i guard.Integration) error
	SetPeople(ctx context.Context, people []Person) error
	SetGroups(ctx context.Context, groups []guard.Membership) error
	DropGroup(ctx context.Context, integration int64, id string) error
	Groups(ctx context.Context, integration int64) ([]guard.Membership, error)
	Person(ctx context.Context, integration int64, who string) (Person, error)
	People(ctx context.Context, integration int64) ([]Person, error)
	Mark(ctx context.Context, integration int64, name string) (string, error)
	SetMark(ctx context.Context, integration int64, name, v string) error
}

// Pass is one reading of one space into the mirror.
type Pass interface {
	SweptAt() time.Time
	Observe(nodes ...Node) error
	Grants(view []guard.Principal, sealed bool) error
	Laxer(ctx context.Context) (bool, error)
	Tighten(ctx context.Context, complete bool) (Vanished, error)
	Confirm(ctx context.Context, ids ...string) error
	Outdated(ctx context.Context, listed []Listed, since time.Time) (changed, old []string, err error)
	Missing(ctx context.Context) ([]string, error)
	Again(ctx context.Context, nodes ...Node) error
	Hold(ids ...string)
	Put(ctx context.Context, pages []Content, mark string) (int, error)
	Loosen(ctx context.Context) error
	End(ctx context.Context, report string) error
}

// Node is what was read of the rights of one node.
type Node struct {
	ID       string
	Type     string
	ParentID string // empty at the root
	Clause   guard.Clause
	Cause    string // why it is sealed, or that the list was cut off; for the report
	Gone     bool   // it was there and, read again, was not any more: sealed unless another space has it
}

// Content is a page, a blog post or a folder with everything the mirror keeps.
// Body is storage, Text its rendering.
type Content struct {
	confluence.Page
	Labels      []string
	Text        string
	Attachments []confluence.Attachment
}

// Person is a user with what he is looked up by. Groups are ids.
type Person struct {
	guard.Person
	Name     string
	Username string
	Email    string
}

// Vanished is what a complete pass did not find any more.
type Vanished struct {
	Hidden int  // not found for the first time: hidden, kept
	Purged int  // not found again: removed
	Held   bool // so much vanished at once that only the next pass may remove it
	Left   int  // nodes of the space that are there
}

// Listed is what a listing tells of content without its body. Partial says that
// it does not tell labels and attachments.
type Listed struct {
	ID          string
	Version     int
	Title       string
	Position    *int
	Labels      []string
	Attachments map[string]int // version by id
	Partial     bool
}

// Swept is a space as an earlier pass left it.
type Swept struct {
	Space  confluence.Space
	At     time.Time // when its rights were last read completely
	Sealed bool
	Nodes  int
	Gone   int // of them, hidden because they were not found any more
}

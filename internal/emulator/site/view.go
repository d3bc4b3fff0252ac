package site

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// Now is the site's clock.
func (v *View) Now() time.Time { return v.site.now() }

// SiteName is the display name of the site.
func (v *View) SiteName() string { return v.site.name }

// RoleMode is PRE_ROLES, ROLES_TRANSITION or ROLES.
func (v *View) RoleMode() string { return v.site.roleMode }

// Users lists every account, ordered by id; nothing for those who may not use
// the site.
func (v *View) Users() []*User {
	if !v.MayUseSite() {
		return nil
	}
	return sortedBy(maps.Values(v.site.users), func(u *User) string { return u.ID })
}

// User finds an account by id, deactivated ones too.
func (v *View) User(id string) (*User, bool) {
	u, ok := v.site.users[id]
	return u, ok && v.MayUseSite()
}

// Groups lists every group, ordered by name.
func (v *View) Groups() []*Group {
	if !v.MayUseSite() {
		return nil
	}
	return sortedBy(maps.Values(v.site.groups), func(g *Group) string { return g.Name })
}

// Group finds a group by id.
func (v *View) Group(id string) (*Group, bool) {
	g, ok := v.site.groups[id]
	return g, ok && v.MayUseSite()
}

// GroupByName finds a group by name.
func (v *View) GroupByName(name string) (*Group, bool) {
	return v.Group(v.site.groupNames[name])
}

// GroupsOf lists the groups of a user, parents of parents included, ordered by
// name.
func (v *View) GroupsOf(u *User) []*Group {
	var out []*Group
	for name := range v.site.memberships(u) {
		if g, ok := v.GroupByName(name); ok {
			out = append(out, g)
		}
	}
	return sortedBy(slices.Values(out), func(g *Group) string { return g.Name })
}

// Members lists the active users of a group and of the groups below it,
// ordered by id. False for anonymous: Cloud lets everybody who can use the site
// read it.
func (v *View) Members(g *Group) ([]*User, bool) {
	if v.me == nil {
		return nil, false
	}
	var out []*User
	for _, u := range v.Users() {
		if u.Active && v.site.memberships(u)[g.Name] {
			out = append(out, u)
		}
	}
	return out, true
}

// Spaces lists the spaces the user may view, ordered by id.
func (v *View) Spaces() []*Space {
	var out []*Space
	for _, sp := range v.site.spaces {
		if v.maySpace(sp.Key, "read") {
			out = append(out, sp)
		}
	}
	slices.SortFunc(out, func(a, b *Space) int {
		return cmp.Or(cmp.Compare(number(a.ID), number(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Space finds a space by id.
func (v *View) Space(id string) (*Space, bool) {
	sp, ok := v.site.spaces[id]
	return sp, ok && v.maySpace(sp.Key, "read")
}

// SpaceByKey finds a space by key, in any case.
func (v *View) SpaceByKey(key string) (*Space, bool) {
	return v.Space(v.site.spaceKeys[strings.ToLower(key)])
}

// Grants lists who may do what in a space. False for anonymous: Cloud lets
// everybody logged in who views the space read it.
func (v *View) Grants(sp *Space) ([]Grant, bool) {
	if v.me == nil || !v.maySpace(sp.Key, "read") {
		return nil, false
	}
	return sp.grants, true
}

// Home finds the home page of a space, if the user sees it.
func (v *View) Home(sp *Space) (*Content, bool) { return v.Content(v.site.homes[sp.Key]) }

// HomeID is the id of the home page of a space, seen or not; empty is none.
func (v *View) HomeID(sp *Space) string { return v.site.homes[sp.Key] }

// Content finds a content of any type and status by id. Attachments answer to
// their number without "att" too.
func (v *View) Content(id string) (*Content, bool) {
	c, ok := v.site.find(id)
	if !ok || !v.sees(c) {
		return nil, false
	}
	return c, true
}

func (s *Site) find(id string) (*Content, bool) {
	if c, ok := s.contents[id]; ok {
		return c, true
	}
	c, ok := s.contents["att"+id]
	return c, ok
}

// PageByTitle finds the current or archived page of a title in a space, in any
// case.
func (v *View) PageByTitle(space, title string) (*Content, bool) {
	return v.Content(v.site.titles[space][strings.ToLower(title)])
}

// TitleTaken says that a space has a current or archived page of a title, seen
// or not. Only the words of an error may depend on it.
func (v *View) TitleTaken(space, title string) bool {
	return v.site.titles[space][strings.ToLower(title)] != ""
}

// Children lists the pages and folders right below a page or folder that are
// current or archived, in the order of the tree.
func (v *View) Children(id string) []*Content {
	return v.below(id, func(c *Content) bool {
		return c.isNode() && (c.Status == "current" || c.Status == "archived")
	})
}

// Comments lists the current comments right below a page or a comment, oldest
// first.
func (v *View) Comments(id string) []*Content {
	return v.below(id, func(c *Content) bool { return c.Type == "comment" && c.Status == "current" })
}

// Attachments lists the attachments of a content in any status, oldest first.
func (v *View) Attachments(id string) []*Content {
	return v.below(id, func(c *Content) bool { return c.Type == "attachment" })
}

func (v *View) below(id string, keep func(*Content) bool) []*Content {
	var out []*Content
	for _, kid := range v.site.kids[id] {
		if c := v.site.contents[kid]; keep(c) && v.sees(c) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b *Content) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.num, b.num), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Ancestors lists what stands above c, the root first; for a comment or an
// attachment it starts with its containers. Trashed content has no ancestors.
// An old state of c, as a lagging index has it, may stand below something that
// the user may not see: that is left out.
func (v *View) Ancestors(c *Content) []*Content {
	var out []*Content
	if c.Status == "trashed" {
		return nil
	}
	for up, ok := v.site.contents[c.Parent]; ok; up, ok = v.site.contents[up.Parent] {
		if v.sees(up) {
			out = append(out, up)
		}
	}
	slices.Reverse(out)
	return out
}

// Container is the page, blog post or folder that a comment or an attachment
// hangs on, over any number of replies; c itself for everything else.
func (v *View) Container(c *Content) *Content { return v.node(c) }

// Versions lists the known versions of c, oldest first, the newest last.
// Versions from before the site file was written are not known.
func (v *View) Versions(c *Content) []Version {
	return append(slices.Clone(c.history), c.newest())
}

// Version finds one version of c.
func (v *View) Version(c *Content, n int) (Version, bool) {
	for _, ver := range v.Versions(c) {
		if ver.Number == n {
			return ver, true
		}
	}
	return Version{}, false
}

func (c *Content) newest() Version {
	return Version{Number: c.Version, Title: c.Title, Storage: c.Storage, MediaType: c.MediaType, Data: c.Data,
		At: c.Updated, By: c.UpdatedBy, Message: c.Message, Minor: c.Minor}
}

// Contributors is everybody who wrote a known version of c, the author first.
func (v *View) Contributors(c *Content) []string {
	out := []string{c.Author}
	for _, ver := range v.Versions(c) {
		if !slices.Contains(out, ver.By) {
			out = append(out, ver.By)
		}
	}
	return out
}

// Templates lists the templates of a space, or of the site for nil, by name.
func (v *View) Templates(sp *Space) []*Template {
	key := ""
	if sp != nil {
		key = sp.Key
	}
	var out []*Template
	for _, t := range v.site.templates {
		if t.Space == key && (key == "" && v.MayUseSite() || key != "" && v.maySpace(key, "read")) {
			out = append(out, t)
		}
	}
	return sortedBy(slices.Values(out), func(t *Template) string { return t.Name + "\x00" + t.ID })
}

// Template finds a template by id.
func (v *View) Template(id string) (*Template, bool) {
	t, ok := v.site.templates[id]
	if !ok || (t.Space != "" && !v.maySpace(t.Space, "read")) || !v.MayUseSite() {
		return nil, false
	}
	return t, true
}

func sortedBy[T any](seq iter.Seq[T], key func(T) string) []T {
	return slices.SortedFunc(seq, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
}

package site

import (
	"slices"
	"strings"
)

// View is the site as one user may see it. Valid only inside [Site.Read] or
// [Site.Write]; what it returns may be kept but not changed.
type View struct {
	site *Site
	user string // user id, empty for anonymous

	me       *User
	groups   map[string]bool // names, parents included
	spaceOK  map[string]bool // space key + op -> granted
	clauseOK map[string]bool // content id -> its clause and all above it pass
}

func (s *Site) view(user string) *View {
	v := &View{site: s, user: user, groups: map[string]bool{}, spaceOK: map[string]bool{}, clauseOK: map[string]bool{}}
	if u, ok := s.users[user]; ok && u.Active {
		v.me = u
		v.groups = s.memberships(u)
	}
	return v
}

// memberships is every group name that u belongs to, parents of parents too.
func (s *Site) memberships(u *User) map[string]bool {
	names := map[string]bool{}
	for _, name := range u.Groups {
		for name != "" && !names[name] {
			names[name] = true
			g := s.groups[s.groupNames[name]]
			if g == nil {
				break
			}
			name = g.Parent
		}
	}
	return names
}

// As is the site as another user may see it, for permission checks.
func (v *View) As(user string) *View { return v.site.view(user) }

// Me is the user of this view; nil for anonymous and for deactivated users.
func (v *View) Me() *User { return v.me }

// Admin says that the user is a Confluence administrator, who may check the
// permissions of others and, on Data Center, read members and grants. An admin
// sees no restricted page for it.
func (v *View) Admin() bool { return v.me != nil && v.me.Admin }

// MayUseSite says that the user, or anonymous, may use the site at all.
func (v *View) MayUseSite() bool {
	if v.me != nil {
		return true
	}
	return v.user == "" && v.site.anonymous
}

// holds says that the user is meant by the To of a grant.
func (v *View) holds(to string) bool {
	kind, name, _ := strings.Cut(to, ":")
	switch kind {
	case "user":
		return v.me != nil && v.me.ID == name
	case "group":
		return v.groups[name]
	case "anonymous": // what anonymous may, every logged-in user may too
		return v.me != nil || v.site.anonymous
	case "class":
		return v.inClass(name)
	}
	return false
}

func (v *View) inClass(class string) bool {
	if class == "anonymous-users" {
		return v.me != nil || v.site.anonymous
	}
	if v.me == nil {
		return false
	}
	switch class {
	case "authenticated-users":
		return true
	case "all-licensed-users":
		return v.me.Account == "user"
	case "all-product-admins":
		return v.me.Admin
	}
	return false
}

// maySpace says that a grant of the space gives the user op.
func (v *View) maySpace(key, op string) bool {
	memo := op + " " + key
	if ok, known := v.spaceOK[memo]; known {
		return ok
	}
	sp := v.site.spaces[v.site.spaceKeys[strings.ToLower(key)]]
	ok := sp != nil && v.MayUseSite() && slices.ContainsFunc(sp.grants, func(g Grant) bool {
		return (g.Op == op || g.Op == "write") && v.holds(g.To)
	})
	v.spaceOK[memo] = ok
	return ok
}

// Named says that the subjects list the user or one of his groups.
func (v *View) Named(s Subjects) bool {
	if v.me == nil {
		return false
	}
	return slices.Contains(s.Users, v.me.ID) ||
		slices.ContainsFunc(s.Groups, func(name string) bool { return v.groups[name] })
}

// path says that the read restriction of c and of everything above it lets the
// user through, and that none of them is somebody else's draft.
func (v *View) path(c *Content) bool {
	if ok, known := v.clauseOK[c.ID]; known {
		return ok
	}
	v.clauseOK[c.ID] = false // a loop in the tree admits nobody
	ok := (c.Read.Empty() || v.Named(c.Read)) && (c.Status != "draft" || v.owns(c))
	if ok && c.Parent != "" {
		up, there := v.site.contents[c.Parent]
		ok = there && v.path(up)
	}
	v.clauseOK[c.ID] = ok
	return ok
}

func (v *View) owns(c *Content) bool { return v.me != nil && v.me.ID == c.Author }

// sees is the visibility rule. Comments and attachments stand below their
// container in the tree and have no restrictions, so they share its answer.
func (v *View) sees(c *Content) bool {
	return v.maySpace(c.Space, "read") && v.path(c)
}

// MayEdit says that the user may change c: he sees it, may write in the space,
// and c's own update restriction (that of the container for comments and
// attachments) names him or nobody. His own comments he may always change.
func (v *View) MayEdit(c *Content) bool {
	if !v.MayComment(c) {
		return false
	}
	node := v.node(c)
	if c.Type == "comment" && v.owns(c) {
		return true
	}
	return node.Update.Empty() || v.Named(node.Update)
}

// MayComment says that the user may comment on what he sees: a write grant is
// needed, an update restriction does not matter to comments.
func (v *View) MayComment(c *Content) bool {
	return v.sees(c) && v.maySpace(c.Space, "write")
}

// MayCreateIn says that the user may create content in the space.
func (v *View) MayCreateIn(sp *Space) bool { return v.maySpace(sp.Key, "write") }

// node is the page, blog post or folder that c is or hangs on.
func (v *View) node(c *Content) *Content {
	for !c.isNode() {
		up, ok := v.site.contents[c.Parent]
		if !ok {
			return c
		}
		c = up
	}
	return c
}

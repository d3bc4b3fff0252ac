package site

import "iter"

// IndexedWhere is [View.Indexed] of what keep wants. keep is asked before the
// costly visibility rule and must not let anything out of what it is shown.
func (v *View) IndexedWhere(keep func(*Content) bool) iter.Seq[*Content] {
	return func(yield func(*Content) bool) {
		for _, kind := range []string{"page", "blogpost", "folder", "comment", "attachment"} {
			for _, now := range v.site.orders.of(v.site, Query{Type: kind}) {
				c := v.site.indexed(now)
				if c == nil || c.Status != "current" || !keep(c) || !v.sees(now) || v.hangsOnHidden(now) {
					continue
				}
				if !yield(c) {
					return
				}
			}
		}
	}
}

// Exists says that a content with the id is there, seen or not. Only what an
// administrator asks may depend on it.
func (v *View) Exists(id string) bool {
	_, ok := v.site.find(id)
	return ok && v.Admin()
}

// AsGroup is the site as a member of the group, and of nothing else but its
// parents, sees it.
func (v *View) AsGroup(g *Group) *View {
	as := v.site.view("")
	as.me = &User{ID: "group:" + g.ID, Active: true, Account: "user", Groups: []string{g.Name}}
	as.user = as.me.ID
	as.groups = v.site.memberships(as.me)
	return as
}

// Rehang moves an attachment to another page or blogpost, unless a current
// file of its name is there already.
func (e *Edit) Rehang(id, container string) (*Content, error) {
	old, err := e.editable(id)
	if err != nil {
		return nil, err
	}
	to, ok := e.Content(container)
	if !ok || to.Status == "trashed" {
		return nil, notFound(container)
	}
	if !e.MayComment(to) {
		return nil, refuse(403, "User is not permitted to attach to content with id ["+container+"]")
	}
	if _, taken := e.AttachmentByName(to.ID, old.Title); taken || old.Type != "attachment" || to.Type != "page" && to.Type != "blogpost" {
		return nil, refuse(400, "The attachment cannot be moved to content with id ["+container+"]")
	}
	c := *old
	c.Parent, c.Space = to.ID, to.Space
	e.site.put(&c)
	e.forget()
	return &c, nil
}

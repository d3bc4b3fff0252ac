package site

import "iter"

// Indexed yields what a search of this user can find: current content of every
// type, drafts, trash and archived content left out, as the search index knows
// it, which lags behind the site by what [Site.SetSearchLag] says. Comments
// and attachments are found as long as the page they hang on is current.
// Content of archived spaces is yielded too; the caller leaves it out unless
// asked. Order: id.
func (v *View) Indexed() iter.Seq[*Content] {
	return v.IndexedWhere(func(*Content) bool { return true })
}

// hangsOnHidden says that a comment's or attachment's page is not indexed.
func (v *View) hangsOnHidden(c *Content) bool {
	if c.isNode() {
		return false
	}
	page := v.site.indexed(v.node(c))
	return page == nil || page.Status != "current"
}

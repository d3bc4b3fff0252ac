package markup

// View says how a page is shown. The same view must be used to read a page
// and to write back Markdown that was edited from it.
type View struct {
	// UserName is the display name of a user id, "" when unknown. Optional.
	UserName func(id string) string
	// PageURL is the absolute address of a page, "" when unknown. An empty
	// space means the space of the page that holds the link. Optional.
	PageURL func(space, title string) string
}

package markup

// Options says how new storage is written and what a write may lose.
type Options struct {
	View View
	// DataCenter chooses the spelling of that edition: user keys instead of
	// account ids, list items and cells without a paragraph of their own.
	DataCenter bool
	// Space is the key written into page links that name none. Optional.
	Space string
	// Page turns the address of a page into what a link names it by, so that
	// the link survives a rename. Optional.
	Page func(address string) (space, title string, ok bool)
	// AllowLoss names what the write may lose: a macro name, a [Loss] kind or
	// name; "elision" accepts gaps and a page cut to less than half.
	AllowLoss []string
}

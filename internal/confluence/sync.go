package confluence

// Extras is what belongs to a page or blog post beside its body, as a sync
// reads it of many at once.
//
// Restrictions are the page's own ones for reading, nil where the answer did
// not tell them completely: they must be asked for alone then, because what was
// cut off would look like a right that is not there, or like none being needed.
// Partial says the same of labels and attachments.
type Extras struct {
	ID           string
	Labels       []string // global ones
	Attachments  []Attachment
	Restrictions []Restriction
	Partial      bool
}

package site

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Edit is a View that can also change the site. Every method checks the
// user's rights first and answers a *[Refusal] when it does nothing; the
// content it returns is the new state.
type Edit struct {
	View
}

// Draft is what a new content begins with. Space is a key; Parent the id of a
// page or folder, or of the container of a comment or an attachment.
type Draft struct {
	Type, Space, Parent, Title, Status string
	Storage                            string
	Labels                             []string
	Created                            time.Time // zero is now
	Inline                             *Inline   // makes a comment an inline comment
	MediaType, Comment                 string
	Data                               []byte
}

// Change is what an update changes; nil fields stay. Version is the number the
// new version must have, 0 asks for no check.
type Change struct {
	Version                                    int
	Title, Storage, Parent, Status, Resolution *string
	Message                                    string
	Minor                                      bool
}

// CreatePage makes a page, blogpost or folder. A page without parent goes below
// the space's home page unless atRoot. 400 for a duplicate or missing title, a
// wrong parent or a bad body; 403 without the right to write; 404 for a space
// or parent that is not there.
func (e *Edit) CreatePage(d Draft, atRoot bool) (*Content, error) {
	sp, ok := e.SpaceByKey(d.Space)
	if !ok {
		return nil, refuse(404, fmt.Sprintf("Could not find space with key [%s]", d.Space))
	}
	if !e.MayCreateIn(sp) {
		return nil, refuse(403, fmt.Sprintf("User is not permitted to create content in space [%s]", sp.Key))
	}
	if d.Status == "" {
		d.Status = "current"
	}
	if d.Parent == "" && d.Type != "blogpost" && !atRoot {
		d.Parent = e.site.homes[sp.Key]
	}
	if err := e.checkParent(d.Parent, sp.Key); err != nil {
		return nil, err
	}
	c := &Content{ID: e.site.newID(), Type: d.Type, Space: sp.Key, Parent: d.Parent, Title: d.Title, Status: d.Status, Storage: d.Storage,
		Labels: lowered(d.Labels)}
	if err := e.checkText(c); err != nil {
		return nil, err
	}
	return e.born(c, d.Created), nil
}

// born dates a new content and stores it.
func (e *Edit) born(c *Content, created time.Time) *Content {
	if created.IsZero() {
		created = e.stamp()
	}
	c.Author, c.UpdatedBy, c.Created, c.Updated, c.Version = e.user, e.user, created.UTC(), e.stamp(), 1
	c.Position = e.site.nextPosition()
	e.site.put(c)
	e.forget()
	return c
}

// stamp is now in the precision of the API.
func (e *Edit) stamp() time.Time { return e.site.now().UTC().Truncate(time.Millisecond) }

// forget drops what the view has concluded, because the site has changed.
func (e *Edit) forget() { e.View = *e.site.view(e.user) }

func (s *Site) newID() string {
	s.lastID++
	return strconv.FormatInt(s.lastID, 10)
}

// nextPosition places a content behind everything that is there.
func (s *Site) nextPosition() int {
	s.places++
	return int(s.places)
}

func (e *Edit) checkParent(id, space string) error {
	if id == "" {
		return nil
	}
	up, ok := e.Content(id)
	if !ok || up.Status == "trashed" {
		return refuse(404, fmt.Sprintf("Could not find parent with id [%s]", id))
	}
	if up.Type != "page" && up.Type != "folder" {
		return refuse(400, fmt.Sprintf("Parent [%s] is a %s, which cannot have children", id, up.Type))
	}
	if up.Space != space {
		return refuse(400, fmt.Sprintf("Parent [%s] is in another space", id))
	}
	return nil
}

// checkText refuses a bad title or body.
func (e *Edit) checkText(c *Content) error {
	if err := checkStorage(c.Storage); err != nil {
		return err
	}
	if !slices.Contains([]string{"current", "draft", "archived", "trashed"}, c.Status) {
		return refuse(400, fmt.Sprintf("Invalid status: %s", c.Status))
	}
	if c.Type == "comment" || c.Status == "draft" && c.Title == "" {
		return nil
	}
	title := strings.TrimSpace(c.Title)
	switch {
	case title == "":
		return refuse(400, "title is required")
	case utf8.RuneCountInString(title) > 255:
		return refuse(400, "Title cannot be longer than 255 characters.")
	case reservesTitle(c) && e.site.titleTaken(c.Space, title, c.ID):
		return refuse(400, titleTakenText)
	}
	return nil
}

const titleTakenText = "A page with this title already exists: A page already exists with the same TITLE in this space"

// titleTaken says that another page of the space has the title.
func (s *Site) titleTaken(space, title, self string) bool {
	owner := s.titles[space][lower(title)]
	return owner != "" && owner != self
}

// editable finds a content that the user may change.
func (e *Edit) editable(id string) (*Content, error) {
	c, ok := e.Content(id)
	if !ok {
		return nil, notFound(id)
	}
	if !e.MayEdit(c) {
		return nil, refuse(403, fmt.Sprintf("User is not permitted to edit content with id [%s]", id))
	}
	return c, nil
}

func notFound(id string) error {
	return refuse(404, fmt.Sprintf("No content found with id: ContentId{id=%s}", id))
}

// Update changes title, body, parent or state of a content and makes a new
// version of it (none for a draft). Status current on trashed content restores
// it and changes nothing else. 409 when the version is not the next one.
func (e *Edit) Update(id string, ch Change) (*Content, error) {
	old, err := e.editable(id)
	if err != nil {
		return nil, err
	}
	if err := checkVersion(old, ch); err != nil {
		return nil, err
	}
	switch {
	case old.Status == "trashed" && deref(ch.Status) == "current":
		return e.restore(old)
	case old.Status == "trashed":
		return nil, refuse(400, "Content is in the trash; it can only be restored by setting its status to current")
	case old.Status == "archived":
		return nil, refuse(400, "Content is archived; it must be unarchived before it can be changed")
	}
	c := *old
	if err := e.change(&c, ch); err != nil {
		return nil, err
	}
	return e.publish(&c, old, ch), nil
}

func checkVersion(c *Content, ch Change) error {
	stays := c.Status == "draft" && ch.Version == c.Version // a draft is published as its version 1
	if ch.Version == 0 || ch.Version == c.Version+1 || stays {
		return nil
	}
	return refuse(409, fmt.Sprintf("Version must be incremented on update. Current version is: %d", c.Version))
}

// change applies ch to c, which is not stored yet.
func (e *Edit) change(c *Content, ch Change) error {
	if ch.Title != nil {
		c.Title = *ch.Title
	}
	if ch.Storage != nil {
		c.Storage = *ch.Storage
	}
	if ch.Status != nil {
		if *ch.Status != "current" && *ch.Status != c.Status {
			return refuse(400, fmt.Sprintf("Invalid status: %s", *ch.Status))
		}
		c.Status = *ch.Status
	}
	if ch.Resolution != nil {
		if c.Inline == nil || c.Resolution == "dangling" {
			return refuse(400, "Only an inline comment that is attached to its text can be resolved")
		}
		c.Resolution = *ch.Resolution
	}
	if ch.Parent != nil && *ch.Parent != c.Parent {
		if err := e.checkNewParent(c, *ch.Parent); err != nil {
			return err
		}
		c.Parent = *ch.Parent
		c.Position = e.site.nextPosition()
	}
	return e.checkText(c)
}

func (e *Edit) checkNewParent(c *Content, parent string) error {
	if err := e.checkParent(parent, c.Space); err != nil {
		return err
	}
	for up := e.site.contents[parent]; up != nil; up = e.site.contents[up.Parent] {
		if up.ID == c.ID {
			return refuse(400, "A page cannot be moved below itself")
		}
	}
	return nil
}

// publish stores c as the version after old.
func (e *Edit) publish(c, old *Content, ch Change) *Content {
	if old.Status != "draft" {
		c.history = append(slices.Clip(old.history), old.newest())
		c.Version = old.Version + 1
	}
	c.Updated, c.UpdatedBy, c.Message, c.Minor = e.stamp(), e.user, ch.Message, ch.Minor
	e.site.put(c)
	e.forget()
	if c.Storage != old.Storage {
		e.dangle(c)
	}
	return c
}

// dangle turns the resolution of inline comments whose marker is gone.
func (e *Edit) dangle(page *Content) {
	for _, kid := range e.site.kids[page.ID] {
		k := e.site.contents[kid]
		if k.Inline != nil && k.Resolution != "resolved" && !strings.Contains(page.Storage, k.Inline.Marker) {
			lost := *k
			lost.Resolution = "dangling"
			e.site.put(&lost)
		}
	}
}

// RestoreVersion makes a new version with the body, and if asked the title, of
// an old one.
func (e *Edit) RestoreVersion(id string, n int, message string, title bool) (*Content, error) {
	c, err := e.editable(id)
	if err != nil {
		return nil, err
	}
	ver, ok := e.View.Version(c, n)
	if !ok {
		return nil, refuse(404, fmt.Sprintf("No version %d of content with id: ContentId{id=%s}", n, id))
	}
	ch := Change{Storage: &ver.Storage, Message: message}
	if title {
		ch.Title = &ver.Title
	}
	return e.Update(c.ID, ch)
}

// DeleteVersion removes an old version for good; later versions move up.
func (e *Edit) DeleteVersion(id string, n int) error {
	old, err := e.editable(id)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(old.history, func(v Version) bool { return v.Number == n })
	if i < 0 {
		return refuse(404, fmt.Sprintf("No version %d of content with id: ContentId{id=%s}", n, id))
	}
	c := *old
	c.history = slices.Delete(slices.Clone(old.history), i, i+1)
	for j := i; j < len(c.history); j++ {
		c.history[j].Number--
	}
	c.Version--
	e.site.put(&c)
	return nil
}

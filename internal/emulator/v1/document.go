package v1

import (
	"strings"
	"time"

	"confluence-mcp/internal/emulator/site"
)

// document lets CQL ask about a content. One is reused for a whole scan, so
// that a large site costs no garbage.
type document struct {
	kit  *kit
	site *site.Site
	view *site.View
	c    *site.Content
}

// Has compares one field.
func (d *document) Has(field, value string) bool {
	c := d.c
	switch field {
	case "type":
		return c.Type == value || value == "user" // measured: type = user finds ordinary content
	case "space":
		return strings.EqualFold(c.Space, value)
	case "id":
		return strings.EqualFold(c.ID, value)
	case "title":
		return strings.EqualFold(c.Title, value)
	case "label":
		return containsFold(c.Labels, value)
	case "creator":
		return strings.EqualFold(c.Author, value)
	case "contributor":
		return containsFold(d.view.Contributors(c), value)
	case "parent":
		return isNode(c) && c.Parent == value
	case "container":
		return !isNode(c) && d.view.Container(c).ID == value
	}
	return d.hasFar(field, value)
}

// hasFar compares the fields that cost more than a look at the content.
func (d *document) hasFar(field, value string) bool {
	c := d.c
	switch field {
	case "space.type", "space.title":
		sp, ok := d.view.SpaceByKey(c.Space)
		return ok && (field == "space.type" && sp.Type == value || field == "space.title" && strings.EqualFold(sp.Name, value))
	case "ancestor":
		for _, up := range d.view.Ancestors(c) {
			if up.ID == value {
				return true
			}
		}
	case "mention":
		return strings.Contains(strings.ToLower(c.Storage), `ri:account-id="`+value+`"`)
	case "macro":
		return strings.Contains(c.Storage, `ac:name="`+value+`"`)
	}
	return false // subtype, watcher, favourite: nothing has one here
}

// Plain gives a field's lower-cased text.
func (d *document) Plain(field string) string {
	switch field {
	case "title":
		return strings.ToLower(d.c.Title)
	case "text":
		if d.c.Type == "folder" {
			return "" // full text does not find folders, which have no body
		}
		return d.kit.texts.of(d.site, d.c)
	case "space.title":
		if sp, ok := d.view.SpaceByKey(d.c.Space); ok {
			return strings.ToLower(sp.Name)
		}
	case "type":
		return d.c.Type
	case "space":
		return strings.ToLower(d.c.Space)
	case "id":
		return strings.TrimPrefix(d.c.ID, "att")
	case "creator":
		return d.c.Author
	}
	return ""
}

// Time gives created and lastmodified.
func (d *document) Time(field string) time.Time {
	if field == "created" {
		return d.c.Created
	}
	return d.c.Updated
}

// place lets CQL ask about a space.
type place struct{ sp *site.Space }

// Has compares one field.
func (p place) Has(field, value string) bool {
	switch field {
	case "type":
		return value == "space"
	case "space":
		return strings.EqualFold(p.sp.Key, value)
	case "title", "space.title":
		return strings.EqualFold(p.sp.Name, value)
	case "space.type":
		return p.sp.Type == value
	case "creator":
		return strings.EqualFold(p.sp.Author, value)
	}
	return false
}

// Plain gives a field's lower-cased text; full text finds no spaces.
func (p place) Plain(field string) string {
	switch field {
	case "title", "space.title":
		return strings.ToLower(p.sp.Name)
	case "type":
		return "space"
	case "space":
		return strings.ToLower(p.sp.Key)
	case "id":
		return p.sp.ID
	}
	return ""
}

// Time gives the space's creation for every time field.
func (p place) Time(string) time.Time { return p.sp.Created }

// account lets CQL ask about a user.
type account struct{ u *site.User }

// Has compares one field.
func (a account) Has(field, value string) bool {
	switch field {
	case "type":
		return value == "user"
	case "user":
		return strings.EqualFold(a.u.ID, value)
	case "user.fullname":
		return strings.EqualFold(a.u.Name, value)
	}
	return false
}

// Plain gives a field's lower-cased text.
func (a account) Plain(field string) string {
	if field == "user.fullname" {
		return strings.ToLower(a.u.Name)
	}
	return strings.ToLower(a.u.ID)
}

// Time is of no field.
func (a account) Time(string) time.Time { return time.Time{} }

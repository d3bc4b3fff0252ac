package site

import (
	"slices"
	"strings"
	"time"
)

// shadow says that the search index shows was (nil: nothing) until a moment.
type shadow struct {
	until time.Time
	was   *Content
}

// put stores c and keeps every index true. It is the only way a content gets
// into the site.
func (s *Site) put(c *Content) {
	old := s.contents[c.ID]
	s.remember(c.ID, old)
	if old != nil {
		s.unindex(old)
	}
	c.num, c.folded = number(c.ID), strings.ToLower(c.Title)
	s.lastID = max(s.lastID, min(c.num, 1<<52)) // ids of files are not reused
	s.contents[c.ID] = c
	s.index(c, old)
	s.orders.swap(old, c)
}

func (s *Site) index(c, old *Content) {
	if old == nil || old.Parent != c.Parent {
		s.adopt(c, old)
	}
	if reservesTitle(c) {
		if s.titles[c.Space] == nil {
			s.titles[c.Space] = map[string]string{}
		}
		s.titles[c.Space][c.folded] = c.ID
	}
	if old == nil && c.Type == "page" && c.Parent == "" && c.Status == "current" && s.homes[c.Space] == "" {
		s.homes[c.Space] = c.ID
	}
}

// adopt moves c from its old parent's children to its new parent's.
func (s *Site) adopt(c, old *Content) {
	if old != nil {
		s.kids[old.Parent] = slices.DeleteFunc(slices.Clone(s.kids[old.Parent]), func(id string) bool { return id == c.ID })
	}
	if c.Parent != "" {
		s.kids[c.Parent] = append(s.kids[c.Parent], c.ID)
	}
}

func (s *Site) unindex(old *Content) {
	if reservesTitle(old) && s.titles[old.Space][old.folded] == old.ID {
		delete(s.titles[old.Space], old.folded)
	}
}

// drop removes a content for good, with its comments and attachments; pages
// and folders below it move up.
func (s *Site) drop(c *Content) {
	for _, kid := range slices.Clone(s.kids[c.ID]) {
		k := s.contents[kid]
		if !k.isNode() {
			s.drop(k)
			continue
		}
		up := *k
		up.Parent = c.Parent
		s.put(&up)
	}
	s.remember(c.ID, c)
	s.unindex(c)
	if s.homes[c.Space] == c.ID {
		delete(s.homes, c.Space)
	}
	s.kids[c.Parent] = slices.DeleteFunc(slices.Clone(s.kids[c.Parent]), func(id string) bool { return id == c.ID })
	delete(s.kids, c.ID)
	delete(s.contents, c.ID)
	s.orders.swap(c, nil)
}

// reservesTitle says that no other page of the space may have this title.
func reservesTitle(c *Content) bool {
	return c.Type == "page" && (c.Status == "current" || c.Status == "archived")
}

// remember keeps what the search index goes on showing for the lag.
func (s *Site) remember(id string, old *Content) {
	if s.lag <= 0 {
		return
	}
	now := s.now()
	keep := slices.DeleteFunc(slices.Clone(s.shadows[id]), func(t shadow) bool { return !t.until.After(now) })
	s.shadows[id] = append(keep, shadow{until: now.Add(s.lag), was: old})
}

// indexed is the state of a content that the search index shows; nil is none.
func (s *Site) indexed(c *Content) *Content {
	now := s.now()
	for _, t := range s.shadows[c.ID] {
		if t.until.After(now) {
			return t.was
		}
	}
	return c
}

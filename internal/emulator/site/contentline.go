package site

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

type contentLine struct {
	Kind      string     `json:"kind"`
	ID        string     `json:"id"`
	Type      string     `json:"type"`
	Space     string     `json:"space"`
	Parent    *string    `json:"parent"`
	Title     string     `json:"title"`
	Status    string     `json:"status"`
	Storage   string     `json:"storage"`
	Labels    []string   `json:"labels"`
	Author    string     `json:"author"`
	Created   *time.Time `json:"created"`
	Updated   *time.Time `json:"updated"`
	Version   int        `json:"version"`
	Read      []string   `json:"read"`
	Update    []string   `json:"update"`
	MediaType string     `json:"media_type"`
	Data      string     `json:"data"`
}

func (l *loader) applyContent(raw []byte) error {
	line := contentLine{Status: "current"}
	if err := decode(raw, &line); err != nil {
		return err
	}
	old, _ := l.site.find(line.ID)
	if old != nil && line.Type == "" && line.Space == "" {
		line = old.line()
		if err := decode(raw, &line); err != nil {
			return err
		}
	}
	c, err := line.content()
	if err != nil {
		return err
	}
	if l.live || old != nil {
		l.site.date(c, old, line)
	} else {
		l.site.date(c, nil, line)
	}
	l.pending = append(l.pending, pendingContent{line: l.line, content: c})
	return nil
}

// line is c as a content line, without what moves on by itself.
func (c *Content) line() contentLine {
	parent := c.Parent
	return contentLine{ID: c.ID, Type: c.Type, Space: c.Space, Parent: &parent, Title: c.Title, Status: c.Status, Storage: c.Storage,
		Labels: slices.Clone(c.Labels), Author: c.Author, Read: c.Read.names(), Update: c.Update.names(),
		MediaType: c.MediaType, Data: base64.StdEncoding.EncodeToString(c.Data)}
}

func (line contentLine) content() (*Content, error) {
	if line.Type == "" {
		line.Type = "page"
	}
	if line.Type == "attachment" && line.ID != "" && !strings.HasPrefix(line.ID, "att") {
		line.ID = "att" + line.ID
	}
	read, err := subjects(line.Read)
	if err != nil {
		return nil, fmt.Errorf("content %s: read: %w", line.ID, err)
	}
	update, err := subjects(line.Update)
	if err != nil {
		return nil, fmt.Errorf("content %s: update: %w", line.ID, err)
	}
	data, err := base64.StdEncoding.DecodeString(line.Data)
	if err != nil {
		return nil, fmt.Errorf("content %s: data: %w", line.ID, err)
	}
	c := &Content{ID: line.ID, Type: line.Type, Space: line.Space, Parent: deref(line.Parent), Title: line.Title, Status: line.Status,
		Storage: line.Storage, Labels: lowered(line.Labels), Author: line.Author, UpdatedBy: line.Author, Version: line.Version,
		Read: read, Update: update, MediaType: line.MediaType, Data: data}
	return c, c.check()
}

func (c *Content) check() error {
	switch {
	case c.ID == "":
		return errors.New("content: id is missing")
	case !slices.Contains([]string{"page", "blogpost", "folder", "comment", "attachment"}, c.Type):
		return fmt.Errorf("content %s: type %q is unknown", c.ID, c.Type)
	case !slices.Contains([]string{"current", "draft", "trashed", "archived"}, c.Status):
		return fmt.Errorf("content %s: status %q is unknown", c.ID, c.Status)
	case c.Title == "" && c.Type != "comment" && c.Status != "draft":
		return fmt.Errorf("content %s: title is missing", c.ID)
	case c.Version < 0:
		return fmt.Errorf("content %s: version %d is negative", c.ID, c.Version)
	case c.Type == "blogpost" && c.Parent != "":
		return fmt.Errorf("content %s: a blogpost has no parent", c.ID)
	case !c.isNode() && !(c.Read.Empty() && c.Update.Empty()):
		return fmt.Errorf("content %s: a %s has no restrictions of its own", c.ID, c.Type)
	}
	if c.Type == "attachment" && c.MediaType == "" {
		c.MediaType = "application/octet-stream"
	}
	return nil
}

// date gives c the version and times its line left out, and keeps what the
// replaced content had beyond the vocabulary of a line.
func (s *Site) date(c, old *Content, line contentLine) {
	now := s.now().UTC().Truncate(time.Millisecond)
	c.Created, c.Updated = now, now
	if old != nil {
		c.Created, c.Updated, c.Position = old.Created, old.Updated, old.Position
		c.Inline, c.Resolution, c.Properties, c.history = old.Inline, old.Resolution, old.Properties, old.history
		s.moveOn(c, old, now)
	} else {
		c.Position = s.nextPosition()
	}
	if line.Created != nil {
		c.Created = line.Created.UTC()
		if old == nil {
			c.Updated = c.Created
		}
	}
	if line.Updated != nil {
		c.Updated = line.Updated.UTC()
	}
	c.Version = max(c.Version, 1)
}

// moveOn makes a new version of an upserted content whose text changed.
func (s *Site) moveOn(c, old *Content, now time.Time) {
	changed := c.Title != old.Title || c.Storage != old.Storage || string(c.Data) != string(old.Data)
	if c.Version == 0 {
		c.Version = old.Version
		if changed {
			c.Version++
		}
	}
	if changed {
		c.Updated = now
	}
	if c.Version > old.Version {
		c.history = append(slices.Clip(old.history), old.newest())
	}
}

func subjects(names []string) (Subjects, error) {
	var out Subjects
	for _, name := range names {
		kind, id, _ := strings.Cut(name, ":")
		switch {
		case kind == "user" && id != "":
			out.Users = append(out.Users, id)
		case kind == "group" && id != "":
			out.Groups = append(out.Groups, id)
		default:
			return out, fmt.Errorf("%q is neither group:NAME nor user:ID", name)
		}
	}
	return out, nil
}

func (s Subjects) names() []string {
	var out []string
	for _, u := range s.Users {
		out = append(out, "user:"+u)
	}
	for _, g := range s.Groups {
		out = append(out, "group:"+g)
	}
	return out
}

package site

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Load reads a site file: JSON lines, gzip allowed, one noun a line, in any
// order within the file. Unknown kinds and fields, bad values and references
// to spaces or parents that are nowhere are refused with the line's number;
// group and user names that nobody has are kept, they match nobody. Storage
// bodies are taken as they are, so that a test can plant broken ones.
func (s *Site) Load(r io.Reader) error {
	lines, err := plain(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.changed()
	s.orders.forget() // many lines are cheaper to sort at once
	l := loader{site: s}
	for {
		raw, err := lines.ReadBytes('\n')
		l.line++
		if trimmed := bytes.TrimSpace(raw); len(trimmed) > 0 {
			if lineErr := l.apply(trimmed); lineErr != nil {
				return fmt.Errorf("site file line %d: %w", l.line, lineErr)
			}
		}
		if errors.Is(err, io.EOF) {
			return l.resolve()
		}
		if err != nil {
			return fmt.Errorf("site file line %d: %w", l.line, err)
		}
	}
}

// Apply takes one line of a site file into a running site: upsert by kind and
// id. A whole line (with type and space for content, key for a space, username
// for a user, name for a group) replaces what was there, omitted fields
// falling back to their defaults, except that an omitted version and time move
// on by themselves when title or body changed. A line without those changes
// just the fields it has. {"kind":"delete","id":…} purges whatever has the id.
func (s *Site) Apply(raw []byte) error {
	s.mu.Lock()
	defer s.changed()
	l := loader{site: s, line: 1, live: true}
	if err := l.apply(raw); err != nil {
		return err
	}
	return l.resolve()
}

func plain(r io.Reader) (*bufio.Reader, error) {
	lines := bufio.NewReaderSize(r, 1<<16)
	if magic, _ := lines.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return lines, nil
	}
	unzipped, err := gzip.NewReader(lines)
	if err != nil {
		return nil, fmt.Errorf("site file: %w", err)
	}
	return bufio.NewReaderSize(unzipped, 1<<16), nil
}

// loader takes lines one after the other and checks at the end what may be
// named before it is defined.
type loader struct {
	site    *Site
	line    int
	live    bool // the site is running: changes get a version and a time
	pending []pendingContent
}

type pendingContent struct {
	line    int
	content *Content
}

func (l *loader) apply(raw []byte) error {
	kind, err := kindOf(raw)
	if err != nil {
		return err
	}
	switch kind {
	case "site":
		return l.applySite(raw)
	case "group":
		return l.applyGroup(raw)
	case "user":
		return l.applyUser(raw)
	case "space":
		return l.applySpace(raw)
	case "content":
		return l.applyContent(raw)
	case "template":
		return l.applyTemplate(raw)
	case "delete":
		return l.applyDelete(raw)
	}
	return fmt.Errorf("kind %q is unknown", kind)
}

// kindOf reads the kind of a line, usually without parsing the whole of it.
func kindOf(raw []byte) (string, error) {
	if rest, ok := bytes.CutPrefix(raw, []byte(`{"kind":"`)); ok {
		if i := bytes.IndexByte(rest, '"'); i >= 0 {
			return string(rest[:i]), nil
		}
	}
	var line struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(raw, &line); err != nil {
		return "", fmt.Errorf("no JSON object: %w", err)
	}
	return line.Kind, nil
}

// decode reads a line over the values already in target, strictly.
func decode(raw []byte, target any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(target); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one JSON value in a line")
	}
	return nil
}

// resolve checks the contents of the file against the whole of it and takes
// them into the site in file order.
func (l *loader) resolve() error {
	known := map[string]*Content{}
	for _, p := range l.pending {
		known[p.content.ID] = p.content
	}
	for _, p := range l.pending {
		if err := l.complete(p.content, known); err != nil {
			return l.at(p.line, err)
		}
	}
	if err := l.checkTitles(known); err != nil {
		return err
	}
	for _, p := range l.pending {
		l.site.put(p.content)
	}
	return nil
}

// at says in which line of a file an error is; a running site gets one line at
// a time, and whoever sent it knows which.
func (l *loader) at(line int, err error) error {
	if l.live {
		return err
	}
	return fmt.Errorf("line %d: %w", line, err)
}

// checkTitles refuses a second page of a title in a space.
func (l *loader) checkTitles(known map[string]*Content) error {
	batch := map[string]string{}
	for _, p := range l.pending {
		c := p.content
		if !reservesTitle(c) || known[c.ID] != c {
			continue
		}
		key := c.Space + "\x00" + lower(c.Title)
		owner := batch[key]
		if owner == "" && l.site.titleTaken(c.Space, c.Title, c.ID) {
			owner = l.site.titles[c.Space][lower(c.Title)]
			if known[owner] != nil {
				owner = "" // it gets another title in this very file
			}
		}
		if owner != "" {
			return l.at(p.line, fmt.Errorf("content %s: the title %q belongs to page %s of the space", c.ID, c.Title, owner))
		}
		batch[key] = c.ID
	}
	return nil
}

func (l *loader) complete(c *Content, known map[string]*Content) error {
	parent := known[c.Parent]
	if parent == nil {
		parent = l.site.contents[c.Parent]
	}
	switch {
	case c.Parent != "" && parent == nil:
		return fmt.Errorf("content %s: parent %q does not exist", c.ID, c.Parent)
	case c.Parent == "" && !c.isNode():
		return fmt.Errorf("content %s: a %s needs a parent", c.ID, c.Type)
	}
	if err := l.climb(c, known); err != nil {
		return err
	}
	sp := l.site.spaces[l.site.spaceKeys[lower(c.Space)]]
	if sp == nil {
		return fmt.Errorf("content %s: space %q does not exist", c.ID, c.Space)
	}
	c.Space = sp.Key
	return nil
}

// climb follows the parents of c to the root: it refuses a loop and gives c
// the space of its container when its line left it out.
func (l *loader) climb(c *Content, known map[string]*Content) error {
	passed := map[string]bool{c.ID: true}
	for id := c.Parent; id != ""; {
		up := known[id]
		if up == nil {
			up = l.site.contents[id]
		}
		if up == nil {
			return nil // refused where up's own line is checked
		}
		if passed[id] {
			return fmt.Errorf("content %s: its parents form a loop", c.ID)
		}
		passed[id] = true
		if c.Space == "" {
			c.Space = up.Space
		}
		id = up.Parent
	}
	return nil
}

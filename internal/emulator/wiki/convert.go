package wiki

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/yuin/goldmark/parser"
)

// Growth says how large a site file becomes.
type Growth struct {
	// Pages is how many pages there will be; 0 leaves the base as it is.
	Pages int
	// Seed varies the grown text.
	Seed uint64
	// Cut shortens every page's source text to so many characters (bytes of
	// storage for Grow, at a boundary between elements); 0 leaves it.
	Cut int
}

// Sizes of the company that owns the wiki.
const (
	userCount  = 200
	groupCount = 30
)

// cloudID is the wiki's, so that clients meet the same site every time.
const cloudID = "77777777-7777-4777-8777-777777777777"

// Convert writes the corpus in dir as a site file.
func Convert(w io.Writer, dir fs.FS, g Growth) error {
	c, err := readCorpus(dir)
	if err != nil {
		return fmt.Errorf("reading the wiki: %w", err)
	}
	if g.Pages <= 0 {
		g.Pages = len(c.pages)
	}
	out := bufio.NewWriterSize(w, 1<<20)
	cv := &converter{corpus: c, growth: g, parser: newParser(), lines: newLines(out)}
	cv.people()
	cv.spaces()
	for k := range g.Pages {
		cv.page(c.place(k))
	}
	if cv.lines.err == nil {
		cv.lines.err = out.Flush()
	}
	if cv.lines.err != nil {
		return fmt.Errorf("writing the site: %w", cv.lines.err)
	}
	return nil
}

// lines writes JSON lines and remembers the first failure.
type lines struct {
	enc *json.Encoder
	err error
}

func newLines(w io.Writer) *lines {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &lines{enc: enc}
}

func (l *lines) put(v any) {
	if l.err == nil {
		l.err = l.enc.Encode(v)
	}
}

type converter struct {
	corpus    *corpus
	growth    Growth
	parser    parser.Parser
	lines     *lines
	taskLists int // task-like lists so far, over all pages
}

type groupLine struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

type userLine struct {
	Kind     string   `json:"kind"`
	ID       string   `json:"id"`
	Username string   `json:"username"`
	Name     string   `json:"name"`
	Email    string   `json:"email"`
	Groups   []string `json:"groups"`
	Admin    bool     `json:"admin,omitempty"`
	Token    string   `json:"token"`
}

func groupName(h uint64) string { return fmt.Sprintf("team-%02d", h%groupCount) }

func userName(h uint64) string { return fmt.Sprintf("user%03d", h%userCount) }

func userID(h uint64) string { return "u-" + userName(h) }

// people writes 200 users in 30 groups, each in staff and two teams, and an
// account for synchronisation that is in every group and may read rights.
func (c *converter) people() {
	c.lines.put(map[string]any{"kind": "site", "name": "Wiki", "cloud_id": cloudID, "anonymous": false})
	c.lines.put(groupLine{"group", "g-staff", "staff"})
	all := []string{"staff"}
	for i := range uint64(groupCount) {
		c.lines.put(groupLine{"group", "g-" + groupName(i), groupName(i)})
		all = append(all, groupName(i))
	}
	for i := range uint64(userCount) {
		h, name := mix(i), userName(i)
		c.lines.put(userLine{Kind: "user", ID: userID(i), Username: name, Name: personName(i), Email: name + "@wiki.test",
			Groups: []string{"staff", groupName(h), groupName(h / groupCount)}, Token: name + "-token"})
	}
	c.lines.put(userLine{Kind: "user", ID: "u-sync", Username: "sync", Name: "Sync Account", Email: "sync@wiki.test",
		Groups: all, Admin: true, Token: "sync-token"})
}

// personName is an invented name of two words.
func personName(i uint64) string {
	title := func(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
	return title(invented("first", int(i))) + " " + title(invented("last", int(i)))
}

type grantLine struct {
	To string `json:"to"`
	Op string `json:"op"`
}

type spaceLine struct {
	Kind   string      `json:"kind"`
	ID     string      `json:"id"`
	Key    string      `json:"key"`
	Name   string      `json:"name"`
	Type   string      `json:"type"`
	Grants []grantLine `json:"grants"`
}

// spaces writes those spaces that get a page, replica by replica.
func (c *converter) spaces() {
	base := c.corpus
	for r := 0; r*len(base.pages) < c.growth.Pages; r++ {
		for i, sp := range base.spaces {
			first, used := base.first[sp.Key]
			if !used || base.at(r, first).k >= c.growth.Pages {
				continue
			}
			id := uint64(1 + r*len(base.spaces) + i)
			h := mix(id)
			to := "group:staff"
			if h%100 >= 80 {
				to = "group:" + groupName(h/100)
			}
			c.lines.put(spaceLine{"space", strconv.FormatUint(id, 10), replica(sp.Key, "", r), replica(sp.Name, " ", r), "global",
				[]grantLine{{to, "read"}, {to, "write"}}})
		}
	}
}

type contentLine struct {
	Kind      string   `json:"kind"`
	ID        string   `json:"id"`
	Type      string   `json:"type"`
	Space     string   `json:"space"`
	Parent    string   `json:"parent,omitempty"`
	Title     string   `json:"title"`
	Storage   string   `json:"storage,omitempty"`
	Labels    []string `json:"labels,omitempty"`
	Author    string   `json:"author"`
	Created   string   `json:"created"`
	Updated   string   `json:"updated"`
	Version   int      `json:"version"`
	Read      []string `json:"read,omitempty"`
	Update    []string `json:"update,omitempty"`
	MediaType string   `json:"media_type,omitempty"`
	Data      []byte   `json:"data,omitempty"`
}

func (c *converter) page(p place) {
	base := c.corpus.pages[p.b]
	id := c.corpus.id(p)
	h := mix(id)
	line := contentLine{Kind: "content", ID: strconv.FormatUint(id, 10), Type: "page", Space: c.corpus.spaceKey(p),
		Title: c.corpus.title(p), Labels: base.Labels, Author: userID(h), Version: 1 + bits.TrailingZeros64(h)}
	created := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(h%730))
	line.Created, line.Updated = stamp(created), stamp(created)
	if line.Version > 1 {
		line.Updated = stamp(created.Add(time.Duration(h/730%(90*24)) * time.Hour))
	}
	if base.Parent != nil {
		parent := c.corpus.at(p.r, c.corpus.byID[*base.Parent])
		line.Parent = strconv.FormatUint(c.corpus.id(parent), 10)
	}
	switch only := []string{"group:" + groupName(h/100)}; {
	case h%100 < 3:
		line.Read = only
	case h%100 < 8:
		line.Update = only
	}
	line.Storage = c.storage(p, h)
	c.lines.put(line)
	c.attachments(p, id, h, line)
}

func stamp(t time.Time) string { return t.Format(time.RFC3339) }

// markdown is the source text of a page at its place.
func (c *converter) markdown(p place) string {
	body := c.corpus.pages[p.b].Body
	if p.r == 0 {
		return cut(body, c.growth.Cut)
	}
	body = cut(grownMarkdown(body, c.growth, p.k, p.r), c.growth.Cut)
	return strings.TrimRight(body, "\n") + "\n\n" + refLine(c.growth, p.k) + "\n"
}

package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

func searchTools() []*tool {
	return []*tool{
		read(spec{name: "search", title: "Search Confluence", group: policy.Search, action: policy.Read, listing: true,
			about: "Find pages by words: passages with title, heading path, address, version and age. Filters narrow the result. cql adds a raw CQL condition. query * searches by filters or cql alone."},
			nothing[searchIn], search),
	}
}

type searchIn struct {
	Query        string `json:"query" is:"line,min=1,max=500" next:"Send words to find, or query: \"*\" to search by filters or cql alone."`
	CQL          string `json:"cql,omitempty" is:"min=1,max=2000"`
	SpaceKey     string `json:"space_key,omitempty" is:"key"`
	Label        string `json:"label,omitempty" is:"label"`
	Type         string `json:"type,omitempty" is:"enum=page|blogpost|comment|attachment"`
	UpdatedSince string `json:"updated_since,omitempty" is:"time" jsonschema:"2026-01-31 or 7d"`
	AncestorID   string `json:"ancestor_id,omitempty" is:"id"`
	Limit        int    `json:"limit,omitempty" is:"min=1,max=25"`

	goingOn
}

type passage struct {
	Rank        int      `json:"rank"`
	PageID      string   `json:"page_id"`
	Type        string   `json:"type"`
	Title       string   `json:"title"`
	Space       string   `json:"space"`
	URL         string   `json:"url"`
	Anchor      string   `json:"anchor"`
	HeadingPath []string `json:"heading_path"`
	Text        string   `json:"text"`
	Version     int      `json:"version"`
	Updated     string   `json:"updated"`
	AgeSeconds  int64    `json:"age_seconds"` // since it was read from Confluence
	Stale       bool     `json:"stale,omitempty"`

	changed time.Time
	copied  bool    // it comes with its passage
	more    int     // other sections that match
	guarded guarded // what was removed from Text
}

type searchOut struct {
	Results    []passage `json:"results"`
	Total      int       `json:"total"` // an estimate where Confluence itself was asked; -1 where nobody can tell
	Near       bool      `json:"near_words,omitempty"`
	Titles     bool      `json:"titles_only,omitempty"` // the index is being built
	Incomplete bool      `json:"incomplete,omitempty"`  // not everything was looked through: there may be more
	Notice     string    `json:"notice,omitempty"`      // what is wrong with what was searched
	Facets     []facet   `json:"facets,omitempty"`
	NextCursor string    `json:"next_cursor,omitempty"`
	Untrusted  untrusted `json:"untrusted"`

	exact bool
}

// facet counts the most frequent values of a property of all results.
type facet struct {
	Name   string  `json:"name"`
	Counts []count `json:"counts"`
}

type count struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

const (
	defaultHits  = 8
	passageChars = 600
	shownCounts  = 5
)

func search(ctx context.Context, k *call, in searchIn) (searchOut, string, error) {
	cql, err := k.cqlOf(in)
	if err != nil {
		return searchOut{}, "", err
	}
	out := searchOut{Results: []passage{}, Total: -1, Untrusted: k.newUntrusted()}
	rank := 0
	w, err := list(k, lister[passage]{
		cursor: in.Cursor, maxChars: in.MaxChars,
		fetch: func(upstream string) (confluence.List[passage], error) {
			hits, err := k.site.Search(ctx, confluence.Search{CQL: cql, SpaceKey: in.SpaceKey, Terms: k.termsOf(in), Excerpts: true,
				Paging: confluence.Paging{Cursor: upstream, Limit: cmp.Or(in.Limit, defaultHits)}})
			if err != nil {
				return confluence.List[passage]{}, err
			}
			out.count(k, hits)
			seen, err := k.visibleHits(ctx, hits.Items)
			if err != nil {
				return confluence.List[passage]{}, err
			}
			finds, err := k.passages(ctx, in.Query, seen)
			return confluence.List[passage]{Items: finds, Next: hits.Next}, err
		},
		show: func(p passage) string {
			rank++
			return fmt.Sprintf("%d. %s", rank, p.show(k.started))
		},
	})
	if err != nil {
		return searchOut{}, "", err
	}
	for i, p := range w.rows {
		p.Rank = i + 1
		out.Untrusted.add(p.guarded)
		out.Results = append(out.Results, p)
	}
	out.NextCursor = w.next
	out.Incomplete = out.Incomplete && w.next == ""
	if len(w.rows) == 0 && w.next == "" && !out.Incomplete && !out.Titles {
		return out, out.noticed() + "No results. Try other words, fewer filters, or a wider space.", nil
	}
	return out, out.counted() + w.fenced(k, "results") + out.Untrusted.notes(), nil
}

// termsOf says a search in fields, nil where only CQL can.
func (k *call) termsOf(in searchIn) *confluence.Terms {
	if in.CQL != "" || in.Type != "" && in.Type != confluence.TypePage && in.Type != confluence.TypeBlogPost {
		return nil
	}
	t := &confluence.Terms{Text: in.Query, SpaceKey: in.SpaceKey, Type: in.Type, Label: in.Label, AncestorID: in.AncestorID}
	if in.UpdatedSince != "" {
		t.UpdatedSince, _ = parseSince(in.UpdatedSince, k.started)
	}
	return t
}

// count takes over what was counted, unless rows are hidden afterwards: by a
// rule, or by the limit to some spaces.
func (out *searchOut) count(k *call, hits confluence.List[confluence.Hit]) {
	out.Near, out.Titles, out.Notice = hits.Near, hits.Titles, hits.Notice
	out.Incomplete = !hits.Exact && hits.Total < 0
	if hits.Exact && (k.needsResource() || k.limited()) {
		return
	}
	out.Total, out.exact = hits.Total, hits.Exact
	for _, f := range hits.Facets {
		one := facet{Name: f.Name}
		for _, c := range f.Counts[:min(len(f.Counts), shownCounts)] {
			if c.N < hits.Total { // what all have says nothing
				one.Counts = append(one.Counts, count{Value: line(c.Value), Count: c.N})
			}
		}
		if len(one.Counts) > 0 {
			out.Facets = append(out.Facets, one)
		}
	}
}

// noticed is the notice as a line of its own.
func (out *searchOut) noticed() string {
	if out.Notice == "" {
		return ""
	}
	return out.Notice + "\n"
}

// counted says in words how much there is, and of what.
func (out *searchOut) counted() string {
	var b strings.Builder
	b.WriteString(out.noticed())
	if out.Near {
		b.WriteString("Nothing has these words; near words were taken.\n")
	}
	switch {
	case out.Titles:
		b.WriteString("The search index is being built: only titles were searched. There may be more; try again in a few minutes.\n")
	case out.Incomplete:
		b.WriteString("Not everything was looked through: there may be more. Use fewer or rarer words, or a filter.\n")
	}
	if out.exact && out.Total > len(out.Results) {
		fmt.Fprintf(&b, "%d pages match.", out.Total)
		for _, f := range out.Facets {
			var counts []string
			for _, c := range f.Counts {
				counts = append(counts, fmt.Sprintf("%s %d", c.Value, c.Count))
			}
			fmt.Fprintf(&b, " By %s: %s.", f.Name, strings.Join(counts, ", "))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// cqlOf builds the query. Every value is quoted, and a raw condition is read
// by our grammar before it is put into parentheses. Pages and blog posts are
// looked for unless the caller says otherwise, or sends nothing but CQL.
func (k *call) cqlOf(in searchIn) (string, error) {
	var all []string
	if in.Query != "*" {
		if !hasWords(in.Query) {
			return "", invalid("query", "query has no word or number to search for.", `Send words, or "*" to search by filters alone.`)
		}
		// First, because Confluence drops this clause in the middle of others.
		all = append(all, "siteSearch ~ "+confluence.QuoteCQL(strings.TrimLeft(in.Query, "*?+-! ")))
	}
	raw, err := parseCQL(in.CQL)
	if err != nil {
		return "", err
	}
	switch {
	case in.Type != "":
		all = append(all, "type = "+in.Type)
	case raw.where == "" || in.Query != "*" && !raw.typed:
		all = append(all, "type in (page, blogpost)")
	}
	add := func(field, value string) {
		if value != "" {
			all = append(all, field+" = "+confluence.QuoteCQL(value))
		}
	}
	add("space", in.SpaceKey)
	add("label", in.Label)
	add("ancestor", in.AncestorID)
	if in.UpdatedSince != "" {
		all = append(all, k.changedSince(in.UpdatedSince))
	}
	if raw.where != "" {
		all = append(all, "("+raw.where+")")
	}
	order := raw.order
	if in.Query == "*" && in.CQL == "" {
		order = "ORDER BY lastmodified DESC"
	}
	only, _ := k.bounds()
	return query{where: strings.Join(all, " AND "), order: order}.within(only), nil
}

// changedSince is the CQL condition for a point in time or an age. Confluence
// reads a date in the time zone of the account or the site, which nobody here
// knows, so it is asked for an age, rounded up to a minute.
func (k *call) changedSince(s string) string {
	since, _ := parseSince(s, k.started)
	minutes := max(0, (k.started.Sub(since)+time.Minute-1)/time.Minute)
	return fmt.Sprintf(`lastmodified >= now("-%dm")`, minutes)
}

// visibleHits leaves out what rules or the space limit hide. A hit without a
// space is hidden when there is a limit: it can't be told.
func (k *call) visibleHits(ctx context.Context, hits []confluence.Hit) ([]confluence.Hit, error) {
	within := slices.DeleteFunc(slices.Clone(hits), func(h confluence.Hit) bool { return !k.reaches(h.SpaceKey) })
	return judged(ctx, k, within, func(h confluence.Hit) (string, string) { return h.Type, h.ID })
}

func (p passage) show(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s %s, space %s", p.Title, p.Type, p.PageID, p.Space)
	if p.Version > 0 {
		fmt.Fprintf(&b, ", version %d", p.Version)
	}
	if p.Updated != "" {
		fmt.Fprintf(&b, ", changed %s ago", age(now.Sub(p.changed)))
	}
	if p.copied || p.Stale {
		b.WriteString(", " + readAgo(p.AgeSeconds, p.Stale))
	}
	b.WriteString(")\n")
	if len(p.HeadingPath) > 0 {
		b.WriteString("   " + strings.Join(p.HeadingPath, " > ") + "\n")
	}
	fmt.Fprintf(&b, "   %s\n", cmp.Or(p.Anchor, p.URL))
	if p.Text != "" {
		b.WriteString("   " + strings.ReplaceAll(p.Text, "\n", "\n   ") + "\n")
	}
	if p.more > 0 {
		fmt.Fprintf(&b, "   [%d more sections of this page match]\n", p.more)
	}
	return b.String()
}

// ageOf is how many seconds ago a copy was read, 0 for what was read just now.
func (k *call) ageOf(readAt time.Time) int64 {
	if readAt.IsZero() {
		return 0
	}
	return int64(max(0, k.started.Sub(readAt)).Seconds())
}

// readAgo is the age of a copy in words, marked where the rights to it are too
// old to be relied on without a word.
func readAgo(seconds int64, stale bool) string {
	out := "read just now"
	if seconds >= 60 {
		out = "read " + age(time.Duration(seconds)*time.Second) + " ago"
	}
	if stale {
		out += ", stale"
	}
	return out
}

// age is a duration in one unit, for a sentence.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*365*day:
		return fmt.Sprintf("%d years", d/(365*day))
	case d >= 60*day:
		return fmt.Sprintf("%d months", d/(30*day))
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	default:
		return fmt.Sprintf("%d minutes", max(0, d/time.Minute))
	}
}

package api

import (
	"context"
	"encoding/json"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/retrieve"
)

// Querier answers questions; *retrieve.Engine is one.
type Querier interface {
	Query(ctx context.Context, c identity.Caller, q retrieve.Question) (retrieve.Answer, error)
}

// Answer is what POST /api/query and the command query --json answer with.
type Answer struct {
	Results    []Result `json:"results"`
	Total      int      `json:"total"` // pages that match and that the caller may see; -1 where rules hide some
	NextCursor string   `json:"next_cursor"`
	Near       bool     `json:"near,omitempty"`        // nothing had the words, so words that look alike were taken
	Cut        bool     `json:"cut,omitempty"`         // the question was too costly and answered in part
	Titles     bool     `json:"titles_only,omitempty"` // the index is being built: the words were looked for in titles only
	Incomplete bool     `json:"incomplete,omitempty"`  // a site was not read to its end yet: there may be more
	Notice     string   `json:"notice,omitempty"`      // what is wrong with what was searched
	Facets     []Facet  `json:"facets,omitempty"`
}

// Facet counts how often each value of one property stands in everything that
// was found, the most frequent first.
type Facet struct {
	Name   string  `json:"name"` // space, type, label
	Counts []Count `json:"counts"`
}

// Count is one value of a [Facet].
type Count struct {
	Value string `json:"value"`
	N     int    `json:"n"`
}

// Result is one page and its best passage.
type Result struct {
	Rank        int      `json:"rank"`
	PageID      string   `json:"page_id"`
	Title       string   `json:"title"`
	Space       string   `json:"space"`
	URL         string   `json:"url"`
	Anchor      string   `json:"anchor"`
	HeadingPath []string `json:"heading_path"`
	Text        string   `json:"text"`
	Version     int      `json:"version"`
	Updated     string   `json:"updated"`
	AgeSeconds  int64    `json:"age_seconds"`     // since the page was last read from Confluence
	Stale       bool     `json:"stale,omitempty"` // who may see it was read longer ago than aclMaxAge
}

// AnswerOf shows what was found at a time.
func AnswerOf(a retrieve.Answer, now time.Time) Answer {
	out := Answer{Results: make([]Result, 0, len(a.Results)), Total: a.Total, NextCursor: a.Next, Notice: a.Notice, Near: a.Near, Cut: a.Cut, Titles: a.Titles, Incomplete: a.Unread}
	for _, r := range a.Results {
		out.Results = append(out.Results, Result{Rank: r.Rank, PageID: r.PageID, Title: r.Title, Space: r.SpaceKey, URL: r.URL, Anchor: r.Anchor,
			HeadingPath: r.HeadingPath, Text: r.Text, Version: r.Version, Updated: r.Updated.UTC().Format(time.RFC3339),
			AgeSeconds: max(0, int64(now.Sub(r.ReadAt)/time.Second)), Stale: r.Stale})
	}
	for _, f := range a.Facets {
		shown := Facet{Name: f.Name, Counts: make([]Count, 0, len(f.Counts))}
		for _, c := range f.Counts {
			shown.Counts = append(shown.Counts, Count(c))
		}
		out.Facets = append(out.Facets, shown)
	}
	return out
}

// question is the body of POST /api/query. Whom it is for was read before.
type question struct {
	Query      string          `json:"query"`
	Settings   json.RawMessage `json:"accessSettings"`
	Attributes json.RawMessage `json:"accessControlAttributes"`
	Limit      int             `json:"limit"`
	Cursor     string          `json:"cursor"`
	Facets     bool            `json:"facets"`
	Filters    filters         `json:"filters"`
}

// filters narrow a question; what is empty does not.
type filters struct {
	Integration  string `json:"integration"`
	SpaceKey     string `json:"space_key"`
	Type         string `json:"type"`
	Label        string `json:"label"`
	AuthorID     string `json:"author_id"`
	AncestorID   string `json:"ancestor_id"`
	UpdatedSince string `json:"updated_since"`
}

const maxResults = 100

func (s *Surface) query(r request) (answer, error) {
	var in question
	if err := r.read(&in); err != nil {
		return answer{}, err
	}
	q, err := in.question()
	if err != nil {
		return answer{}, err
	}
	found, err := s.cfg.Query.Query(r.Context(), r.caller, q)
	if err != nil {
		return answer{}, err
	}
	return answer{body: AnswerOf(found, s.cfg.Now())}, nil
}

func (in question) question() (retrieve.Question, error) {
	q := retrieve.Question{Text: in.Query, Limit: in.Limit, Cursor: in.Cursor, Facets: in.Facets, Integration: in.Filters.Integration, SpaceKey: in.Filters.SpaceKey,
		Type: in.Filters.Type, Label: in.Filters.Label, AuthorID: in.Filters.AuthorID, AncestorID: in.Filters.AncestorID}
	switch {
	case in.Query == "":
		return q, wrong("The query is empty", `Send words, or "*" for every page.`)
	case in.Limit < 0 || in.Limit > maxResults:
		return q, wrong("The limit is not from 1 to 100", "Leave it out for 10, and go on with the cursor.")
	case q.Type != "" && q.Type != confluence.TypePage && q.Type != confluence.TypeBlogPost:
		return q, wrong("The filter type is neither page nor blogpost", "Leave it out for both.")
	}
	if in.Filters.UpdatedSince == "" {
		return q, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, in.Filters.UpdatedSince); err == nil {
			q.UpdatedSince = t
			return q, nil
		}
	}
	return q, wrong("The filter updated_since is no date", "Send 2026-01-31 or 2026-01-31T12:00:00Z.")
}

func wrong(message, next string) error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.invalid", Message: message + ".", Next: next}
}

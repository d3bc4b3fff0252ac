package retrieve

import (
	"context"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// Index finds nodes by words, under the rights of one caller.
type Index interface {
	Search(ctx context.Context, v *guard.View, q Query) (Found, error)
}

// Query is one question to an [Index].
type Query struct {
	Text         string
	Integration  int64
	SpaceKey     string
	Type         string
	Label        string
	AuthorID     string
	UpdatedSince time.Time
	Ancestor     uint32
	Limit        int
	After        string
	Facets       bool
}

// Found is what an [Index] answers.
type Found struct {
	Hits   []Hit
	Total  int
	Facets []confluence.Facet
	Next   string
	Fuzzy  bool
	Cut    bool
}

// Hit is one node that was found.
type Hit struct {
	Index uint32
	Score float64
}

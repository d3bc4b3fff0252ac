package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/tools"
)

// gated answers questions over REST, each as a call of the search tool: what
// its profile, rules, limits and record are to an agent over MCP they are here.
type gated struct {
	catalog *tools.Catalog
	copy    *copying
}

const searchTool = "confluence_search"

// Query implements api.Querier.
func (g gated) Query(ctx context.Context, c identity.Caller, q retrieve.Question) (retrieve.Answer, error) {
	args, err := asSearch(q)
	if err != nil {
		return retrieve.Answer{}, err
	}
	keep, end, err := g.catalog.Admit(ctx, c, searchTool, args)
	if err != nil {
		return retrieve.Answer{}, err
	}
	found, err := g.copy.Query(ctx, c, q)
	found.Notice = g.copy.notice(ctx, c.Integration)
	if err == nil {
		err = leave(ctx, keep, &found)
	}
	end(ctx, err)
	if err != nil {
		return retrieve.Answer{}, err
	}
	return found, nil
}

// unseen are letters and marks that nobody sees.
const unseen = "\u034f\u115f\u1160\u3164\uffa0"

// asSearch is a question as arguments of the tool, for its record and rules.
func asSearch(q retrieve.Question) (json.RawMessage, error) {
	const longest = 500 // what the tool takes; a longer question is words all the same
	text := strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || r >= 0xE0000 || strings.ContainsRune(unseen, r) { // what the tool takes in no line
			return ' '
		}
		return r
	}, q.Text))
	if runes := []rune(text); len(runes) > longest {
		text = strings.TrimSpace(string(runes[:longest]))
	}
	if text == "" {
		text = "*"
	}
	args := map[string]string{"query": text}
	for name, value := range map[string]string{"space_key": q.SpaceKey, "label": q.Label, "type": q.Type, "ancestor_id": q.AncestorID} {
		if value != "" {
			args[name] = value
		}
	}
	if !q.UpdatedSince.IsZero() {
		args["updated_since"] = q.UpdatedSince.Format(time.DateOnly)
	}
	return json.Marshal(args)
}

// leave leaves out what rules hide, and the total that would tell of it.
func leave(ctx context.Context, keep func(context.Context, []confluence.Hit) ([]confluence.Hit, bool, error), found *retrieve.Answer) error {
	hits := make([]confluence.Hit, 0, len(found.Results))
	for _, r := range found.Results {
		hits = append(hits, confluence.Hit{ID: r.PageID, Type: r.Type, SpaceKey: r.SpaceKey})
	}
	kept, hides, err := keep(ctx, hits)
	if err != nil || !hides {
		return err
	}
	shown := map[string]bool{}
	for _, h := range kept {
		shown[h.ID] = true
	}
	all := found.Results
	found.Results = []retrieve.Result{}
	for _, r := range all {
		if shown[r.PageID] {
			r.Rank = len(found.Results) + 1
			found.Results = append(found.Results, r)
		}
	}
	found.Total, found.Facets = -1, nil
	return nil
}

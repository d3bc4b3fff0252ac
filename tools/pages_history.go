package tools

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"confluence-mcp/internal/confluence"
)

type getHistoryIn struct {
	PageID string `json:"page_id" is:"id"`
	Limit  int    `json:"limit,omitempty" is:"min=1,max=100"`

	goingOn
}

type versionRow struct {
	Version  int    `json:"version"`
	AuthorID string `json:"author_id"`
	Author   string `json:"author,omitempty"`
	Saved    string `json:"saved"`
	Message  string `json:"message,omitempty"`
	Minor    bool   `json:"minor"`
}

type historyOut struct {
	PageID     string       `json:"page_id"`
	Versions   []versionRow `json:"versions"`
	NextCursor string       `json:"next_cursor,omitempty"`
}

func getHistory(ctx context.Context, k *call, in getHistoryIn) (historyOut, string, error) {
	var authors []string
	w, err := list(k, lister[confluence.Version]{
		cursor: in.Cursor, maxChars: in.MaxChars,
		fetch: func(upstream string) (confluence.List[confluence.Version], error) {
			found, err := k.versions(ctx, in.PageID, confluence.Paging{Cursor: upstream, Limit: cmp.Or(in.Limit, 20)})
			for _, v := range found.Items {
				authors = append(authors, v.AuthorID)
			}
			k.meet(ctx, authors...)
			return found, err
		},
		show: func(v confluence.Version) string {
			return strings.TrimSpace(fmt.Sprintf("- version %d, %s, by %s %s", v.Number, stamp(v.CreatedAt), k.called(v.AuthorID), line(v.Message))) + "\n"
		},
	})
	if err != nil {
		return historyOut{}, "", err
	}
	out := historyOut{PageID: in.PageID, Versions: []versionRow{}, NextCursor: w.next}
	for _, v := range w.rows {
		out.Versions = append(out.Versions, versionRow{Version: v.Number, AuthorID: v.AuthorID, Author: k.nameOf(v.AuthorID), Saved: stamp(v.CreatedAt), Message: line(v.Message), Minor: v.Minor})
	}
	return out, w.fenced(k, "versions"), nil
}

// versions lists those of a page, or of a blog post when there is no such page.
func (k *call) versions(ctx context.Context, id string, paging confluence.Paging) (confluence.List[confluence.Version], error) {
	kind, err := k.typeOf(ctx, id)
	if err != nil {
		return confluence.List[confluence.Version]{}, err
	}
	return k.site.Versions(ctx, id, kind, paging)
}

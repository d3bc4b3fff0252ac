package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

const (
	freshPages = 200   // that become visible one by one
	freshBatch = 1_000 // that do together
	putAtOnce  = 500   // pages of one commit, as a sync makes them
)

// fresh is what the product alone takes until words that were read are found:
// on disk, in the index, and asked for. What reading them and everybody's rights
// takes is in the passes of laterSyncs.
func (l *life) fresh() {
	ctx := l.b.Context()
	p, err := l.open.mirror.Writer().Begin(ctx, 1, confluence.Space{ID: "1", Key: bigSpace, Name: bigSpace, Type: "global", Status: "current"})
	require.NoError(l.b, err)
	var open []int // pages that have no rights of their own
	for i := 2; i < l.site.big() && len(open) < freshBatch; i++ {
		if l.site.closed(i) {
			continue
		}
		open = append(open, i)
		require.NoError(l.b, p.Observe(mirror.Node{ID: fmt.Sprint(l.site.id(i)), Type: confluence.TypePage, ParentID: fmt.Sprint(l.site.id(l.site.parent(i))), Clause: guard.Clause{State: guard.Open}}))
	}
	_, err = p.Tighten(ctx, false)
	require.NoError(l.b, err)
	var took []time.Duration
	for i, page := range open[:freshPages] {
		word := fmt.Sprintf("sofort%d", i)
		at := time.Now()
		_, err := p.Put(ctx, []mirror.Content{l.reworded(page, 3, word)}, "")
		require.NoError(l.b, err)
		require.NoError(l.b, l.open.index.Follow(ctx))
		require.Equal(l.b, 1, l.total("u-100", retrieve.Question{Text: word}))
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	l.report.add(figure{What: "one page read until found, p50", Unit: "ms", Seen: ms(took[len(took)/2])})
	l.report.add(figure{What: "one page read until found, p99", Unit: "ms", Bar: 50, Seen: ms(took[len(took)*99/100])})

	at := time.Now()
	for some := range slices.Chunk(open, putAtOnce) {
		var pages []mirror.Content
		for _, page := range some {
			pages = append(pages, l.reworded(page, 4, "tausend"))
		}
		_, err := p.Put(ctx, pages, "")
		require.NoError(l.b, err)
	}
	require.NoError(l.b, l.open.index.Follow(ctx))
	require.Equal(l.b, len(open), l.total("u-100", retrieve.Question{Text: "tausend"}))
	l.report.add(figure{What: fmt.Sprintf("%d pages read until found", len(open)), Unit: "s", Bar: 3, Seen: time.Since(at).Seconds()})
	require.NoError(l.b, p.End(ctx, "{}"))
}

// reworded is a page with one more word, as a sync hands it over.
func (l *life) reworded(i, version int, word string) mirror.Content {
	made := l.site.words.Page(uint32(i + 1))
	return mirror.Content{
		Page: confluence.Page{ID: fmt.Sprint(l.site.id(i)), Type: confluence.TypePage, Status: confluence.StatusCurrent, SpaceID: "1", SpaceKey: bigSpace,
			Title: fmt.Sprintf("%s %d", made.Title, i), Body: "<p>" + word + "</p>" + made.Storage(), AuthorID: "u-100",
			Version: confluence.Version{Number: version, AuthorID: "u-100", CreatedAt: time.Now()}},
		Labels: []string{made.Label}, Text: word + "\n\n" + made.Text(),
	}
}

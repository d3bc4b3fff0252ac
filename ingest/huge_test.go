package ingest_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/store/mirror"
)

func (b *box) page(id, title, storage string) {
	b.t.Helper()
	line, err := json.Marshal(map[string]any{"kind": "content", "id": id, "type": "page", "space": "ENG", "parent": "1000", "title": title, "storage": storage, "labels": []string{"large"}, "author": "u-ann"})
	require.NoError(b.t, err)
	b.Apply(string(line))
}

func (b *box) copyOf(id string) mirror.Page {
	b.t.Helper()
	p, err := b.Mirror.Page(b.t.Context(), who("u-ann"), mirror.Ref{ID: id})
	require.NoError(b.t, err)
	return p
}

func paragraphs(bytes int) string {
	one := "<p>" + strings.Repeat("word ", 100) + "</p>"
	return strings.Repeat(one, bytes/len(one))
}

// A page that is too large to be mirrored is there with its rights, its title
// and its labels, and without a body, whether it came with others or not even
// alone; one that is as large as the tools show whole is mirrored.
func TestAHugePageIsMirroredWithoutItsBody(t *testing.T) {
	b := newBox(t, nil)
	sizes := map[string]int{"7001": 3<<19 - 1000, "7002": 2 << 20, "7003": 10 << 20}
	for id, size := range sizes {
		b.page(id, "Page "+id, paragraphs(size))
	}
	r := b.pass(true)
	named := map[string]string{}
	for _, p := range r.Problems {
		if p.Code == "limit.too_large" {
			named[p.Page] = p.Text
		}
	}
	require.Len(t, named, 2)
	assert.Contains(t, named["7003"], "9 MB")
	assert.NotEmpty(t, b.copyOf("7001").Body)
	for _, id := range []string{"7002", "7003"} {
		p := b.copyOf(id)
		assert.Empty(t, p.Body, id)
		assert.Equal(t, "Page "+id, p.Text)
		assert.Equal(t, []string{"large"}, p.Labels)
		assert.False(t, b.sees("u-gus", id), "a huge page has rights like any other")
	}
	assert.Zero(t, b.pass(false).Read, "it is not read again until it changes")

	b.page("7002", "Small, the one", "<p>small</p>")
	b.page("7003", "Small, the other", "<p>small</p>")
	require.Equal(t, 2, b.pass(false).Changed)
	assert.Equal(t, "<p>small</p>", b.copyOf("7003").Body)
	b.clean()
}

// weighed measures the bodies that are on their way at once.
type weighed struct {
	ingest.Source
	now, most atomic.Int64
	asked     atomic.Int64
}

func (w *weighed) Bodies(ctx context.Context, kind string, ids []string) ([]confluence.Page, error) {
	w.asked.Add(1)
	pages, err := w.Source.Bodies(ctx, kind, ids)
	for _, p := range pages {
		w.most.Store(max(w.most.Load(), w.now.Add(int64(len(p.Body)))))
	}
	return pages, err
}

// put is where bodies are given up.
type put struct {
	ingest.Mirror
	of *weighed
}

func (m put) Begin(ctx context.Context, integration int64, sp confluence.Space) (ingest.Pass, error) {
	p, err := m.Mirror.Begin(ctx, integration, sp)
	return putPass{p, m.of}, err
}

type putPass struct {
	ingest.Pass
	of *weighed
}

func (p putPass) Put(ctx context.Context, pages []ingest.Content, mark string) (int, error) {
	for _, one := range pages {
		p.of.now.Add(-int64(len(one.Body)))
	}
	return p.Pass.Put(ctx, pages, mark)
}

// Many large pages: what is held at once is bounded in bytes, and no page is
// asked for over and over.
func TestBodiesOnTheirWayAreBounded(t *testing.T) {
	w := &weighed{}
	b := newBox(t, nil, func(c *ingest.Config, rc *rest.Config) {
		client, err := rest.New(*rc)
		require.NoError(t, err)
		w.Source = client
		c.Source, c.Mirror = w, put{c.Mirror, w}
	})
	const pages = 60
	body := paragraphs(700 << 10)
	for i := range pages {
		b.page(line("8%03d", i), line("Large %d", i), body)
	}
	b.pass(true)
	assert.NotEmpty(t, b.copyOf("8059").Body)
	t.Logf("at most %d KiB at once, %d requests", w.most.Load()>>10, w.asked.Load())
	assert.Less(t, w.most.Load(), int64(9<<20), "of 42 MB")
	assert.Less(t, w.asked.Load(), int64(2*pages))
}

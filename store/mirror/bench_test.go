package mirror_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

const benchPages = 100_000

// bench is a mirror of one space with many pages of 3 kB in a tree, every tenth
// one restricted.
func bench(b *testing.B) (*box, []mirror.Node) {
	x := fresh(b)
	nodes := make([]mirror.Node, 0, benchPages)
	for i := range benchPages {
		n := page(fmt.Sprint(100_000+i), "", free)
		if i > 0 {
			n.ParentID = fmt.Sprint(100_000 + (i-1)/8)
		}
		if i%10 == 9 {
			n.Clause = onlyA
		}
		nodes = append(nodes, n)
	}
	return x, nodes
}

// batches puts everything, 500 pages at once.
func (b *box) batches(p *mirror.Pass, nodes []mirror.Node, version int) {
	words := strings.Repeat("some words of text ", 80)
	for len(nodes) > 0 {
		some := make([]mirror.Content, 0, 500)
		for _, n := range nodes[:min(500, len(nodes))] {
			c := content(n.ID, version)
			c.Body, c.Text = words, words
			some = append(some, c)
		}
		nodes = nodes[len(some):]
		if _, err := p.Put(b.ctx, some, "m"); err != nil {
			b.t.Fatal(err)
		}
	}
}

// BenchmarkMirror goes through the life of a mirror of 100,000 pages.
func BenchmarkMirror(b *testing.B) {
	x, nodes := bench(b)
	pass := func(version int) {
		p := x.begin()
		if err := p.Observe(nodes...); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Tighten(x.ctx, true); err != nil {
			b.Fatal(err)
		}
		if version > 0 {
			x.batches(p, nodes, version)
		}
		if err := p.Loosen(x.ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("first pass", func(b *testing.B) {
		version := 0
		for b.Loop() {
			version++
			pass(version)
		}
		b.ReportMetric(float64(benchPages*version)/b.Elapsed().Seconds(), "pages/s")
	})
	b.Run("rights of every page again", func(b *testing.B) {
		for b.Loop() {
			pass(0)
		}
	})
	b.Run("compare every page", func(b *testing.B) {
		listed := make([]mirror.Listed, 0, len(nodes))
		for _, n := range nodes {
			c := content(n.ID, 1)
			listed = append(listed, mirror.Listed{ID: n.ID, Version: 1, Title: c.Title, Labels: c.Labels, Attachments: map[string]int{"att" + n.ID: 1}})
		}
		for b.Loop() {
			if _, _, err := x.begin().Outdated(x.ctx, listed, noon()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("restrict the root", func(b *testing.B) {
		clause := onlyA
		for b.Loop() {
			p := x.begin()
			n := nodes[0]
			n.Clause = clause
			if err := p.Observe(n); err != nil {
				b.Fatal(err)
			}
			if _, err := p.Tighten(x.ctx, false); err != nil {
				b.Fatal(err)
			}
			if x.View(who("bob")).Sees(1) {
				b.Fatal("still visible")
			}
		}
	})
	pass(0)
	b.Run("read a page", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := x.Page(x.ctx, who("ann"), mirror.Ref{ID: nodes[i*7919%benchPages].ID}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, id := range map[string]string{"hidden": nodes[9].ID, "absent": "1"} {
		b.Run("not found, "+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := x.Page(x.ctx, who("bob"), mirror.Ref{ID: id}); confluence.KindOf(err) != confluence.NotFound {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("list 25 of 50,000", func(b *testing.B) {
		for b.Loop() {
			if _, err := x.Pages(x.ctx, who("bob"), mirror.Filter{SpaceKey: "ENG"}, confluence.Paging{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			m, err := mirror.Open(context.Background(), mirror.Config{Dir: x.dir, Now: noon})
			if err != nil {
				b.Fatal(err)
			}
			if !m.View(who("ann")).Sees(1) || m.View(who("ann")).Check(benchPages+1) != guard.Hidden {
				b.Fatal("wrong rights")
			}
			if err := m.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAnswersOfConfluence reads pages in folders as somebody about whom
// Confluence has answered thousands of questions: what a hit costs, and in
// allocations that how much was answered does not show.
func BenchmarkAnswersOfConfluence(b *testing.B) {
	for _, folders := range []int{10, 5000} {
		b.Run(fmt.Sprintf("%d answers", folders), func(b *testing.B) {
			m, err := mirror.Open(b.Context(), mirror.Config{Dir: b.TempDir(), Now: noon, Verify: func(context.Context, identity.Caller, mirror.Ref, string) (bool, error) { return true, nil }})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = m.Close() }()
			x := &box{Mirror: m, t: b, ctx: context.Background()}
			x.people()
			x.policy(guard.VerifyOpaque)
			nodes := []mirror.Node{page("1", "", free)}
			for i := range folders {
				f := fmt.Sprintf("f%d", i)
				nodes = append(nodes, folder(f, "1"), page("p"+f, f, free))
			}
			x.sync(1, nodes...)
			read := func(i int) {
				if _, err := x.Page(x.ctx, who("ann"), mirror.Ref{ID: fmt.Sprintf("pf%d", i%folders)}); err != nil {
					b.Fatal(err)
				}
			}
			for i := range folders {
				read(i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				read(i)
			}
		})
	}
}

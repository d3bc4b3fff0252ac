package connections

import (
	"context"
	"time"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

// Filling is the mirror as a sync fills it: the same types under the names that
// package ingest has for them, so that a sync can be tested without a database.
type Filling struct{ *mirror.Writer }

// writer is what a sync of a connection fills: the connection is told who its
// account is.
type writer struct {
	Filling
	of *connection
}

// SetIntegration implements ingest.Mirror.
func (w writer) SetIntegration(ctx context.Context, i guard.Integration) error {
	if err := w.of.ownRows(ctx, w.Writer, i.Account); err != nil {
		return err
	}
	err := w.Filling.SetIntegration(ctx, i)
	if err == nil {
		w.of.learned.Store(&i.Account)
		w.of.doubted.Store(false)
	}
	return err
}

// Begin implements ingest.Mirror.
func (f Filling) Begin(ctx context.Context, integration int64, sp confluence.Space) (ingest.Pass, error) {
	p, err := f.Writer.Begin(ctx, integration, sp)
	if err != nil {
		return nil, err
	}
	return pass{p}, nil
}

// Spaces implements ingest.Mirror.
func (f Filling) Spaces(ctx context.Context, integration int64) ([]ingest.Swept, error) {
	all, err := f.Writer.Spaces(ctx, integration)
	return each(all, func(s mirror.Swept) ingest.Swept { return ingest.Swept(s) }), err
}

// SetPeople implements ingest.Mirror.
func (f Filling) SetPeople(ctx context.Context, people []ingest.Person) error {
	return f.Writer.SetPeople(ctx, each(people, func(p ingest.Person) mirror.Person { return mirror.Person(p) }))
}

// Person implements ingest.Mirror.
func (f Filling) Person(ctx context.Context, integration int64, who string) (ingest.Person, error) {
	p, err := f.Writer.Person(ctx, integration, who)
	return ingest.Person(p), err
}

// People implements ingest.Mirror.
func (f Filling) People(ctx context.Context, integration int64) ([]ingest.Person, error) {
	all, err := f.Writer.People(ctx, integration)
	return each(all, func(p mirror.Person) ingest.Person { return ingest.Person(p) }), err
}

type pass struct{ *mirror.Pass }

// Observe implements ingest.Pass.
func (p pass) Observe(nodes ...ingest.Node) error { return p.Pass.Observe(each(nodes, nodeOf)...) }

// Again implements ingest.Pass.
func (p pass) Again(ctx context.Context, nodes ...ingest.Node) error {
	return p.Pass.Again(ctx, each(nodes, nodeOf)...)
}

func nodeOf(n ingest.Node) mirror.Node { return mirror.Node(n) }

// Tighten implements ingest.Pass.
func (p pass) Tighten(ctx context.Context, complete bool) (ingest.Vanished, error) {
	v, err := p.Pass.Tighten(ctx, complete)
	return ingest.Vanished(v), err
}

// Outdated implements ingest.Pass.
func (p pass) Outdated(ctx context.Context, listed []ingest.Listed, since time.Time) (changed, old []string, err error) {
	return p.Pass.Outdated(ctx, each(listed, func(l ingest.Listed) mirror.Listed { return mirror.Listed(l) }), since)
}

// Put implements ingest.Pass.
func (p pass) Put(ctx context.Context, pages []ingest.Content, mark string) (int, error) {
	return p.Pass.Put(ctx, each(pages, func(c ingest.Content) mirror.Content { return mirror.Content(c) }), mark)
}

func each[From, To any](in []From, one func(From) To) []To {
	out := make([]To, 0, len(in))
	for _, v := range in {
		out = append(out, one(v))
	}
	return out
}

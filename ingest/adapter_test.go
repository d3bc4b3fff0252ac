package ingest_test

import (
	"context"
	"time"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/mirror"
)

// target is the mirror as a sync declares it: the same fields, other names.
// cmd/confluence-mcp has the same few lines.
type target struct{ *mirror.Writer }

func (t target) Begin(ctx context.Context, integration int64, sp confluence.Space) (ingest.Pass, error) {
	p, err := t.Writer.Begin(ctx, integration, sp)
	if err != nil {
		return nil, err
	}
	return targetPass{p}, nil
}

func (t target) Spaces(ctx context.Context, integration int64) ([]ingest.Swept, error) {
	in, err := t.Writer.Spaces(ctx, integration)
	return converted(in, func(v mirror.Swept) ingest.Swept { return ingest.Swept(v) }), err
}

func (t target) SetPeople(ctx context.Context, people []ingest.Person) error {
	return t.Writer.SetPeople(ctx, converted(people, func(v ingest.Person) mirror.Person { return mirror.Person(v) }))
}

func (t target) Person(ctx context.Context, integration int64, who string) (ingest.Person, error) {
	p, err := t.Writer.Person(ctx, integration, who)
	return ingest.Person(p), err
}

func (t target) People(ctx context.Context, integration int64) ([]ingest.Person, error) {
	in, err := t.Writer.People(ctx, integration)
	return converted(in, func(v mirror.Person) ingest.Person { return ingest.Person(v) }), err
}

type targetPass struct{ *mirror.Pass }

func (p targetPass) Observe(nodes ...ingest.Node) error {
	return p.Pass.Observe(converted(nodes, func(v ingest.Node) mirror.Node { return mirror.Node(v) })...)
}

func (p targetPass) Again(ctx context.Context, nodes ...ingest.Node) error {
	return p.Pass.Again(ctx, converted(nodes, func(v ingest.Node) mirror.Node { return mirror.Node(v) })...)
}

func (p targetPass) Tighten(ctx context.Context, complete bool) (ingest.Vanished, error) {
	v, err := p.Pass.Tighten(ctx, complete)
	return ingest.Vanished(v), err
}

func (p targetPass) Outdated(ctx context.Context, listed []ingest.Listed, since time.Time) (changed, old []string, err error) {
	return p.Pass.Outdated(ctx, converted(listed, func(v ingest.Listed) mirror.Listed { return mirror.Listed(v) }), since)
}

func (p targetPass) Put(ctx context.Context, pages []ingest.Content, mark string) (int, error) {
	return p.Pass.Put(ctx, converted(pages, func(v ingest.Content) mirror.Content { return mirror.Content(v) }), mark)
}

func converted[From, To any](in []From, one func(From) To) []To {
	out := make([]To, 0, len(in))
	for _, v := range in {
		out = append(out, one(v))
	}
	return out
}

var _ ingest.Mirror = target{}

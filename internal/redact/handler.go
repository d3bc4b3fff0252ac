package redact

import (
	"context"
	"log/slog"
)

// Handler wraps a slog handler so that messages and attributes are masked
// before next sees them. Attributes bound with With and values inside groups
// are masked as well.
func Handler(next slog.Handler) slog.Handler {
	return handler{next: next, rules: New()}
}

type handler struct {
	next  slog.Handler
	rules *Rules
}

// Enabled implements slog.Handler.
func (h handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, rec slog.Record) error {
	out := slog.NewRecord(rec.Time, rec.Level, h.rules.Text(rec.Message), rec.PC)
	rec.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.mask(a))
		return true
	})
	return h.next.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	masked := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		masked[i] = h.mask(a)
	}
	return handler{next: h.next.WithAttrs(masked), rules: h.rules}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{next: h.next.WithGroup(name), rules: h.rules}
}

func (h handler) mask(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup || secretName(a.Key) {
		return h.rules.Attr(nil, a)
	}
	members := v.Group()
	masked := make([]slog.Attr, len(members))
	for i, m := range members {
		masked[i] = h.mask(m)
	}
	return slog.Attr{Key: a.Key, Value: slog.GroupValue(masked...)}
}

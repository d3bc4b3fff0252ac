package mirrored

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/mirror"
)

// mirroredType reports whether a sync reads spaces of a type.
func mirroredType(t string) bool {
	return slices.Contains([]string{"", "global", "knowledge_base", "collaboration"}, t)
}

// spaces lists the caller's spaces, all or those of a key, and remembers them
// for this call.
func (s *site) spaces(ctx context.Context, key string) ([]mirror.Space, error) {
	found, err := s.of.cfg.Mirror.Spaces(ctx, s.who, s.at, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range found {
		s.known[one.ID] = one
	}
	return found, err
}

// Spaces implements tools.SpaceStore.
func (s *site) Spaces(ctx context.Context, f confluence.SpaceFilter, p confluence.Paging) (confluence.List[confluence.Space], error) {
	var found []mirror.Space
	cursor, copied := resumes(p.Cursor, func() bool { return mirroredType(f.Type) && s.of.cfg.Complete(ctx, s.at) })
	p.Cursor = cursor
	if copied {
		var err error
		found, err = s.spaces(ctx, "")
		copied = err == nil && !s.of.written.moved(tree{integration: s.at}, eldest(found))
	}
	if !copied {
		return live(s.writing.Spaces(ctx, f, p))
	}
	var all []confluence.Space
	for _, one := range found {
		if len(f.Keys) > 0 && !slices.ContainsFunc(f.Keys, func(k string) bool { return strings.EqualFold(k, one.Key) }) ||
			f.Type != "" && one.Type != f.Type || f.Status != "" && one.Status != f.Status {
			continue
		}
		all = append(all, spaceCopy(one))
	}
	out := part(all, p)
	for _, one := range out.Items {
		out.ReadAt, out.Stale = oldest(out.ReadAt, one.ReadAt), out.Stale || one.Stale
	}
	return out, nil
}

// Space implements tools.SpaceStore.
func (s *site) Space(ctx context.Context, key string) (confluence.Space, error) {
	found, err := s.spaces(ctx, key)
	if err != nil || len(found) != 1 || found[0].RightsAt.IsZero() || s.of.written.moved(tree{integration: s.at}, found[0].RightsAt) {
		return s.writing.Space(ctx, key)
	}
	return spaceCopy(found[0]), nil
}

func spaceCopy(one mirror.Space) confluence.Space {
	out := one.Space
	out.ReadAt = one.RightsAt
	return out
}

// eldest is when the space was read that was read before all others.
func eldest(all []mirror.Space) time.Time {
	var out time.Time
	for _, one := range all {
		out = oldest(out, one.RightsAt)
	}
	return out
}

// part is one page of a list that is there as a whole; its cursor is the number
// of rows before.
func part[T any](all []T, p confluence.Paging) confluence.List[T] {
	const usual = 25
	from, _ := strconv.Atoi(p.Cursor)
	from = min(max(from, 0), len(all))
	limit := p.Limit
	if limit <= 0 {
		limit = usual
	}
	out := confluence.List[T]{Items: all[from:min(len(all), from+limit)], Total: len(all)}
	if end := from + len(out.Items); end < len(all) {
		out.Next = marked(fromMirror, strconv.Itoa(end))
	}
	return out
}

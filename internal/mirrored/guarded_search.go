package mirrored

import (
	"context"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/mirror"
)

// ofPages is what a guarded query is kept to: whose page a comment, a file or
// anything else belongs to would have to be asked for, hit by hit, and how long
// that takes would count what is hidden.
const ofPages = "type in (page, blogpost)"

// mostNamed bounds how many spaces and how many hidden pages a query names: an
// address has its limits.
const mostNamed = 150

// Search implements tools.PageSource. A query is kept to what the mirror shows
// the caller before Confluence reads it: to pages and blog posts, to spaces he
// may view, and without what is hidden in them, so that neither a place in a
// listing nor how long an answer takes counts what he does not see. Where that
// cannot be said in a query it is refused. A hit is shown when he sees it in the
// mirror, and where it was changed since also as it is restricted now; no other hit
// costs a question to Confluence. There is no total, because
// Confluence counts for the account, and what Confluence has against a query it
// says to nobody else.
//
// What is left is what the mirror has not read yet: a page that was made, or
// hidden, since the last pass is left out of the answer, but not of the work.
func (g *guarded) Search(ctx context.Context, s confluence.Search) (confluence.List[confluence.Hit], error) {
	if strings.TrimSpace(s.CQL) == "" || !balanced(s.CQL) {
		return confluence.List[confluence.Hit]{}, unreadable(nil)
	}
	spaces, hidden, whole, err := g.of.cfg.Mirror.Within(ctx, g.who, g.at, s.SpaceKey, mostNamed)
	if err != nil {
		return confluence.List[confluence.Hit]{}, err
	}
	if !whole {
		return confluence.List[confluence.Hit]{}, tooWide()
	}
	complete := g.of.cfg.Complete(ctx, g.at)
	if len(spaces) == 0 {
		return confluence.List[confluence.Hit]{Total: -1, Exact: complete}, nil
	}
	s.CQL = keptTo(s.CQL, ofPages+outOf(spaces, hidden))
	stale := map[string]bool{}
	found, err := sift(s.Paging, func(up confluence.Paging) (confluence.List[confluence.Hit], error) {
		asked := s
		asked.Paging, asked.Archived = up, false
		return g.live.Search(ctx, asked)
	}, func(h confluence.Hit) (bool, error) {
		if h.Type != confluence.TypePage && h.Type != confluence.TypeBlogPost {
			return false, nil
		}
		known, err := g.sees(ctx, h.ID)
		if stale[h.ID] = known.Stale; err == nil && changedSince(known, h) {
			err = g.stillOpen(ctx, known, "")
		}
		if confluence.KindOf(err) == confluence.NotFound {
			return false, nil
		}
		return err == nil, err
	})
	for i, h := range found.Items {
		found.Items[i].Stale = stale[h.ID]
		found.Stale = found.Stale || stale[h.ID]
	}
	switch confluence.KindOf(err) {
	case confluence.Invalid, confluence.NotFound:
		return found, unreadable(err)
	}
	found.Exact = found.Exact && complete
	return found, err
}

// changedSince reports whether a hit is another version than the mirror's, as far
// as Confluence tells: the times of a search are finer than those of a page.
func changedSince(known mirror.Page, h confluence.Hit) bool {
	return h.Updated.Truncate(time.Millisecond).After(known.Version.CreatedAt.Truncate(time.Millisecond))
}

// outOf is the condition that keeps a query to some spaces and out of some trees.
func outOf(spaces, hidden []string) string {
	quoted := make([]string, 0, len(spaces))
	for _, key := range spaces {
		quoted = append(quoted, confluence.QuoteCQL(key))
	}
	out := " AND space in (" + strings.Join(quoted, ", ") + ")"
	if len(hidden) > 0 {
		ids := "(" + strings.Join(hidden, ", ") + ")"
		out += " AND id not in " + ids + " AND ancestor not in " + ids
	}
	return out
}

// tooWide is the answer to a query where more is hidden than one can name.
func tooWide() error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.cql", Op: "search",
		Message: "A query to Confluence cannot be kept to what you may see here.",
		Next:    "Send space_key, or search by words and filters without cql."}
}

// unreadable is the one answer to a query that cannot be answered: why may rest
// on what the account sees.
func unreadable(err error) error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.cql", Op: "search", Err: err,
		Message: "Confluence does not answer this query.",
		Next:    "Check its fields and values, or search by words and filters instead."}
}

// keptTo adds a condition to all of a query. Its order stays outside.
func keptTo(cql, condition string) string {
	end := orderAt(cql)
	where, order := strings.TrimSpace(cql[:end]), cql[end:]
	if where == "" {
		return strings.TrimSpace(condition + " " + order)
	}
	return strings.TrimSpace("(" + where + ") AND " + condition + " " + order)
}

// orderAt is where the order of a query begins, its end where it has none: at the
// last ORDER that stands outside of quotes and parentheses and has BY behind it.
func orderAt(cql string) int {
	at := len(cql)
	outside(cql, func(i, depth int) {
		before := i == 0 || !inWord(cql[i-1])
		fields := strings.Fields(cql[i:min(len(cql), i+64)])
		if depth == 0 && before && len(fields) > 1 && strings.EqualFold(fields[0], "order") && strings.EqualFold(fields[1], "by") {
			at = i
		}
	})
	return at
}

// balanced reports whether every parenthesis and quote of a query is closed, and
// none before it is opened: then a condition put around it holds for all of it. A
// backslash outside of quotes is refused: where Confluence takes it as one before
// a quote, quotes end for it where they begin here.
func balanced(cql string) bool {
	least, escapes := 0, false
	open, closed := outside(cql, func(i, depth int) { least, escapes = min(least, depth), escapes || cql[i] == '\\' })
	return closed && open == 0 && least == 0 && !escapes
}

// outside calls fn for every byte that stands outside of quotes, with the number
// of parentheses open behind it; it gives those open at the end, and whether
// quotes are closed.
func outside(cql string, fn func(i, depth int)) (depth int, closed bool) {
	quote := byte(0)
	for i := 0; i < len(cql); i++ {
		c := cql[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
		case c == '"' || c == '\'':
			quote = c
		default:
			if c == '(' {
				depth++
			}
			if c == ')' {
				depth--
			}
			fn(i, depth)
		}
	}
	return depth, quote == 0
}

func inWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

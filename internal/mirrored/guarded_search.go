package mirrored

import (
	"context"
	"strings"

	"confluence-mcp/internal/confluence"
)

// ofPages is what a guarded query is kept to: whose page a comment, a file or
// anything else belongs to would have to be asked for, hit by hit, and how long
// that takes would count what is hidden.
const ofPages = "type in (page, blogpost)"

// Search implements tools.PageSource. A query finds pages and blog posts only,
// and a hit is shown when the caller sees it in the mirror: no hit costs a
// question to Confluence. There is no total, because Confluence counts for the
// account, and what Confluence has against a query it says to nobody else.
func (g *guarded) Search(ctx context.Context, s confluence.Search) (confluence.List[confluence.Hit], error) {
	if strings.TrimSpace(s.CQL) == "" || !balanced(s.CQL) {
		return confluence.List[confluence.Hit]{}, unreadable(nil)
	}
	s.CQL = pagesOnly(s.CQL)
	found, err := sift(s.Paging, func(up confluence.Paging) (confluence.List[confluence.Hit], error) {
		asked := s
		asked.Paging, asked.Archived = up, false
		return g.live.Search(ctx, asked)
	}, func(h confluence.Hit) (bool, error) {
		if h.Type != confluence.TypePage && h.Type != confluence.TypeBlogPost {
			return false, nil
		}
		return g.allows(ctx, h.ID)
	})
	switch confluence.KindOf(err) {
	case confluence.Invalid, confluence.NotFound:
		return found, unreadable(err)
	}
	return found, err
}

// unreadable is the one answer to a query that cannot be answered: why may rest
// on what the account sees.
func unreadable(err error) error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.cql", Op: "search", Err: err,
		Message: "Confluence does not answer this query.",
		Next:    "Check its fields and values, or search by words and filters instead."}
}

// pagesOnly puts a condition around a query. Its order stays outside.
func pagesOnly(cql string) string {
	end := orderAt(cql)
	where, order := strings.TrimSpace(cql[:end]), cql[end:]
	if where == "" {
		return strings.TrimSpace(ofPages + " " + order)
	}
	return strings.TrimSpace("(" + where + ") AND " + ofPages + " " + order)
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
// none before it is opened: then a condition put around it holds for all of it.
func balanced(cql string) bool {
	least := 0
	open, closed := outside(cql, func(_, depth int) { least = min(least, depth) })
	return closed && open == 0 && least == 0
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

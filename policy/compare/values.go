package compare

import (
	"fmt"
	"math"
	"reflect"
	"regexp/syntax"
	"slices"
	"time"

	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
	"confluence-mcp/policy/rule"
)

// fresh is a text no rule mentions.
const fresh = "~other~"

// mostElements is how many representative elements of a list are still
// combined into every possible set.
const mostElements = 7

func baseTime() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

// represent finds values of a variable such that every possible value is
// judged like one of them, and says why not where that fails.
func represent(v rule.Variable, atoms []rule.Atom) (values []any, why string) {
	for _, a := range atoms {
		if a.Op == rule.OpOther {
			why = "is used in a way that cannot be enumerated"
		}
	}
	switch v.Type {
	case "bool":
		return []any{false, true}, why
	case "int":
		return ints(atoms), why
	case "double":
		return doubles(atoms), why
	case "timestamp":
		return times(atoms), why
	case "string":
		values, mixed := texts(v.Name, atoms)
		return values, first(why, mixed)
	case "list":
		values, mixed := lists(atoms)
		return values, first(why, mixed)
	default:
		return maps(atoms), first(why, "is a map")
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// ints are the literals and their neighbours, and where they are counted with,
// what the literals amount to; sizes and versions are never negative.
func ints(atoms []rule.Atom) []any {
	found := []int64{0, 1}
	for _, a := range atoms {
		var literals []int64
		for _, l := range a.Literals {
			if n, ok := l.(int64); ok {
				literals = append(literals, n)
			}
		}
		if a.Op == rule.OpOther {
			literals = append(literals, combined(literals)...)
		}
		for _, n := range literals {
			found = append(found, n, n+1, n-1)
		}
	}
	return distinct(found, func(n int64) bool { return n >= 0 })
}

// combined is what every two numbers of one expression can amount to.
func combined(numbers []int64) []int64 {
	const few = 6
	var out []int64
	for _, a := range numbers[:min(few, len(numbers))] {
		for _, b := range numbers[:min(few, len(numbers))] {
			out = append(out, a+b, a-b, a*b)
			if b != 0 {
				out = append(out, a/b)
			}
		}
	}
	return out
}

// doubles are the literals and what is just beside them, within 0 to 1: the
// only variable of this type is a ratio.
func doubles(atoms []rule.Atom) []any {
	found := []float64{0, 1}
	for _, a := range atoms {
		for _, l := range a.Literals {
			if n, ok := number64(l); ok {
				found = append(found, n, math.Nextafter(n, 2), math.Nextafter(n, -1))
			}
		}
	}
	return distinct(found, func(n float64) bool { return n >= 0 && n <= 1 })
}

func number64(l any) (float64, bool) {
	switch n := l.(type) {
	case float64:
		return n, true
	case int64:
		return float64(n), true
	}
	return 0, false
}

func distinct[T int64 | float64](found []T, keep func(T) bool) []any {
	slices.Sort(found)
	var out []any
	for _, n := range slices.Compact(found) {
		if keep(n) {
			out = append(out, n)
		}
	}
	return out
}

// times are the literals and what is just beside them; where a clock is
// looked at otherwise, hours of a week and distances from now as well.
func times(atoms []rule.Atom) []any {
	found := []time.Time{baseTime()}
	other := false
	for _, a := range atoms {
		other = other || a.Op == rule.OpOther
		for _, l := range a.Literals {
			switch t := l.(type) {
			case time.Time:
				found = append(found, t, t.Add(1), t.Add(-1))
			case time.Duration:
				past := baseTime().Add(-t)
				found = append(found, past, past.Add(time.Second), past.Add(-time.Second))
			}
		}
	}
	for day := 0; other && day < 7; day++ {
		for _, hour := range []int{0, 6, 9, 18, 23} {
			found = append(found, baseTime().AddDate(0, 0, day).Truncate(24*time.Hour).Add(time.Duration(hour)*time.Hour))
		}
	}
	slices.SortFunc(found, time.Time.Compare)
	var out []any
	for _, t := range slices.CompactFunc(found, time.Time.Equal) {
		out = append(out, t)
	}
	return out
}

// texts are the literals, the empty text, a fresh one, and for each part that
// is looked for a text that has it and is no literal.
func texts(name string, atoms []rule.Atom) (values []any, why string) {
	found := append([]string{"", fresh}, domain(name)...)
	var prefixes, parts []string
	for _, a := range atoms {
		for _, l := range a.Literals {
			s, ok := l.(string)
			if !ok {
				continue
			}
			found = append(found, s)
			switch a.Op {
			case rule.OpPrefix:
				prefixes = append(prefixes, s)
				found = append(found, s+fresh)
			case rule.OpText:
				parts = append(parts, s)
				found = append(found, fresh+s, fresh+s+fresh)
			case rule.OpOther:
				found = append(found, fresh+s, s+fresh, sample(s))
			}
		}
	}
	slices.Sort(parts)
	if parts = slices.Compact(parts); len(parts) > 1 || len(parts) == 1 && len(prefixes) > 0 {
		why = "is searched for more than one part"
	}
	for _, p := range prefixes {
		for _, q := range parts {
			found = append(found, p+fresh+q)
		}
	}
	return possible(name, found), why
}

// possible drops what is there twice and what the variable cannot be.
func possible(name string, found []string) []any {
	slices.Sort(found)
	var values []any
	for _, s := range slices.Compact(found) {
		if name != "identity.kind" || slices.Contains(domain(name), s) {
			values = append(values, s)
		}
	}
	return values
}

// domain is the values a variable can have at all, or has at least.
func domain(name string) []string {
	switch name {
	case "identity.kind":
		return []string{string(identity.User), string(identity.Service), string(identity.Nobody)}
	case "request.transport":
		return []string{identity.Stdio, identity.HTTP, identity.CLI}
	case "site.kind":
		return []string{"cloud", "dc"}
	case "resource.type":
		return []string{"space_property"}
	default:
		return nil
	}
}

// sample is a text a pattern matches, or the text itself where it is none.
func sample(pattern string) string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return pattern
	}
	return matching(re.Simplify())
}

func matching(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune)
	case syntax.OpCharClass:
		if len(re.Rune) > 0 {
			return string(re.Rune[0])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "x"
	case syntax.OpCapture, syntax.OpPlus, syntax.OpAlternate:
		return matching(re.Sub[0])
	case syntax.OpConcat:
		out := ""
		for _, sub := range re.Sub {
			out += matching(sub)
		}
		return out
	}
	return ""
}

// lists are every set of representative elements, or where there are too
// many, the sets of none, one, two and all.
func lists(atoms []rule.Atom) (values []any, why string) {
	elements, why := texts("", atoms)
	var words []string
	for _, e := range elements {
		words = append(words, e.(string))
	}
	if len(words) <= mostElements {
		for set := range 1 << len(words) {
			var list []string
			for i, w := range words {
				if set>>i&1 == 1 {
					list = append(list, w)
				}
			}
			values = append(values, list)
		}
		return values, why
	}
	values = append(values, []string(nil), words)
	for i, w := range words {
		values = append(values, []string{w})
		for _, other := range words[:i] {
			values = append(values, []string{other, w})
		}
	}
	return values, first(why, fmt.Sprintf("is compared with more than %d texts", mostElements-2))
}

// maps try every literal as a key and as a value.
func maps(atoms []rule.Atom) []any {
	words, _ := texts("", atoms)
	values := []any{map[string]string(nil)}
	for _, k := range words {
		for _, v := range words {
			values = append(values, map[string]string{k.(string): v.(string)})
		}
	}
	return values
}

func isZero(v any) bool {
	return v == nil || reflect.ValueOf(v).IsZero() || reflect.ValueOf(v).Kind() == reflect.Slice && reflect.ValueOf(v).Len() == 0
}

// fields are where in a request each variable stands.
func fields(r *policy.Request) map[string]reflect.Value {
	pointers := map[string]any{
		"request.tool": &r.Tool, "request.transport": &r.Caller.Transport, "request.live": &r.Live, "now": &r.Now,
		"identity.id": &r.Caller.Agent, "identity.account_id": &r.Caller.AccountID, "identity.email": &r.Caller.Email,
		"identity.groups": &r.Caller.Groups, "identity.attributes": &r.Caller.Attributes, "identity.kind": &r.Caller.Kind,
		"site.id": &r.Site.ID, "site.kind": &r.Site.Kind, "resource.version": &r.Resource.Version,
		"resource.type": &r.Resource.Type, "resource.id": &r.Resource.ID, "resource.space_key": &r.Resource.SpaceKey,
		"resource.space_type": &r.Resource.SpaceType, "resource.status": &r.Resource.Status, "resource.title": &r.Resource.Title,
		"resource.author_id": &r.Resource.AuthorID, "resource.labels": &r.Resource.Labels, "resource.ancestor_ids": &r.Resource.AncestorIDs,
		"resource.attachment_bytes": &r.Resource.AttachmentBytes, "resource.updated_at": &r.Resource.UpdatedAt,
		"resource.restricted": &r.Resource.Restricted, "context.read_restricted": &r.Context.ReadRestricted, "context.read_external": &r.Context.ReadExternal,
		"change.target_space_key": &r.Change.TargetSpaceKey, "change.target_parent_id": &r.Change.TargetParentID,
		"change.title": &r.Change.Title, "change.media_type": &r.Change.MediaType, "change.body_bytes": &r.Change.BodyBytes,
		"change.added_bytes": &r.Change.AddedBytes, "change.removed_bytes": &r.Change.RemovedBytes,
		"change.removed_ratio": &r.Change.RemovedRatio, "change.macros_added": &r.Change.MacrosAdded,
		"change.external_hosts_added": &r.Change.ExternalHostsAdded,
	}
	out := make(map[string]reflect.Value, len(pointers))
	for name, pointer := range pointers {
		out[name] = reflect.ValueOf(pointer).Elem()
	}
	return out
}

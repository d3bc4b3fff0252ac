package strictyaml

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// fault is what a schema holds against the value at a path.
type fault struct {
	path []string
	text string
	keys []string // that nothing names; text is empty then
}

// check collects the faults of a value.
type check struct {
	quote bool // a value that does not match may be shown
	found []fault
}

func (c *check) add(path []string, format string, args ...any) {
	c.found = append(c.found, fault{path: slices.Clone(path), text: fmt.Sprintf(format, args...)})
}

// of judges a value. A value of the wrong type has no other faults.
func (c *check) of(r *rule, path []string, value any) {
	if r.ref != nil {
		c.of(r.ref, path, value)
	}
	if !c.typed(r, path, value) {
		return
	}
	if r.Const != nil && !same(r.Const, value) {
		c.add(path, "value must be %s", shown(r.Const))
	}
	if r.Enum != nil && !slices.ContainsFunc(r.Enum, func(e any) bool { return same(e, value) }) {
		c.enum(r, path)
	}
	c.inside(r, path, value)
	if r.If != nil && r.Then != nil {
		fits := check{}
		if fits.of(r.If, path, value); len(fits.found) == 0 {
			c.of(r.Then, path, value)
		}
	}
}

// typed judges the type of a value. A whole number is a number too.
func (c *check) typed(r *rule, path []string, value any) bool {
	kind := kindOf(value)
	if r.Type == "" || r.Type == kind || r.Type == "number" && kind == "integer" {
		return true
	}
	if kind == "integer" {
		kind = "number"
	}
	c.add(path, "got %s, want %s", kind, r.Type)
	return false
}

// inside judges what a rule asks of the value's own type.
func (c *check) inside(r *rule, path []string, value any) {
	switch v := value.(type) {
	case string:
		c.text(r, path, v)
	case int64:
		c.number(r, path, float64(v))
	case float64:
		c.number(r, path, v)
	case []any:
		c.list(r, path, v)
	case map[string]any:
		c.object(r, path, v)
	}
}

func (c *check) enum(r *rule, path []string) {
	words := make([]string, 0, len(r.Enum))
	for _, e := range r.Enum {
		words = append(words, shown(e))
	}
	c.add(path, "value must be one of %s", strings.Join(words, ", "))
}

func (c *check) text(r *rule, path []string, v string) {
	if r.MinLength != nil || r.MaxLength != nil {
		c.size(path, utf8.RuneCountInString(v), bound{"minLength", r.MinLength}, bound{"maxLength", r.MaxLength})
	}
	if r.match == nil || r.match().MatchString(v) {
		return
	}
	if !c.quote && r.Description != "" {
		c.add(path, "the value does not have the form %s (%s)", r.Pattern, r.Description)
		return
	}
	if !c.quote {
		c.add(path, "the value does not have the form %s", r.Pattern)
		return
	}
	c.add(path, "%s does not match pattern %s", shown(v), shown(r.Pattern))
}

// bound is a limit on a size by its keyword; nil limits nothing.
type bound struct {
	keyword string
	limit   *int
}

func (c *check) size(path []string, n int, least, most bound) {
	if least.limit != nil && n < *least.limit {
		c.add(path, "%s: got %d, want %d", least.keyword, n, *least.limit)
	}
	if most.limit != nil && n > *most.limit {
		c.add(path, "%s: got %d, want %d", most.keyword, n, *most.limit)
	}
}

func (c *check) number(r *rule, path []string, v float64) {
	if r.Minimum != nil && v < *r.Minimum {
		c.add(path, "minimum: got %s, want %s", shown(v), shown(*r.Minimum))
	}
	if r.Maximum != nil && v > *r.Maximum {
		c.add(path, "maximum: got %s, want %s", shown(v), shown(*r.Maximum))
	}
	if r.ExclusiveMinimum != nil && v <= *r.ExclusiveMinimum {
		c.add(path, "exclusiveMinimum: got %s, want %s", shown(v), shown(*r.ExclusiveMinimum))
	}
}

func (c *check) list(r *rule, path []string, v []any) {
	if len(v) == 0 && r.MinItems != nil && *r.MinItems > 0 && r.Description != "" {
		c.add(path, "the list is empty (%s)", r.Description)
	} else {
		c.size(path, len(v), bound{"minItems", r.MinItems}, bound{"maxItems", r.MaxItems})
	}
	for i := range v {
		if r.UniqueItems {
			if j := slices.IndexFunc(v[:i], func(before any) bool { return same(before, v[i]) }); j >= 0 {
				c.add(path, "items at %d and %d are equal", j, i)
			}
		}
		if r.Items != nil {
			c.of(r.Items, append(path, strconv.Itoa(i)), v[i])
		}
	}
}

func (c *check) object(r *rule, path []string, v map[string]any) {
	c.size(path, len(v), bound{}, bound{"maxProperties", r.MaxProperties})
	var missing []string
	for _, key := range r.Required {
		if _, there := v[key]; !there {
			missing = append(missing, "'"+key+"'")
		}
	}
	switch len(missing) {
	case 0:
	case 1:
		c.add(path, "missing property %s", missing[0])
	default:
		c.add(path, "missing properties %s", strings.Join(missing, ", "))
	}
	var unknown []string
	for _, key := range slices.Sorted(maps.Keys(v)) {
		switch named := r.Properties[key]; {
		case named != nil:
			c.of(named, append(path, key), v[key])
		case r.AdditionalProperties == nil:
		case r.AdditionalProperties.of == nil:
			unknown = append(unknown, key)
		default:
			c.of(r.AdditionalProperties.of, append(path, key), v[key])
		}
	}
	if unknown != nil {
		c.found = append(c.found, fault{path: slices.Clone(path), keys: unknown})
	}
}

// kindOf is what JSON Schema calls the type of a value.
func kindOf(value any) string {
	switch v := value.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	case int64:
		return "integer"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
		return "number"
	}
	return "null"
}

// same compares values as JSON does: 1 and 1.0 are one number.
func same(a, b any) bool { return reflect.DeepEqual(plain(a), plain(b)) }

func plain(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, one := range v {
			out[key] = plain(one)
		}
		return out
	}
	return v
}

func shown(v any) string {
	switch v := v.(type) {
	case string:
		return "'" + v + "'"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

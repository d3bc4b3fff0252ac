package tools

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"confluence-mcp/internal/markup"
)

// rule is what an argument must look like. It is read off the argument struct:
// the JSON name and optionality from the json tag, the rest from the tag `is`,
// a comma-separated list of a format name, enum=a|b, min=N and max=N, and from
// the tags next and jsonschema, a sentence each. Numbers bound the value of an integer, the
// characters of a string and the entries of a list.
type rule struct {
	kind     string // string, integer, boolean, array, object; empty: none that tools take or give
	format   string
	enum     []string
	min, max int
	required bool
	items    *rule
	fields   map[string]*rule
	order    []string
	takes    func(obj map[string]any) []string // the fields that go together; nil: all
	next     string                            // what to do when it is missing or empty; empty: an example
	about    string                            // what the schema says of it
}

// Bounds of arguments that say nothing else.
const (
	maxString = 1000
	maxList   = 100
	// maxEditText bounds the text of one edit.
	maxEditText = 200_000
)

func ruleOf(t reflect.Type, tag string) *rule {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	r := &rule{}
	switch {
	case t.Kind() == reflect.Slice:
		r.kind, r.items = "array", ruleOf(t.Elem(), tag)
		r.max, tag = maxList, ""
		if t.Elem() == reflect.TypeFor[markup.Edit]() {
			r.max = markup.MaxEdits
		}
	case t.Kind() == reflect.Struct:
		r.kind, r.fields = "object", map[string]*rule{}
		r.addFields(t)
		if t == reflect.TypeFor[markup.Edit]() {
			r.beEdit()
		}
	case t.Kind() == reflect.Bool:
		r.kind = "boolean"
	case t.Kind() == reflect.String:
		r.kind, r.max = "string", maxString
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		r.kind, r.max = "integer", 1<<53
	}
	r.apply(tag)
	return r
}

// beEdit adds what the content engine's own struct cannot say in tags.
func (r *rule) beEdit() {
	r.fields["op"].enum = editOps()
	r.takes = func(obj map[string]any) []string {
		op, _ := obj["op"].(string)
		return markup.EditFields(op)
	}
	for _, long := range []string{"find", "replace", "markdown"} {
		r.fields[long].max = maxEditText
	}
}

func (r *rule) addFields(t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			r.addFields(f.Type)
			continue
		}
		if !f.IsExported() {
			continue
		}
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		child := ruleOf(f.Type, f.Tag.Get("is"))
		child.next, child.about = f.Tag.Get("next"), f.Tag.Get("jsonschema")
		child.required = !strings.Contains(opts, "omitempty")
		r.fields[name] = child
		r.order = append(r.order, name)
	}
}

func (r *rule) apply(tag string) {
	for part := range strings.SplitSeq(tag, ",") {
		key, value, isPair := strings.Cut(part, "=")
		n, _ := strconv.Atoi(value)
		switch {
		case key == "enum":
			r.enum = strings.Split(value, "|")
		case key == "min":
			r.min = n
		case key == "max":
			r.max = n
		case !isPair && key != "":
			r.format = key
		}
	}
}

// check finds the first thing wrong with v; path names it for the caller.
func (r *rule) check(path string, v any) error {
	switch r.kind {
	case "string":
		s, ok := v.(string)
		if !ok {
			return r.wrongType(path, v)
		}
		return r.checkString(path, s)
	case "integer":
		return r.checkInteger(path, v)
	case "boolean":
		if _, ok := v.(bool); !ok {
			return r.wrongType(path, v)
		}
	case "array":
		return r.checkArray(path, v)
	case "object":
		return r.checkObject(path, v)
	}
	return nil
}

func (r *rule) checkString(path, s string) error {
	n := utf8.RuneCountInString(s)
	switch {
	case r.enum != nil && !slices.Contains(r.enum, s):
		return invalid("invalid", fmt.Sprintf("%s is %s, which is not one of %s.", path, quoteShort(s), strings.Join(r.enum, ", ")),
			fmt.Sprintf("Send for example %s: %q.", path, r.enum[0]))
	case r.enum == nil && strings.TrimSpace(s) == "" && r.min > 0:
		return invalid("invalid", path+" is empty.", r.example(path))
	case n > r.max:
		return invalid("invalid", fmt.Sprintf("%s has %d characters; at most %d are allowed.", path, n, r.max), "Send a shorter value.")
	}
	return checkFormat(r.format, path, s)
}

func (r *rule) checkInteger(path string, v any) error {
	num, ok := v.(json.Number)
	if !ok {
		return r.wrongType(path, v)
	}
	n, err := strconv.Atoi(num.String())
	if err != nil || n < r.min || n > r.max {
		return invalid("invalid", fmt.Sprintf("%s is %s; it must be a whole number from %d to %d.", path, quoteShort(num.String()), r.min, r.max), r.example(path))
	}
	return nil
}

func (r *rule) checkArray(path string, v any) error {
	list, ok := v.([]any)
	if !ok {
		return r.wrongType(path, v)
	}
	if len(list) > r.max {
		return invalid("invalid", fmt.Sprintf("%s has %d entries; at most %d are allowed.", path, len(list), r.max), "Split the call.")
	}
	for i, e := range list {
		if err := r.items.check(fmt.Sprintf("%s[%d]", path, i), e); err != nil {
			return err
		}
	}
	return nil
}

func (r *rule) checkObject(path string, v any) error {
	obj, ok := v.(map[string]any)
	if !ok {
		return r.wrongType(cmp.Or(path, "arguments"), v)
	}
	if err := r.checkNames(path, obj); err != nil {
		return err
	}
	for _, name := range r.order {
		child := r.fields[name]
		v, given := obj[name]
		if !given && child.required {
			return invalid("missing", join(path, name)+" is required and missing.", child.example(join(path, name)))
		}
		if given {
			if err := child.check(join(path, name), v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *rule) checkNames(path string, obj map[string]any) error {
	var takes []string
	if r.takes != nil {
		takes = r.takes(obj)
	}
	for _, name := range slices.Sorted(maps.Keys(obj)) {
		if takes != nil && name != "op" && !slices.Contains(takes, name) {
			return invalid("unknown_argument", fmt.Sprintf("%s is no field of %s.", quoteShort(join(path, name)), obj["op"]),
				fmt.Sprintf("%s takes %s.", obj["op"], strings.Join(takes, ", ")))
		}
		if r.fields[name] == nil {
			return r.unknown(join(path, name), name)
		}
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (r *rule) unknown(path, name string) error {
	next := "Leave it out; allowed are " + strings.Join(r.order, ", ") + "."
	if len(r.order) == 0 {
		next = "This tool takes no arguments; send {}."
	}
	for _, known := range r.order {
		if strings.EqualFold(strings.ReplaceAll(known, "_", ""), strings.ReplaceAll(name, "_", "")) {
			next = "It is written " + known + "."
		}
	}
	return invalid("unknown_argument", quoteShort(path)+" is not an argument of this tool.", next)
}

func (r *rule) wrongType(path string, v any) error {
	if v == nil {
		return invalid("type", fmt.Sprintf("%s is null; it must be %s.", path, r.article()), "Leave the argument out when there is no value.")
	}
	return invalid("type", fmt.Sprintf("%s is %s; it must be %s.", path, kindOf(v), r.article()), r.example(path))
}

func (r *rule) article() string {
	switch r.kind {
	case "integer", "array", "object":
		return "an " + r.kind
	default:
		return "a " + r.kind
	}
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return "a boolean"
	case []any:
		return "an array"
	default:
		return "an object"
	}
}

// example is the next step that shows a value that would be taken.
func (r *rule) example(path string) string {
	if r.next != "" {
		return r.next
	}
	return "Send for example " + path + ": " + r.sample() + "."
}

func (r *rule) sample() string {
	switch r.kind {
	case "integer":
		return strconv.Itoa(max(r.min, min(r.max, 10)))
	case "boolean":
		return "true"
	case "array":
		return "[" + r.items.sample() + "]"
	case "object":
		return `{…}`
	}
	if r.enum != nil {
		return strconv.Quote(r.enum[0])
	}
	return strconv.Quote(formatSample(r.format))
}

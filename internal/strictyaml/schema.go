package strictyaml

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
)

// rule is a schema, or a part of one: the keywords of JSON Schema (draft
// 2020-12) that schemas of hand-written files need. A schema with any other
// keyword does not compile. A validator of everything is not used for this:
// compiling two schemas with it, and judging the profiles, took a tenth of the
// program's start.
type rule struct {
	Schema      string `json:"$schema"`
	ID          string `json:"$id"`
	Title       string `json:"title"`
	Description string `json:"description"`

	Type                 string           `json:"type"`
	Const                any              `json:"const"`
	Enum                 []any            `json:"enum"`
	Pattern              string           `json:"pattern"`
	MinLength            *int             `json:"minLength"`
	MaxLength            *int             `json:"maxLength"`
	Minimum              *float64         `json:"minimum"`
	Maximum              *float64         `json:"maximum"`
	ExclusiveMinimum     *float64         `json:"exclusiveMinimum"`
	MinItems             *int             `json:"minItems"`
	MaxItems             *int             `json:"maxItems"`
	UniqueItems          bool             `json:"uniqueItems"`
	Items                *rule            `json:"items"`
	MaxProperties        *int             `json:"maxProperties"`
	Required             []string         `json:"required"`
	Properties           map[string]*rule `json:"properties"`
	AdditionalProperties *extra           `json:"additionalProperties"`
	If                   *rule            `json:"if"`
	Then                 *rule            `json:"then"`
	Ref                  string           `json:"$ref"`
	Defs                 map[string]*rule `json:"$defs"`

	match func() *regexp.Regexp // of Pattern
	ref   *rule
}

// extra is what keys may hold that are not named: nothing, or what a rule says.
type extra struct {
	of *rule // nil: there are none
}

// UnmarshalJSON takes false or a schema.
func (e *extra) UnmarshalJSON(raw []byte) error {
	if string(raw) == "false" {
		return nil
	}
	e.of = &rule{}
	return strictly(raw, e.of)
}

func strictly(raw []byte, into *rule) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// bind finds what references lead to and checks patterns, everywhere below.
func (r *rule) bind(root *rule) error {
	switch r.Type {
	case "", "object", "array", "string", "integer", "number", "boolean":
	default:
		return fmt.Errorf("type %q", r.Type)
	}
	if r.Pattern != "" {
		if _, err := syntax.Parse(r.Pattern, syntax.Perl); err != nil {
			return err
		}
		r.match = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(r.Pattern) })
	}
	if r.Ref != "" {
		pointer, ok := strings.CutPrefix(r.Ref, "#")
		if r.ref = root.at(pointer); !ok || r.ref == nil {
			return fmt.Errorf("nothing is at %q", r.Ref)
		}
	}
	for _, below := range r.below() {
		if err := below.bind(root); err != nil {
			return err
		}
	}
	return nil
}

func (r *rule) below() []*rule {
	var out []*rule
	for _, one := range []*rule{r.Items, r.If, r.Then} {
		if one != nil {
			out = append(out, one)
		}
	}
	if r.AdditionalProperties != nil && r.AdditionalProperties.of != nil {
		out = append(out, r.AdditionalProperties.of)
	}
	for _, named := range []map[string]*rule{r.Properties, r.Defs} {
		for _, one := range named {
			out = append(out, one)
		}
	}
	return out
}

// at is the rule at a JSON pointer, nil for none.
func (r *rule) at(pointer string) *rule {
	steps := strings.Split(pointer, "/")[1:]
	for i := 0; i < len(steps) && r != nil; i++ {
		switch steps[i] {
		case "items":
			r = r.Items
		case "properties", "$defs":
			named := map[string]map[string]*rule{"properties": r.Properties, "$defs": r.Defs}[steps[i]]
			if i++; i == len(steps) {
				return nil
			}
			r = named[steps[i]]
		default:
			return nil
		}
	}
	return r
}

package tools

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
)

// maxShown is the largest bound a schema shows; greater ones are no help to a
// model.
const maxShown = 1_000

// inputSchema is the published schema of an argument struct: closed, compact,
// with enums and small bounds; lengths stay with the decoder, whose refusals
// explain them better than a schema does. It is written straight from the rule,
// because every start of the program does it: a tenth of the time that a
// library's tree of schemas takes.
func inputSchema(args *rule) json.RawMessage {
	var b bytes.Buffer
	if !args.describe(&b, "", true) {
		return nil
	}
	return b.Bytes()
}

// outputSchema is the published schema of a structured answer. An error answer
// conforms as well, so nothing at the top is required.
func outputSchema[Out any]() json.RawMessage {
	out := ruleOf(reflect.TypeFor[Out](), "")
	if out.kind != "object" {
		return nil
	}
	out.fields["error"] = ruleOf(reflect.TypeFor[failureBody](), "")
	out.order = append(out.order, "error")
	var b bytes.Buffer
	if !out.describe(&b, "", false) {
		return nil
	}
	return b.Bytes()
}

// describe writes the JSON Schema of what fits r, with a sentence about it; an
// absent value is left out, never null. It reports false when there is a type in
// it that no tool takes or gives.
func (r *rule) describe(b *bytes.Buffer, about string, require bool) bool {
	b.WriteString(`{"type":"` + r.kind + `"`)
	if r.enum != nil {
		writeList(b, "enum", r.enum)
	}
	whole := r.kind != ""
	switch {
	case r.kind == "integer" && r.max < maxShown:
		b.WriteString(`,"maximum":` + strconv.Itoa(r.max))
	case r.kind == "array":
		b.WriteString(`,"items":`)
		whole = r.items.describe(b, "", true)
	case r.kind == "object":
		whole = r.describeFields(b, require)
	}
	if about != "" {
		text, err := encode(about)
		b.WriteString(`,"description":` + string(text))
		whole = whole && err == nil
	}
	b.WriteByte('}')
	return whole
}

func (r *rule) describeFields(b *bytes.Buffer, require bool) bool {
	whole, between := true, `,"properties":{"`
	var required []string
	for _, name := range r.order {
		field := r.fields[name]
		b.WriteString(between + name + `":`)
		whole = field.describe(b, field.about, true) && whole
		if field.required && require {
			required = append(required, name)
		}
		between = `,"`
	}
	if len(r.order) > 0 {
		b.WriteByte('}')
	}
	if required != nil {
		writeList(b, "required", required)
	}
	b.WriteString(`,"additionalProperties":false`)
	return whole
}

// writeList writes names of the program's own, which need no escapes.
func writeList(b *bytes.Buffer, key string, names []string) {
	between := `,"` + key + `":["`
	for _, name := range names {
		b.WriteString(between + name)
		between = `","`
	}
	b.WriteString(`"]`)
}

package profile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// addSchema turns the schema's verdict into problems at the nodes it is about.
func (d *document) addSchema(root *yaml.Node, err error) {
	verdict, ok := err.(*jsonschema.ValidationError)
	if !ok {
		d.add(root, err.Error())
		return
	}
	d.addCause(root, verdict, message.NewPrinter(language.English))
	slices.SortStableFunc(d.problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	d.problems = slices.CompactFunc(d.problems, func(a, b Problem) bool {
		return a.Line == b.Line && a.Column == b.Column && a.Text == b.Text
	})
}

func (d *document) addCause(root *yaml.Node, v *jsonschema.ValidationError, p *message.Printer) {
	for _, c := range v.Causes {
		d.addCause(root, c, p)
	}
	if len(v.Causes) > 0 {
		return
	}
	at := find(root, v.InstanceLocation)
	where := strings.Join(v.InstanceLocation, ".")
	if extra, ok := v.ErrorKind.(*kind.AdditionalProperties); ok {
		for _, key := range extra.Properties {
			d.add(keyNode(at, key), fmt.Sprintf("unknown key %q", strings.TrimPrefix(where+"."+key, ".")))
		}
		return
	}
	text := v.ErrorKind.LocalizedString(p)
	if where != "" {
		text = where + ": " + text
	}
	d.add(at, text)
}

// find walks to the node at a path of keys and indexes; it stops at the last
// one that exists.
func find(n *yaml.Node, path []string) *yaml.Node {
	for _, step := range path {
		next := child(n, step)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

func child(n *yaml.Node, step string) *yaml.Node {
	if n.Kind == yaml.SequenceNode {
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i]
		}
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Kind == yaml.MappingNode && n.Content[i].Value == step {
			return n.Content[i+1]
		}
	}
	return nil
}

func keyNode(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Kind == yaml.MappingNode && n.Content[i].Value == key {
			return n.Content[i]
		}
	}
	return n
}

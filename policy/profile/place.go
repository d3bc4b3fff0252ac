package profile

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"confluence-mcp/internal/strictyaml"
)

const toolPrefix = "confluence_"

// place remembers where rules and tests stand, and completes tool names.
func (d *document) place(root *yaml.Node, file *File) {
	lines := strings.Split(string(d.text), "\n")
	for i := range file.Rules {
		r := &file.Rules[i]
		n := strictyaml.Find(root, "rules", strconv.Itoa(i), "when")
		r.WhenAt = position(n, lines)
		for j, tool := range r.Match.Tools {
			r.Match.Tools[j] = fullName(tool)
			at := strictyaml.Find(root, "rules", strconv.Itoa(i), "match", "tools", strconv.Itoa(j))
			r.Match.ToolsAt = append(r.Match.ToolsAt, position(at, lines))
		}
	}
	for i := range file.Tests {
		n := strictyaml.Find(root, "tests", strconv.Itoa(i))
		file.Tests[i].At = position(n, lines)
		file.Tests[i].Given.Tool = fullName(file.Tests[i].Given.Tool)
	}
}

func fullName(tool string) string {
	if strings.HasPrefix(tool, toolPrefix) {
		return tool
	}
	return toolPrefix + tool
}

// position is where a node's own text begins.
func position(n *yaml.Node, lines []string) Position {
	p := Position{Line: n.Line, Column: n.Column}
	switch n.Style {
	case yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle:
		p.Column++
	case yaml.LiteralStyle:
		if n.Line < len(lines) {
			first := lines[n.Line]
			p.indent = len(first) - len(strings.TrimLeft(first, " "))
		}
	}
	return p
}

// checkRules holds what a schema cannot say: ids are unique, and tests name
// rules and tools that mean something.
func (d *document) checkRules(root *yaml.Node, file *File) {
	seen := map[string]bool{}
	for i, r := range file.Rules {
		if seen[r.ID] {
			d.add(strictyaml.Find(root, "rules", strconv.Itoa(i), "id"), fmt.Sprintf("rule id %q is used twice", r.ID))
		}
		seen[r.ID] = true
	}
	for i, t := range file.Tests {
		at := strictyaml.Find(root, "tests", strconv.Itoa(i))
		if _, _, ok := Cell(t.Given.Tool); !ok && (t.Given.Group == "" || t.Given.Action == "") {
			d.add(strictyaml.Find(at, "given", "tool"), fmt.Sprintf("the name of tool %q does not say what it does; give group and action", t.Given.Tool))
		}
		if t.Expect.Rule != "" && !seen[t.Expect.Rule] {
			d.add(strictyaml.Find(at, "expect", "rule"), fmt.Sprintf("there is no rule %q", t.Expect.Rule))
		}
	}
}

// Cell works out a tool's group and least action from its name, which is
// confluence_verb_noun; the prefix may be missing. It reports false for a name
// that does not follow the pattern.
func Cell(tool string) (group, action string, ok bool) {
	verb, noun, _ := strings.Cut(strings.TrimPrefix(tool, toolPrefix), "_")
	switch {
	case verb == "search" && noun == "":
		return "search", "read", true
	case verb == "undo" && noun == "":
		return "pages", "update", true // at least: what undoes a creation deletes
	}
	switch verb {
	case "get", "list", "search", "download":
		action = "read"
	case "create", "add", "upload":
		action = "create"
	case "update", "move":
		action = "update"
	case "delete", "remove":
		action = "delete"
	}
	switch noun {
	case "page", "pages", "page_history", "page_diff", "comment", "comments", "label", "labels":
		group = "pages"
	case "space", "spaces":
		group = "spaces"
	case "attachment", "attachments":
		group = "attachments"
	case "user", "users":
		group = "users"
	}
	return group, action, group != "" && action != ""
}

package tools

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/markup"
)

// view is how pages of a space are shown. Reading and writing back must use
// the same one, so it depends on the site and the space alone.
func (k *call) view(spaceKey string) markup.View {
	return markup.View{PageURL: func(space, title string) string {
		if space == "" {
			space = spaceKey
		}
		return k.info.BaseURL + "/display/" + url.PathEscape(space) + "/" + strings.ReplaceAll(url.PathEscape(title), "%20", "+")
	}}
}

// document parses stored content for showing. Content with a fault is shown as
// far as a tolerant reader gets.
func document(stored string) *markup.Document {
	d, err := markup.Parse(stored)
	if err != nil {
		return d // never nil; writing checks the fault itself
	}
	return d
}

func (k *call) markdown(stored, spaceKey string) string {
	return k.rendered(stored, spaceKey).Text
}

func (k *call) rendered(stored, spaceKey string) markup.Rendered {
	return document(stored).Markdown(k.view(spaceKey))
}

// visibleText is what readers of a page see, without marks, for finding a
// passage in it.
func (k *call) visibleText(stored string) string {
	var b strings.Builder
	for _, p := range document(stored).Passages(k.view("")) {
		b.WriteString(strings.Join(p.Path[max(0, len(p.Path)-1):], "") + "\n" + p.Text + "\n" + p.Code + "\n")
	}
	return b.String()
}

// markupError is an error of the content engine as a caller reads it.
func markupError(err error) error {
	var e *markup.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	message := e.Message
	if e.Line > 0 {
		message += fmt.Sprintf(" (line %d, column %d)", e.Line, e.Column)
	}
	if n := len(e.Candidates); n > 0 {
		message += ": " + strings.Join(e.Candidates[:min(n, 10)], "; ")
	}
	kind, code := confluence.Invalid, "input."+strings.TrimPrefix(e.Code, "markup.")
	switch e.Code {
	case "markup.conflict":
		kind, code = confluence.Conflict, ""
	case "markup.too_large":
		kind, code = confluence.Limited, "limit.too_large"
	case "markup.refused":
		code = "input.forbidden_content"
	}
	return &confluence.Error{Kind: kind, Code: code, Message: sentence(message), Next: sentence(e.Next), Err: err}
}

// sentence is s with a capital letter and a full stop.
func sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	return stopped(string(unicode.ToUpper(first)) + s[size:])
}

// stopped is s with a full stop. The first letter stays: it may be the name of
// an argument.
func stopped(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?") {
		return s
	}
	return s + "."
}

// blocksOf lists the blocks of a page with the handles that edits take.
func (k *call) blocksOf(stored, spaceKey string) (string, error) {
	blocks := document(stored).Markdown(k.named(spaceKey)).Blocks
	var b strings.Builder
	for _, one := range blocks {
		row, err := json.Marshal(one)
		if err != nil {
			return "", fmt.Errorf("list blocks: %w", err)
		}
		b.Write(append(row, '\n'))
	}
	return b.String(), nil
}

func (k *call) outlineOf(stored, spaceKey string) string {
	var b strings.Builder
	for _, h := range document(stored).Outline(k.named(spaceKey)) {
		fmt.Fprintf(&b, "%s %s (%d bytes, handle %s)\n", strings.Repeat("#", h.Level), h.Text, h.Size, h.Handle)
	}
	if b.Len() == 0 {
		return "(the page has no headings)\n"
	}
	return b.String()
}

// macrosAdded and hostsAdded compare two bodies for rules.
func macrosAdded(before, after markup.Inventory) []string {
	return added(slices.Sorted(maps.Keys(before.Macros)), slices.Sorted(maps.Keys(after.Macros)))
}

func hostsAdded(before, after markup.Inventory, home string) []string {
	return slices.DeleteFunc(added(slices.Sorted(maps.Keys(before.Hosts)), slices.Sorted(maps.Keys(after.Hosts))), func(h string) bool { return h == home })
}

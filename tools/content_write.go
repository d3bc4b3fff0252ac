package tools

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/markup"
)

// fromMarkdown turns Markdown into storage.
func fromMarkdown(md string) (string, error) {
	var b bytes.Buffer
	g := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithXHTML()))
	if err := g.Convert([]byte(unguard(md)), &b); err != nil {
		return "", fmt.Errorf("render markdown: %w", err)
	}
	return b.String(), nil
}

// unguard gives images back the form that [guard] took from them.
func unguard(md string) string { return strings.ReplaceAll(md, "[image: ", "![") }

// applyEdits makes the edits on the stored bytes.
func (k *call) applyEdits(confluence.Page, updatePageIn) (string, []string, error) {
	return "", nil, invalid("edits", "This server cannot apply edits yet.", "Send body instead.")
}

// writeMarkdown makes the stored body of a whole page in edited Markdown.
func (k *call) writeMarkdown(now confluence.Page, in updatePageIn) (string, []string, error) {
	stored, err := fromMarkdown(*in.Body)
	if err != nil {
		return "", nil, err
	}
	return stored, nil, lossError(now.Body, stored, in.AllowLoss)
}

// lossError refuses a body that holds less than its base of what was not named.
func lossError(base, result string, allowed []string) error {
	var names []string
	for _, l := range markup.Losses(base, result) {
		name := l.Name
		if name == "" {
			name = l.Kind
		}
		if !slices.Contains(allowed, name) && !slices.Contains(allowed, l.Kind) {
			names = append(names, fmt.Sprintf("%s (%d)", line(name), l.Count))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.loss", Message: "The new body would lose: " + strings.Join(names, ", ") + ".",
		Next: "Change the page with edits instead, or name in allow_loss what may go. Nothing was changed."}
}

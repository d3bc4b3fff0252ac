package tools

import (
	"fmt"
	"strings"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/markup"
)

// writing says how storage for a page of a space is written.
func (k *call) writing(spaceKey string, allowLoss []string) markup.Options {
	return markup.Options{View: k.view(spaceKey), DataCenter: k.info.Kind == confluence.DataCenter, AllowLoss: allowLoss,
		Page: func(address string) (space, title string, ok bool) {
			t, err := k.parseURL(address)
			return t.spaceKey, t.title, err == nil && t.title != ""
		}}
}

// unguard gives text back the form that [guard] took from it, so that what a
// caller copies from a page is what the page holds.
func unguard(md string) string {
	return strings.NewReplacer("[image: ", "![", "‹‹‹confluence", "<<<confluence", "›››confluence", ">>>confluence").Replace(md)
}

// fromMarkdown turns a new body in Markdown into storage.
func (k *call) fromMarkdown(md, spaceKey string) (string, error) {
	stored, err := markup.FromMarkdown(unguard(md), k.writing(spaceKey, nil))
	return stored, markupError(err)
}

// applyEdits makes the edits on the stored bytes, all or none.
func (k *call) applyEdits(now confluence.Page, in updatePageIn) (string, []string, error) {
	edits := make([]markup.Edit, len(in.Edits))
	for i, e := range in.Edits {
		e.Find, e.Replace, e.Markdown = unguard(e.Find), unguard(e.Replace), unguard(e.Markdown)
		edits[i] = e
	}
	r, err := markup.ApplyEdits(now.Body, edits, k.writing(now.SpaceKey, in.AllowLoss))
	return k.written(r, err)
}

// writeMarkdown writes a whole edited page back: what was not changed keeps
// its bytes, what would be lost and was not named is refused.
func (k *call) writeMarkdown(base, edited, spaceKey string, allowLoss []string) (string, []string, error) {
	r, err := markup.WriteMarkdown(base, unguard(edited), k.writing(spaceKey, allowLoss))
	return k.written(r, err)
}

func (k *call) written(r markup.Result, err error) (string, []string, error) {
	if err != nil {
		return "", nil, markupError(err)
	}
	var notes []string
	for _, n := range r.Notes {
		notes = append(notes, line(n))
	}
	for _, l := range r.Losses {
		notes = append(notes, fmt.Sprintf("Lost, as allowed: %s %s (%d).", l.Kind, line(l.Name), l.Count))
	}
	return r.Storage, notes, nil
}

// editOps are the operations of update_page's edits.
func editOps() []string {
	return []string{"replace_text", "replace_section", "append", "insert", "delete", "set_cell", "add_row", "set_task", "set_status", "set_property", "move"}
}

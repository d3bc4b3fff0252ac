package tools

import (
	"fmt"
	"slices"
	"strings"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/markup"
)

// writing says how storage for a page of a space is written.
func (k *call) writing(spaceKey string, allowLoss []string) markup.Options {
	return markup.Options{View: k.named(spaceKey), DataCenter: k.info.Kind == confluence.DataCenter, AllowLoss: allowLoss,
		Page: func(address string) (space, title string, ok bool) {
			t, err := k.parseURL(address)
			return t.spaceKey, t.title, err == nil && t.title != ""
		}}
}

// unguard gives text back the form that [guard] took from it, so that what a
// caller copies from a page is what the page holds.
func unguard(md string) string {
	return strings.NewReplacer("‹‹‹confluence", "<<<confluence", "›››confluence", ">>>confluence").Replace(movingImages(md))
}

// refuseMarks refuses a text that still carries the marks of an answer: a part
// of a page is no page.
func refuseMarks(name, text string) error {
	switch {
	case strings.Contains(text, cutMark):
		return invalid("cut", name+" has a place where characters were left out ("+strings.TrimSpace(cutMark)+").",
			"Read the rest with the cursor and take the mark out, or send edits instead of the whole page. Nothing was changed.")
	case strings.Contains(text, fenceOpen) || strings.Contains(text, fenceClose):
		return invalid("fence", name+" carries the marks that stand around content in answers ("+strings.TrimSpace(fenceOpen)+").",
			"Send what stands between the marks, without them. Nothing was changed.")
	}
	return nil
}

// fromMarkdown turns a new body in Markdown into storage.
func (k *call) fromMarkdown(md, spaceKey string) (string, error) {
	if err := refuseMarks("body", md); err != nil {
		return "", err
	}
	stored, err := markup.FromMarkdown(unguard(md), k.writing(spaceKey, nil))
	return stored, markupError(err)
}

// applyEdits makes the edits on the stored bytes, all or none.
func (k *call) applyEdits(base string, given []markup.Edit, spaceKey string, allowLoss []string) (markup.Result, error) {
	edits := make([]markup.Edit, len(given))
	for i, e := range given {
		if err := refuseMarks(fmt.Sprintf("edits[%d]", i), e.Replace+e.Markdown); err != nil {
			return markup.Result{}, err
		}
		e.Find, e.Replace, e.Markdown = unguard(e.Find), unguard(e.Replace), unguard(e.Markdown)
		edits[i] = e
	}
	r, err := markup.ApplyEdits(base, edits, k.writing(spaceKey, allowLoss))
	return r, markupError(err)
}

// writeMarkdown writes a whole edited page back: what was not changed keeps
// its bytes, what would be lost and was not named is refused.
func (k *call) writeMarkdown(base, edited, spaceKey string, allowLoss []string) (markup.Result, error) {
	if err := refuseMarks("body", edited); err != nil {
		return markup.Result{}, err
	}
	r, err := markup.WriteMarkdown(base, unguard(edited), k.writing(spaceKey, allowLoss))
	return r, markupError(err)
}

// maxTouched bounds how many blocks and losses a receipt lists.
const maxTouched = 50

// tell puts into the plan what the content engine says about a change.
func (p *plan) tell(r markup.Result) {
	for _, n := range r.Notes {
		p.notes = append(p.notes, line(n))
	}
	for _, l := range r.Losses[:min(len(r.Losses), maxTouched)] {
		p.notes = append(p.notes, "Lost, as allowed: "+line(l.String())+".")
		p.losses = append(p.losses, line(l.String()))
	}
	for _, b := range r.Touched[:min(len(r.Touched), maxTouched)] {
		p.touched = append(p.touched, touchedBlock{Handle: b.Handle, Kind: b.Kind, Text: clip(line(b.Text), 80)})
	}
}

// touchedBlock is a block of the page that a write changes.
type touchedBlock struct {
	Handle string `json:"handle"`
	Kind   string `json:"kind"`
	Text   string `json:"text,omitempty"`
}

// keepComments refuses to lose open comments on the text of a page that nobody
// named.
func keepComments(losses []markup.Loss, allowed []string) error {
	n := 0
	for _, l := range losses {
		if l.Kind == "comment" && !slices.Contains(allowed, "comment") && !slices.Contains(allowed, l.Name) {
			n += l.Count
		}
	}
	if n == 0 {
		return nil
	}
	return invalid("loss", fmt.Sprintf("The older text has no place for %d inline comments that were made since.", n),
		`Edit the page instead, or name "comment" in allow_loss. Nothing was changed.`)
}

// editOps are the operations of update_page's edits.
func editOps() []string {
	return []string{"replace_text", "replace_section", "append", "insert", "delete", "set_cell", "add_row", "set_task", "set_status", "set_property", "move"}
}

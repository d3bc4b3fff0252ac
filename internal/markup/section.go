package markup

import (
	"fmt"
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// section is a heading and what belongs to it: the blocks after it up to the
// next heading of its level or a higher one, never beyond the container the
// heading stands in.
func (p *page) section(h *block) []*block {
	kids := h.parent.kids
	at := 0
	for kids[at] != h {
		at++
	}
	end := at + 1
	cell := enclosingCell(h)
	for end < len(kids) {
		k := kids[end]
		if k.heading() && k.level <= h.level {
			break
		}
		if cell != nil && enclosingCell(k) != cell {
			break
		}
		end++
	}
	return kids[at:end]
}

// enclosingCell is the layout cell or column a block stands in.
func enclosingCell(b *block) *storage.Node {
	n := b.node
	if n == nil {
		return nil
	}
	for n = n.Parent; n != nil; n = n.Parent {
		if n.Name == "ac:layout-cell" || n.Name == "ac:rich-text-body" || n.Name == "div" {
			return n
		}
	}
	return nil
}

// fold makes headings comparable: lower case, single blanks.
func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// findSection finds a heading by handle, path or text.
func (p *page) findSection(ref string) (*block, error) {
	entries := p.entries()
	var steps []string
	for _, s := range strings.Split(ref, " > ") {
		steps = append(steps, fold(strings.TrimLeft(strings.TrimSpace(s), "#")))
	}
	var found []entry
	for _, e := range entries {
		if !e.block.heading() {
			continue
		}
		if e.handle == ref {
			return e.block, nil
		}
		if fold(p.visible(e.block)) == fold(strings.TrimLeft(ref, "# ")) || p.matchPath(e, steps) {
			found = append(found, e)
		}
	}
	if len(found) == 1 {
		return found[0].block, nil
	}
	return nil, p.headingError(ref, found, entries)
}

// matchPath tells whether the last step is the heading and the others occur,
// in order, among the headings above it.
func (p *page) matchPath(e entry, steps []string) bool {
	if fold(p.visible(e.block)) != steps[len(steps)-1] {
		return false
	}
	i := 0
	for _, above := range e.path {
		if i < len(steps)-1 && fold(above) == steps[i] {
			i++
		}
	}
	return i == len(steps)-1
}

// maxCandidates is how many places an error lists; the tools show as many.
const maxCandidates = 10

// headingError lists the headings that are meant, or all there are.
func (p *page) headingError(ref string, found, all []entry) *Error {
	err := fail("ambiguous", "Name one of them by its handle.", "%d headings match %q", len(found), cut(ref, 80))
	if len(found) == 0 {
		err = fail("not_found", "Name one of them, by its text or by the handle before it.", "no heading matches %q; the page has", cut(ref, 80))
		found = all
	}
	headings := 0
	for _, e := range found {
		if !e.block.heading() {
			continue
		}
		if headings++; headings <= maxCandidates {
			name := strings.Join(append(append([]string(nil), e.path...), p.visible(e.block)), " > ")
			err.Candidates = append(err.Candidates, e.handle+" "+cut(name, 120))
		}
	}
	switch {
	case headings == 0:
		err.Message, err.Next = fmt.Sprintf("no heading matches %q: the page has no headings", cut(ref, 80)), "Read or edit it without a section."
	case headings > maxCandidates:
		err.Next += fmt.Sprintf(" The outline of the page shows the other %d.", headings-maxCandidates)
	}
	return err
}

package markup

import (
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// Result is a planned write. Changed is false when there is nothing to send.
// Diff is a unified diff of the Markdown around what changed. Touched are the
// blocks of the base that changed; Losses what the result holds less of, all
// of it accepted; Notes what else the caller should know.
type Result struct {
	Storage string
	Changed bool
	Diff    string
	Touched []Block
	Losses  []Loss
	Notes   []string
}

// WriteMarkdown writes back Markdown that was edited from base as shown by
// opt.View: blocks that did not change keep their bytes, changed words are
// spliced in. Errors: every code of [Error] but not_found and conflict.
func WriteMarkdown(base, edited string, opt Options) (Result, error) {
	t := storage.Parse(base)
	if t.Fault != nil {
		return Result{}, faultError(t.Fault)
	}
	p := render(t, opt.View)
	if strings.TrimRight(edited, "\n") == strings.TrimRight(p.text, "\n") {
		return Result{Storage: base}, nil
	}
	if err := checkElision(p.text, edited, opt.AllowLoss); err != nil {
		return Result{}, err
	}
	shown, err := parseMarkdown(p.text)
	if err != nil {
		return Result{}, err
	}
	tie(shown, p.root)
	wanted, err := parseMarkdown(spread(strings.ReplaceAll(edited, "\r\n", "\n")))
	if err != nil {
		return Result{}, err
	}
	pl, ss, err := plan(p, shown, wanted, opt)
	if err != nil {
		return Result{}, err
	}
	return finishWrite(p, ss, pl.notes, opt)
}

// finishWrite applies the splices and holds the result against the guards.
func finishWrite(p *page, ss []splice, notes []string, opt Options) (Result, error) {
	base := p.tree.Source
	out := Result{Storage: applySplices(base, ss), Notes: notes}
	if out.Changed = out.Storage != base; !out.Changed {
		return out, nil
	}
	if err := Validate(out.Storage, base); err != nil {
		return Result{}, err
	}
	after := storage.Parse(out.Storage)
	out.Losses = lossesOf(takeInventory(p.tree), takeInventory(after))
	if err := guard(out.Losses, opt.AllowLoss); err != nil {
		return Result{}, err
	}
	out.Touched = p.touched(ss)
	out.Diff = diffAround(p.tree, after, opt.View)
	return out, nil
}

// touched lists the innermost blocks that splices lie in.
func (p *page) touched(ss []splice) []Block {
	var out []Block
	for _, e := range p.entries() {
		b := e.block
		if !b.leaf() {
			continue
		}
		for _, s := range ss {
			if b.changedBy(s) {
				out = append(out, Block{Handle: e.handle, Kind: b.name(), Level: int(b.level), Path: e.path, Text: cut(p.visible(b), 120), Start: int(b.md), End: int(b.mdEnd)})
				break
			}
		}
	}
	return out
}

// changedBy tells whether a splice reaches into a leaf. What is put in beside
// an element leaves it alone; beside bare text it may be part of it.
func (b *block) changedBy(s splice) bool {
	if b.node == nil && s.from == s.to {
		return b.src <= s.from && s.from <= b.srcEnd
	}
	return s.from < b.srcEnd && b.src < s.to
}

package tools_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/markup"
	"confluence-mcp/internal/markup/storage"
)

// everyMacro is a page with one block for every macro of the real documents,
// paragraphs, headings and tasks between them.
func everyMacro(t *testing.T) (page string, macros []string) {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", "corpus", "storage")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("LOUD: ../shared/corpus/storage is absent: NO PAGE WITH EVERY MACRO WAS EDITED")
	}
	seen := map[string]bool{}
	var b strings.Builder
	b.WriteString("<p>Opening words.</p>")
	var trees []*storage.Tree
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".xml") {
			return err
		}
		text, err := os.ReadFile(path)
		if tree := storage.Parse(string(text)); err == nil && tree.Fault == nil {
			trees = append(trees, tree)
		}
		return err
	}))
	for _, most := range []int{1000, 5000, 30_000} { // the page has to be read in one piece
		for _, tree := range trees {
			collectMacros(tree, most, seen, &b)
		}
	}
	for name := range seen {
		macros = append(macros, name)
	}
	slices.Sort(macros)
	return b.String(), macros
}

// collectMacros adds every block at the top, of at most so many bytes, that
// holds a macro not seen yet.
func collectMacros(tree *storage.Tree, most int, seen map[string]bool, b *strings.Builder) {
	for n := tree.Root.First; n != nil; n = n.Next {
		raw := tree.Raw(n)
		if n.Kind != storage.Element || len(raw) > most {
			continue
		}
		fresh := false
		d, _ := markup.Parse(raw)
		for name := range d.Inventory().Macros {
			fresh = fresh || !seen[name]
			seen[name] = true
		}
		if !fresh {
			continue
		}
		i := len(seen)
		fmt.Fprintf(b, `<h2>Part %d</h2><p>Plain wordno%d stands <strong>boldno%d</strong> here.</p>%s<ac:task-list><ac:task><ac:task-id>%d</ac:task-id><ac:task-status>incomplete</ac:task-status><ac:task-body>Taskno%d</ac:task-body></ac:task></ac:task-list>`, i, i, i, raw, 1000+i, i)
	}
}

// randomEdit is one change of a page and what the page must be afterwards.
type randomEdit struct {
	name string
	args args
	want func(is string) bool
}

type editing struct {
	t      *testing.T
	d      *desk
	id     string
	random *rand.Rand
	is     string // the stored page
	n      int
}

// uniqueWord picks a word of the text that stands once in what is stored and
// once in each way of showing it.
func (e *editing) uniqueWord(text, shown string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9') })
	for _, i := range e.random.Perm(len(words)) {
		if w := words[i]; len(w) > 4 && strings.Count(e.is, w) == 1 && strings.Count(text, w) == 1 && strings.Count(shown, w) == 1 {
			return w
		}
	}
	require.Fail(e.t, "no word stands once")
	return ""
}

// inserted reports whether a page became another by one insertion alone.
func inserted(was, is, text string) bool {
	i := 0
	for i < len(was) && i < len(is) && was[i] == is[i] {
		i++
	}
	n := len(is) - len(was)
	return n > 0 && is[i+n:] == was[i:] && strings.Contains(is, text) && !strings.Contains(was, text)
}

func (e *editing) next() randomEdit {
	page, err := markup.Parse(e.is)
	require.NoError(e.t, err)
	blocks := page.Markdown(markup.View{}).Blocks
	pick := func(kind string) markup.Block {
		some := slices.DeleteFunc(slices.Clone(blocks), func(b markup.Block) bool { return b.Kind != kind })
		require.NotEmpty(e.t, some, kind)
		return some[e.random.IntN(len(some))]
	}
	was, mark := e.is, fmt.Sprintf("Added%d", e.n)
	one := func(edit args) args { return args{"edits": []args{edit}} }
	switch e.random.IntN(5) {
	case 0:
		word := e.uniqueWord(visible(blocks), e.is)
		return randomEdit{"replace_text " + word, one(args{"op": "replace_text", "find": word, "replace": mark}), func(is string) bool { return is == strings.Replace(was, word, mark, 1) }}
	case 1:
		b, done := pick("task"), e.random.IntN(2) == 0
		return randomEdit{"set_task " + b.Text, one(args{"op": "set_task", "handle": b.Handle, "done": done}), func(is string) bool {
			to := map[bool]string{true: "complete", false: "incomplete"}[done]
			return strings.ReplaceAll(is, ">complete<", ">incomplete<") == strings.ReplaceAll(was, ">complete<", ">incomplete<") && (is == was || strings.Count(is, ">"+to+"<") == strings.Count(was, ">"+to+"<")+1)
		}}
	case 2:
		return randomEdit{"append", one(args{"op": "append", "markdown": mark + " at the end."}), func(is string) bool { return inserted(was, is, mark) }}
	case 3:
		b := pick("heading")
		return randomEdit{"insert after " + b.Text, one(args{"op": "insert", "after": b.Handle, "markdown": mark + " below a heading."}), func(is string) bool { return inserted(was, is, mark) }}
	}
	shown := e.shown()
	word := e.uniqueWord(visible(blocks), shown)
	return randomEdit{"Markdown write " + word, args{"body": strings.Replace(shown, word, mark, 1)}, func(is string) bool { return is == strings.Replace(was, word, mark, 1) }}
}

// shown is the page as Markdown, as a caller reads it.
func (e *editing) shown() string {
	_, out := e.d.ok("get_page", args{"page_id": e.id, "max_chars": 100_000})
	require.Equal(e.t, false, out["truncated"])
	text := out["content"].(string)
	return text[strings.IndexByte(text, '\n')+1 : strings.LastIndexByte(text, '\n')]
}

// visible is what edits look for text in: no marks, no addresses.
func visible(blocks []markup.Block) string {
	var b strings.Builder
	for _, block := range blocks {
		if block.Kind == "paragraph" || block.Kind == "heading" {
			b.WriteString(block.Text + "\n")
		}
	}
	return b.String()
}

// A page with every macro of the real documents survives a hundred edits of
// all kinds: each changes what it names and not a byte more.
func TestAPageWithEveryMacroSurvivesAHundredEdits(t *testing.T) {
	page, macros := everyMacro(t)
	d, site := emulated(t, "u-ann")
	line, err := json.Marshal(map[string]any{"kind": "content", "id": "7001", "type": "page", "space": "ENG", "parent": "1000", "title": "Every macro", "storage": page, "author": "u-ann"})
	require.NoError(t, err)
	site.Apply(string(line))
	e := &editing{t: t, d: d, id: "7001", random: rand.New(rand.NewPCG(4, 100)), is: page}
	version := 1
	kinds := map[string]int{}
	for e.n = range 100 {
		edit := e.next()
		edit.args["page_id"], edit.args["base_version"] = e.id, version
		_, out := d.ok("update_page", edit.args)
		p := d.stored(e.id)
		require.True(t, edit.want(p.Body), "edit %d, %s, changed something else:\n%s", e.n, edit.name, changedPart(e.is, p.Body))
		assert.Empty(t, markup.Losses(e.is, p.Body), edit.name)
		require.Equal(t, float64(p.Version.Number), out["version"])
		e.is, version = p.Body, p.Version.Number
		kinds[strings.Fields(edit.name)[0]]++
	}
	assert.Empty(t, markup.Losses(page, e.is))
	t.Logf("%d macros in %d bytes: %s; edits %v", len(macros), len(page), strings.Join(macros, " "), kinds)
	assert.Greater(t, len(macros), 30)
	assert.Len(t, kinds, 5)
}

// changedPart is where two texts differ.
func changedPart(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	j := 0
	for j < len(a)-i && j < len(b)-i && a[len(a)-1-j] == b[len(b)-1-j] {
		j++
	}
	return fmt.Sprintf("at %d: %.300q became %.300q", i, a[i:len(a)-j], b[i:len(b)-j])
}

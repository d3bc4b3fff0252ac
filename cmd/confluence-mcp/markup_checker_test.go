package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checker is a judge that does not share a line with the engine: the program
// in ../shared/tools/roundtrip, built outside the project, and the documents
// it judges by.
type checker struct {
	t       *testing.T
	program string
	corpus  string // stored documents
	made    string // what the commands make of them
	storage map[string]string
	shown   map[string]string // as Markdown
	broken  int               // documents that are shown and refused for editing
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	shared := filepath.Join("..", "..", "..", "shared")
	source, err := filepath.Abs(filepath.Join(shared, "tools", "roundtrip"))
	require.NoError(t, err)
	c := &checker{t: t, corpus: filepath.Join(shared, "corpus", "storage"), made: t.TempDir(), storage: map[string]string{}, shown: map[string]string{}}
	for _, needed := range []string{source, c.corpus} {
		if _, err := os.Stat(needed); err != nil {
			t.Skipf("LOUD: ../shared/tools/roundtrip or ../shared/corpus/storage is absent (%v): THE ENGINE WAS NOT HELD AGAINST THE CHECKER", err)
		}
	}
	c.program = filepath.Join(t.TempDir(), "rtcheck")
	build := exec.Command("go", "build", "-o", c.program, "./cmd/rtcheck")
	build.Dir = source
	out, err := build.CombinedOutput()
	require.NoError(t, err, "building the checker: %s", out)
	require.NoError(t, filepath.WalkDir(c.corpus, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".xml") {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(c.corpus, path)
		c.storage[name] = string(b)
		return err
	}))
	require.NotEmpty(t, c.storage)
	return c
}

func (c *checker) run(args ...string) string {
	c.t.Helper()
	cmd := exec.Command(c.program, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(c.t, err, "rtcheck %s", args[0])
	return string(out)
}

// put keeps a file below a folder of what was made.
func (c *checker) put(folder, name, text string) {
	c.t.Helper()
	path := filepath.Join(c.made, folder, name)
	require.NoError(c.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(c.t, os.WriteFile(path, []byte(text), 0o600))
}

func (c *checker) dir(folder string) string { return filepath.Join(c.made, folder) }

// The bars of the checker, through the commands that a person would use.
func TestTheCheckerPassesTheMarkupCommands(t *testing.T) {
	c := newChecker(t)
	c.read()
	t.Run("reading", c.score)
	t.Run("writing nothing changes nothing", c.noop)
	t.Run("edits", c.edits)
}

// read shows every document; one that is broken is shown with a warning.
func (c *checker) read() {
	for _, name := range slices.Sorted(maps.Keys(c.storage)) {
		md, warning, err := runMarkup(c.t, c.storage[name], "to-markdown")
		require.NoError(c.t, err, name)
		c.shown[name] = md
		c.put("md", strings.TrimSuffix(name, ".xml")+".md", md)
		if warning != "" {
			c.broken++
			continue
		}
		c.put("whole", name, c.storage[name])
	}
}

func (c *checker) score(t *testing.T) {
	table := c.run("score", "-storage", c.corpus, "-md", c.dir("md"))
	t.Logf("\n%s", table)
	for name, least := range leastScores() {
		i := strings.Index(table, "\n"+name+" ")
		require.GreaterOrEqual(t, i, 0, "no line %q", name)
		percent, err := strconv.ParseFloat(strings.TrimSuffix(strings.Fields(table[i+1+len(name):])[0], "%"), 64)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, percent, least, name)
	}
	assert.Contains(t, table, fmt.Sprintf("not well-formed and skipped %d, without Markdown 0", c.broken), "what is broken is agreed upon")
}

// leastScores are the bars for reading, in percent: what is reached, on documents
// that do not change. What keeps them below 100, where somebody has looked:
// words are the names of macros and links that the reader shows by a sign of
// its own; between words in order stand tags such as [!NOTE]; a callout in a
// cell is shown with its tag and a table in a cell as a line; one language and
// two emoji are in a spelling the checker does not know.
func leastScores() map[string]float64 {
	return map[string]float64{
		"text recall, mean of documents": 99.92, "documents with full text recall": 97.41, "text recall, all words": 99.72, "order recall (3-grams)": 96.49,
		"headings (level and text)": 100, "headings (text only)": 100, "code blocks, exact": 100, "code language kept": 99.85, "code in tables, exact": 100,
		"links: URL": 100, "links: page": 100, "links: attachment": 100, "user mentions (id present)": 100, "images": 100, "table cells": 97.45,
		"tables with all rows": 99.76, "tasks (state and text)": 100, "bodiless macros mentioned": 100, "emoji": 98.4, "Markdown without problems": 100,
	}
}

func (c *checker) noop(t *testing.T) {
	for name, md := range c.shown {
		if _, err := os.Stat(filepath.Join(c.dir("whole"), name)); err != nil {
			continue
		}
		out, _, err := runMarkup(t, md, "apply", "--base", filepath.Join(c.corpus, name))
		require.NoError(t, err, name)
		c.put("noop", name, out)
	}
	result := c.run("noop", "-storage", c.dir("whole"), "-out", c.dir("noop"), "-v")
	t.Log(result)
	assert.Contains(t, result, fmt.Sprintf("documents %d byte-identical %d (100.0%%)", len(c.shown)-c.broken, len(c.shown)-c.broken))
}

// edits changes one word at a time on both ways of writing.
func (c *checker) edits(t *testing.T) {
	plan := c.run("plan", "-storage", c.corpus)
	c.put(".", "plan.jsonl", plan)
	nth := map[string]int{}
	n := 0
	for l := range strings.Lines(plan) {
		var e struct{ Doc, Old, New string }
		require.NoError(t, json.Unmarshal([]byte(l), &e))
		result := fmt.Sprintf("%s.%d.xml", e.Doc, nth[e.Doc])
		nth[e.Doc]++
		n++
		op, err := json.Marshal([]map[string]string{{"op": "replace_text", "find": e.Old, "replace": e.New}})
		require.NoError(t, err)
		out, _, err := runMarkup(t, c.storage[e.Doc], "edit", "--edits", textFile(t, string(op)))
		if assert.NoError(t, err, "%s: %s", e.Doc, e.Old) {
			c.put("replaced", result, out)
		}
		out, _, err = runMarkup(t, strings.Replace(c.shown[e.Doc], e.Old, e.New, 1), "apply", "--base", filepath.Join(c.corpus, e.Doc))
		if assert.NoError(t, err, "%s: %s", e.Doc, e.Old) {
			c.put("written", result, out)
		}
	}
	require.Positive(t, n)
	for way, folder := range map[string]string{"replace_text": "replaced", "Markdown write": "written"} {
		result := c.run("edit", "-storage", c.corpus, "-plan", filepath.Join(c.made, "plan.jsonl"), "-out", c.dir(folder), "-v")
		t.Logf("%s: %s", way, result)
		assert.Contains(t, result, fmt.Sprintf("edits %d missing 0 applied %d (100.0%%) local %d (100.0%%) minimal %d (100.0%%)", n, n, n, n), way)
	}
}

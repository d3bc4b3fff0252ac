package layers_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "confluence-mcp"

// allowed is the import table: what each package may import of this module,
// outside its tests. A package that is not here fails the test.
var allowed = map[string][]string{
	// level 0: nouns and pure engines
	"internal/confluence": {},
	"internal/identity":   {},
	"internal/seal":       {"internal/confluence"},
	"internal/redact":     {},
	"internal/reach":      {},
	"internal/strictyaml": {},
	"internal/owner":      {},
	"internal/demo":       {},
	"internal/layers":     {},
	"internal/madeup":     {},
	"policies":            {},

	// level 1: one subject each
	"policy":                   {"internal/identity", "policy/profile", "policy/rule"},
	"internal/audit":           {"internal/identity"},
	"internal/approval":        {"internal/confluence", "internal/identity", "internal/reach"},
	"internal/config":          {"internal/confluence", "internal/reach", "internal/seal", "internal/strictyaml"},
	"internal/confluence/rest": {"internal/confluence", "internal/seal"},

	// level 2: who may see what is stored
	"store/guard":  {"internal/confluence", "internal/identity"},
	"store/schema": {"internal/confluence"},
	"store/mirror": {"store/guard", "store/schema", "internal/confluence", "internal/identity"},

	// level 2: what stores and what offers
	"store":       {"store/schema", "internal/confluence", "internal/identity", "internal/audit", "internal/approval", "internal/oauth", "internal/seal"},
	"store/index": {"store/guard", "store/mirror", "internal/confluence", "internal/identity"},
	"tools":       {"internal/confluence", "internal/identity", "internal/markup", "policy", "policy/taint", "internal/audit", "internal/approval"},

	// level 2: what fills the mirror; guard is only the vocabulary of rights
	"ingest": {"store/guard", "internal/confluence", "internal/identity", "internal/markup"},

	// level 2: who is connected, and how
	"internal/oauth": {"internal/confluence", "internal/seal"},
	"internal/oidc":  {"internal/confluence", "internal/identity", "internal/reach"},

	// level 3: what answers from the mirror
	"internal/retrieve": {"store/guard", "store/mirror", "store/index", "internal/confluence", "internal/identity", "internal/markup"},
	"internal/mirrored": {"tools", "internal/retrieve", "store/guard", "store/mirror", "internal/confluence", "internal/identity", "internal/markup"},

	// level 3: what is connected
	"internal/connections": {"tools", "ingest", "internal/confluence", "internal/confluence/rest", "internal/identity", "internal/seal", "internal/retrieve", "store/guard", "store/mirror"},
	"internal/registry":    {"internal/connections", "internal/confluence", "internal/seal", "store", "store/guard"},
	"internal/api":         {"internal/registry", "internal/connections", "ingest", "tools", "internal/confluence", "internal/identity", "internal/retrieve"},

	// level 3: what speaks MCP
	"server": {"tools", "internal/identity", "internal/confluence", "internal/redact", "policy"},
}

// trees are packages whose sub-packages share one rule: they may import each
// other and what is listed, and nothing else.
var trees = map[string][]string{
	// An emulator that shares code with the client proves nothing.
	"internal/emulator": {},
	"internal/markup":   {},
	"policy":            {"internal/identity", "internal/strictyaml"},
}

// forbidden are the edges that would undo the design, each with its reason.
var forbidden = []struct{ from, to, reason string }{
	{"tools", "store", "handlers must be testable with fakes"},
	{"tools", "internal/confluence/rest", "handlers must be testable with fakes"},
	{"ingest", "store/mirror", "a sync must be testable with fakes"},
	{"ingest", "store/index", "a sync must be testable with fakes"},
	{"ingest", "internal/confluence/rest", "a sync must be testable with fakes"},
	{"store", "policy", "the filter is data, not a decision"},
	{"store", "internal/confluence/rest", "the store does not fetch"},
	{"store", "tools", "tools declare what they need of the store"},
	{"policy", "internal/confluence", "a profile can be judged offline"},
	{"internal/emulator", "internal/confluence/rest", "an emulator that shares code with the client proves nothing"},
	{"", "server", "only commands start servers"},
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	require.FailNow(t, "no go.mod above the test")
	return ""
}

// source is one parsed file.
type source struct {
	pkg  string // path inside the module
	name string // path of the file
	file *ast.File
	fset *token.FileSet
	text []byte
}

func (s source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

// sources parses every Go file of the module but testdata.
func sources(t *testing.T) []source {
	t.Helper()
	top := root(t)
	var out []source
	err := fs.WalkDir(os.DirFS(top), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if d.IsDir() || path.Ext(p) != ".go" {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(top, p))
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, text, parser.ParseComments)
		if err != nil {
			return err
		}
		out = append(out, source{pkg: path.Dir(p), name: p, file: f, fset: fset, text: text})
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, out)
	return out
}

// ours gives the packages of this module a file imports.
func ours(f *ast.File) []string {
	var out []string
	for _, i := range f.Imports {
		if p, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module+"/"); ok {
			out = append(out, p)
		}
	}
	return out
}

func inTree(pkg string) (string, bool) {
	for tree := range trees {
		if pkg == tree || strings.HasPrefix(pkg, tree+"/") {
			return tree, true
		}
	}
	return "", false
}

func TestImportsKeepToTheTable(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() || strings.HasPrefix(s.pkg, "cmd/") || s.pkg == "internal/emulator/emulatortest" {
			continue
		}
		tree, sub := inTree(s.pkg)
		list, known := allowed[s.pkg]
		if !assert.True(t, known || sub, "%s: package %s is not in the import table", s.name, s.pkg) {
			continue
		}
		for _, to := range ours(s.file) {
			toTree, _ := inTree(to)
			ok := slices.Contains(list, to) || sub && (toTree == tree || slices.Contains(trees[tree], to))
			assert.True(t, ok, "%s: %s may not import %s", s.name, s.pkg, to)
		}
	}
}

func TestForbiddenEdges(t *testing.T) {
	for _, s := range sources(t) {
		for _, to := range ours(s.file) {
			for _, f := range forbidden {
				from := s.pkg == f.from || strings.HasPrefix(s.pkg, f.from+"/") && f.from != ""
				if f.from == "" {
					from = !strings.HasPrefix(s.pkg, "cmd/") && s.pkg != f.to && !s.test()
				}
				if s.test() && f.to != "internal/confluence/rest" {
					continue
				}
				if s.test() && (s.pkg == "tools" || s.pkg == "ingest") {
					continue // its end-to-end tests run on the real client
				}
				assert.False(t, from && to == f.to, "%s imports %s: %s", s.name, to, f.reason)
			}
		}
	}
}

func TestTopLevelIsFixed(t *testing.T) {
	entries, err := os.ReadDir(root(t))
	require.NoError(t, err)
	known := []string{"cmd", "server", "tools", "policy", "ingest", "store", "policies", "testdata", "internal", "docs",
		"go.mod", "go.sum", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile"}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.Name() == "bin" || e.Name() == "data" {
			continue
		}
		assert.Contains(t, known, e.Name(), "top-level folders are fixed by the design")
	}
}

func TestEveryPackageHasAChapter(t *testing.T) {
	chapters := map[string]string{}
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		if _, ok := chapters[s.pkg]; !ok {
			chapters[s.pkg] = ""
		}
		if s.file.Doc != nil {
			chapters[s.pkg] += s.file.Doc.Text()
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(chapters)) {
		assert.GreaterOrEqual(t, len(strings.Fields(chapters[pkg])), 20, "package %s: the package comment is its chapter: purpose, what it refuses to know, where to start", pkg)
	}
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		for _, d := range s.file.Decls {
			checkDecl(t, s, d)
		}
	}
}

func checkDecl(t *testing.T, s source, d ast.Decl) {
	t.Helper()
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && exportedReceiver(d) {
			assert.NotNil(t, d.Doc, "%s: %s has no comment", s.fset.Position(d.Pos()), d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			checkSpec(t, s, d, spec)
		}
	}
}

func checkSpec(t *testing.T, s source, d *ast.GenDecl, spec ast.Spec) {
	t.Helper()
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Name.IsExported() {
			assert.True(t, d.Doc != nil || spec.Doc != nil, "%s: type %s has no comment", s.fset.Position(spec.Pos()), spec.Name.Name)
		}
	case *ast.ValueSpec:
		for _, n := range spec.Names {
			if n.IsExported() {
				assert.True(t, d.Doc != nil || spec.Doc != nil || spec.Comment != nil, "%s: %s has no comment", s.fset.Position(n.Pos()), n.Name)
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if generic, ok := typ.(*ast.IndexExpr); ok {
		typ = generic.X
	}
	name, ok := typ.(*ast.Ident)
	return ok && name.IsExported()
}

package layers_test

import (
	"bytes"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Sizes of the style guide: hard ends, not aims.
const (
	maxFileLines     = 600
	maxFunctionLines = 80
	maxParameters    = 5
	maxExported      = 25
)

func TestNoInitAndNoGlobalLogger(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				assert.False(t, n.Recv == nil && n.Name.Name == "init", "%s: no init functions", s.fset.Position(n.Pos()))
			case *ast.SelectorExpr:
				checkGlobalLogger(t, s, n)
			}
			return true
		})
	}
}

func checkGlobalLogger(t *testing.T, s source, n *ast.SelectorExpr) {
	t.Helper()
	pkg, ok := n.X.(*ast.Ident)
	if !ok || pkg.Obj != nil || s.test() {
		return
	}
	global := pkg.Name == "slog" && slices.Contains([]string{"Default", "SetDefault", "Info", "Warn", "Error", "Debug", "Log"}, n.Sel.Name) ||
		pkg.Name == "log" && n.Sel.Name != "Logger" && n.Sel.Name != "New"
	assert.False(t, global, "%s: %s.%s is the global logger; take one in Config", s.fset.Position(n.Pos()), pkg.Name, n.Sel.Name)
}

// immutable are calls whose result nobody changes.
var immutable = []string{"regexp.MustCompile", "errors.New", "sync.OnceValue", "sync.OnceValues", "strings.NewReplacer",
	"template.Must", "netip.MustParsePrefix", "netip.MustParseAddr", "base32.NewEncoding", "base64.NewEncoding"}

// TestNoMutablePackageVariable accepts embedded files, sentinel errors,
// compiled patterns, and literals (tables) that no function of the package
// assigns to or takes the address of.
func TestNoMutablePackageVariable(t *testing.T) {
	files := sources(t)
	for _, s := range files {
		if s.test() {
			continue
		}
		for _, d := range s.file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				for i, name := range v.Names {
					checkVariable(t, s, files, g, v, i, name)
				}
			}
		}
	}
}

func checkVariable(t *testing.T, s source, files []source, g *ast.GenDecl, v *ast.ValueSpec, i int, name *ast.Ident) {
	t.Helper()
	at := s.fset.Position(name.Pos())
	if name.Name == "_" || embedded(g, v) {
		return
	}
	if !assert.Less(t, i, len(v.Values), "%s: %s has no value: it could only be set later", at, name.Name) {
		return
	}
	switch value := v.Values[i].(type) {
	case *ast.CallExpr:
		assert.True(t, slices.Contains(immutable, callName(value)) || conversion(value), "%s: %s is made by a call; make it where it is used", at, name.Name)
	}
	for _, other := range files {
		if other.pkg == s.pkg {
			assert.False(t, assigned(other.file, name.Name), "%s: %s is changed in %s", at, name.Name, other.name)
		}
	}
}

func embedded(g *ast.GenDecl, v *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{g.Doc, v.Doc} {
		if doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed") }) {
			return true
		}
	}
	return false
}

func callName(c *ast.CallExpr) string {
	fun := c.Fun
	if ix, ok := fun.(*ast.IndexExpr); ok {
		fun = ix.X
	}
	if sel, ok := fun.(*ast.SelectorExpr); ok {
		if x, ok := sel.X.(*ast.Ident); ok {
			return x.Name + "." + sel.Sel.Name
		}
	}
	return ""
}

// conversion reports whether a call is []byte("…") or the like.
func conversion(c *ast.CallExpr) bool {
	if len(c.Args) != 1 {
		return false
	}
	_, slice := c.Fun.(*ast.ArrayType)
	_, literal := c.Args[0].(*ast.BasicLit)
	return slice && literal
}

// assigned reports whether a file assigns to a package variable, or into it.
// A local of the same name shadows it and is not meant.
func assigned(f *ast.File, name string) bool {
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		a, ok := n.(*ast.AssignStmt)
		if !ok || a.Tok == token.DEFINE {
			return true
		}
		for _, l := range a.Lhs {
			if ix, ok := l.(*ast.IndexExpr); ok {
				l = ix.X
			}
			if id, ok := l.(*ast.Ident); ok && id.Name == name && packageLevel(f, id) {
				found = true
			}
		}
		return true
	})
	return found
}

// packageLevel reports whether a name means the variable of the package: it
// has no declaration in this file, or one at its top.
func packageLevel(f *ast.File, id *ast.Ident) bool {
	if id.Obj == nil {
		return true
	}
	return slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
		g, ok := d.(*ast.GenDecl)
		return ok && slices.ContainsFunc(g.Specs, func(s ast.Spec) bool { return s == id.Obj.Decl })
	})
}

func TestSizes(t *testing.T) {
	exported := map[string]int{}
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		assert.LessOrEqual(t, bytes.Count(s.text, []byte("\n")), maxFileLines, "%s: is it still one subject?", s.name)
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				checkFunction(t, s, f)
			}
			exported[s.pkg] += exportedNames(d)
		}
	}
	for pkg, n := range exported {
		assert.LessOrEqual(t, n, exportCeiling(pkg), "package %s exports %d names", pkg, n)
	}
}

// exportCeiling is maxExported, but for the two packages that are vocabularies.
func exportCeiling(pkg string) int {
	switch pkg {
	case "internal/confluence", "internal/emulator/site", "policy":
		return 3 * maxExported
	}
	return maxExported
}

func checkFunction(t *testing.T, s source, f *ast.FuncDecl) {
	t.Helper()
	from, to := s.fset.Position(f.Pos()), s.fset.Position(f.End())
	assert.LessOrEqual(t, to.Line-from.Line, maxFunctionLines, "%s: %s is long; it is several", from, f.Name.Name)
	assert.LessOrEqual(t, f.Type.Params.NumFields(), maxParameters+1, "%s: %s takes many parameters; is there a noun in them?", from, f.Name.Name)
}

func exportedNames(d ast.Decl) int {
	n := 0
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.IsExported() {
			n++
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.IsExported() {
				n++
			}
		}
	}
	return n
}

// TestNothingOfThisMachine keeps the place where the code is worked on out of
// it: the checkout's own path and the home folder, whatever they are here.
func TestNothingOfThisMachine(t *testing.T) {
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	for _, s := range sources(t) {
		for _, place := range []string{root(t), home + "/go/"} {
			assert.NotContains(t, string(s.text), place, s.name)
		}
	}
}

func TestNoSkipsAndNoSleeps(t *testing.T) {
	for _, s := range sources(t) {
		text := string(s.text)
		if s.pkg == "internal/layers" {
			continue
		}
		assert.NotContains(t, text, "time."+"Sleep(", "%s: wait for a condition", s.name)
		if s.test() && !strings.Contains(text, "../shared") {
			assert.NotContains(t, text, "t."+"Skip", "%s: only the checks on ../shared may be left out, loudly", s.name)
		}
	}
}

// TestWhatIsLeftOutIsSaid: each folder without which a test is left out is named
// by the test, by what CI runs, which says so when it is absent, and by
// CONTRIBUTING.md.
func TestWhatIsLeftOutIsSaid(t *testing.T) {
	folder, skip := regexp.MustCompile(`\.\./shared/[a-z]+(/[a-z]+)?`), regexp.MustCompile(`\bt\.Skipf?\((.*)`)
	ci, err := os.ReadFile(filepath.Join(root(t), ".ci", "run"))
	require.NoError(t, err)
	guide, err := os.ReadFile(filepath.Join(root(t), "CONTRIBUTING.md"))
	require.NoError(t, err)
	for _, s := range sources(t) {
		if s.pkg == "internal/layers" {
			continue
		}
		for _, one := range skip.FindAllStringSubmatch(string(s.text), -1) {
			needs := folder.FindAllString(one[1], -1)
			assert.NotEmpty(t, needs, "%s: name the folder below ../shared that is absent", s.name)
			for _, name := range needs {
				assert.Contains(t, string(ci), "left_out "+name+" ", s.name)
				assert.Contains(t, string(guide), "- `"+name+"`:", s.name)
			}
		}
	}
}

// TestTheReadmeKnowsEveryFolder, and stays a page.
func TestTheReadmeKnowsEveryFolder(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	require.NoError(t, err)
	readme := string(text)
	for _, s := range sources(t) {
		parts := strings.Split(s.pkg, "/")
		name := parts[0]
		if name == "internal" {
			name = parts[1]
		}
		assert.Regexp(t, "[`/]"+regexp.QuoteMeta(name)+"[`/]", readme, s.pkg)
	}
	assert.LessOrEqual(t, strings.Count(readme, "\n"), 60)
}

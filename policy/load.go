package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"confluence-mcp/policy/profile"
	"confluence-mcp/policy/rule"
)

// readMax is one byte more than a profile file may have, so that a larger one
// is noticed without reading it.
const readMax = 256<<10 + 1

// Load reads every *.yaml file in the root of each layer and runs the tests
// the profiles carry. A profile of a later layer replaces one of the same name
// in an earlier layer. One bad file refuses them all: the error is a
// [profile.Problems] with every problem found.
func Load(layers ...fs.FS) (*Set, error) { return LoadFor(nil, layers...) }

// LoadFor is [Load] for a server with these tools: a rule that names another
// is refused, see [Profile.CheckTools]. Without any, names are not checked.
func LoadFor(tools []string, layers ...fs.FS) (*Set, error) {
	return LoadOver(tools, nil, layers...)
}

// LoadOver is [LoadFor] over a layer that came with the program, which [Load]
// must take: that is for a test of the program to find out, not for each of its
// starts. Here the tests in it are not run, and its rules are compiled when the
// first call asks them; rules that turn out not to compile deny.
func LoadOver(tools []string, shipped fs.FS, layers ...fs.FS) (*Set, error) {
	l, err := newLoader()
	if err != nil {
		return nil, err
	}
	l.tools = tools
	set := &Set{profiles: map[string]*Profile{}}
	if shipped != nil {
		l.late = true
		l.layer(set, shipped)
		l.late = false
	}
	for _, layer := range layers {
		l.layer(set, layer)
	}
	if len(l.problems) > 0 {
		return nil, l.problems
	}
	return set, nil
}

// Parse reads and compiles one profile file without running its tests; see
// [Profile.Check]. The error is a [profile.Problems]; name is what its
// messages call the file.
func Parse(name string, text []byte) (*Profile, error) {
	l, err := newLoader()
	if err != nil {
		return nil, err
	}
	return l.parse(name, text)
}

// loader holds what all files share.
type loader struct {
	parser   *profile.Parser
	programs *programs
	tools    []string
	late     bool // what is read now is compiled later
	problems profile.Problems
}

// programs are the conditions compiled so far.
type programs struct {
	mu       sync.Mutex
	compiler *rule.Compiler           // nil until a profile has a rule
	byText   map[string]*rule.Program // profiles share rules
}

func newLoader() (*loader, error) {
	parser, err := profile.NewParser()
	if err != nil {
		return nil, err
	}
	return &loader{parser: parser, programs: &programs{byText: map[string]*rule.Program{}}}, nil
}

// layer adds the profiles of one folder to a set, or their problems to l.
func (l *loader) layer(set *Set, layer fs.FS) {
	names, err := fs.Glob(layer, "*.yaml")
	if err != nil {
		l.add(".", err)
		return
	}
	inLayer := map[string]string{}
	for _, name := range names {
		p, err := l.open(layer, name)
		if err == nil && len(l.tools) > 0 {
			err = p.CheckTools(name, l.tools)
		}
		if err == nil && !l.late {
			err = p.Check(name)
		}
		if err != nil {
			l.add(name, err)
			continue
		}
		if other := inLayer[p.Name()]; other != "" {
			l.add(name, fmt.Errorf("profile %q is already in %s", p.Name(), other))
		}
		inLayer[p.Name()] = name
		set.profiles[p.Name()] = p
	}
}

func (l *loader) add(name string, err error) {
	var problems profile.Problems
	if errors.As(err, &problems) {
		l.problems = append(l.problems, problems...)
		return
	}
	l.problems = append(l.problems, profile.Problem{File: name, Text: err.Error()})
}

func (l *loader) open(layer fs.FS, name string) (*Profile, error) {
	f, err := layer.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, readMax))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return l.parse(name, text)
}

func (l *loader) parse(name string, text []byte) (*Profile, error) {
	file, err := l.parser.Parse(name, text)
	if err != nil {
		return nil, err
	}
	revision, err := revision(file)
	if err != nil {
		return nil, err
	}
	p := &Profile{file: file, revision: revision, memory: &memory{}}
	for name, g := range file.Groups {
		p.grants[groupIndex(Group(name))] = newGrant(g)
	}
	p.index()
	if l.late {
		p.late = sync.OnceValue(func() bool { return len(l.programs.compile(name, p)) == 0 })
		return p, nil
	}
	if problems := l.programs.compile(name, p); len(problems) > 0 {
		return nil, problems
	}
	return p, nil
}

// compile prepares every rule and holds the sum of their worst cases.
func (l *programs) compile(name string, p *Profile) profile.Problems {
	var problems profile.Problems
	var sum uint64
	for i := range p.rules {
		c := &p.rules[i]
		if c.rule.When == "" {
			continue
		}
		program, err := l.program(c.rule.When)
		if err != nil {
			problems = append(problems, problem(name, c.rule, err))
			continue
		}
		c.program = program
		sum += program.Cost()
	}
	if sum > rule.MaxCostSum {
		problems = append(problems, profile.Problem{File: name, Text: fmt.Sprintf(
			"the worst case of all rules costs %d; at most %d is allowed", sum, rule.MaxCostSum)})
	}
	return problems
}

func (l *programs) program(text string) (*rule.Program, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.byText[text]; p != nil {
		return p, nil
	}
	if l.compiler == nil {
		var err error
		if l.compiler, err = rule.NewCompiler(); err != nil {
			return nil, err
		}
		l.compiler.Bind(readerOf)
	}
	p, err := l.compiler.Compile(text)
	if err != nil {
		return nil, err
	}
	l.byText[text] = p
	return p, nil
}

func problem(name string, r profile.Rule, err error) profile.Problem {
	p := profile.Problem{File: name, Position: r.WhenAt, Rule: r.ID, Text: err.Error()}
	var fault *rule.Fault
	if errors.As(err, &fault) {
		p.Position = r.WhenAt.Within(fault.Line, fault.Column)
	}
	return p
}

// index files each rule under the cells it is asked about, so that a decision
// looks at no other.
func (p *Profile) index() {
	for _, r := range p.file.Rules {
		c := condition{rule: r, effect: Deny}
		if r.Effect == profile.EffectApprove {
			c.effect = RequireApproval
		}
		p.rules = append(p.rules, c)
	}
	for gi, g := range []Group{Pages, Spaces, Search, Attachments, Users} {
		for ai, a := range []Action{Read, Create, Update, Delete} {
			for i := range p.rules {
				if p.rules[i].covers(g, a) {
					p.cells[gi][ai] = append(p.cells[gi][ai], &p.rules[i])
				}
			}
		}
	}
}

// covers reports whether a rule is asked about a cell. Reads never need
// approval, so a rule that would ask for one is not asked about them.
func (c *condition) covers(g Group, a Action) bool {
	m := c.rule.Match
	if a == Read && c.effect == RequireApproval {
		return false
	}
	return (len(m.Groups) == 0 || slices.Contains(m.Groups, string(g))) &&
		(len(m.Actions) == 0 || slices.Contains(m.Actions, string(a)))
}

// revision digests what decides: the canonical form is JSON with fixed key
// order, without comments, layout, description and tests.
func revision(file profile.File) (string, error) {
	file.Tests, file.Description = nil, ""
	canonical, err := json.Marshal(file)
	if err != nil {
		return "", fmt.Errorf("digest profile: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return strings.ToLower(hex.EncodeToString(sum[:]))[:12], nil
}

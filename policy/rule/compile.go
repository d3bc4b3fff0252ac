package rule

import (
	"fmt"
	"regexp/syntax"
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/ext"
)

// Limits of one expression. Costs are in CEL's units; MaxCost is the worst
// case over the declared bounds, MaxCostSum the same over all rules of a
// profile, and runCost stops an evaluation that gets there anyway.
const (
	MaxCost    = 20_000
	MaxCostSum = 200_000

	runCost        = 100_000
	maxExpression  = 4 << 10 // bytes
	maxNesting     = 50
	maxNodes       = 2_000
	maxRegex       = 1_000 // instructions of one compiled pattern
	maxLoops       = 2     // comprehensions inside each other
	interruptEvery = 100   // loop steps between looks at the wall limit
)

// Fault says why an expression was refused and where: Line from 1, Column
// from 0, both inside the expression.
type Fault struct {
	Line   int
	Column int
	Text   string
}

// Error is the text without the place, which the caller knows better.
func (f *Fault) Error() string { return f.Text }

// Compiler turns expressions into programs. It may be used by many goroutines.
type Compiler struct {
	env    *cel.Env
	bounds map[string]uint64
	read   func(name string) Native
}

// Bind names who reads variables without CEL, so that programs compiled from
// then on have [Program.Quick].
func (c *Compiler) Bind(read func(name string) Native) { c.read = read }

// NewCompiler builds the typed environment once.
func NewCompiler() (*Compiler, error) {
	bounds := map[string]uint64{}
	options := []cel.EnvOption{
		ext.Strings(ext.StringsVersion(0)),
		ext.Lists(ext.ListsVersion(0)),
		ext.Sets(),
		ext.Network(),
		cel.ParserRecursionLimit(maxNesting),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ExpressionNestingDepthLimit(maxNesting),
		cel.DefaultUTCTimeZone(true),
		cel.EnableMacroCallTracking(),
		cel.ASTValidators(
			cel.ValidateRegexLiterals(),
			cel.ValidateDurationLiterals(),
			cel.ValidateTimestampLiterals(),
			cel.ValidateHomogeneousAggregateLiterals(),
			cel.ValidateComprehensionNestingLimit(maxLoops),
		),
	}
	for _, v := range Variables() {
		options = append(options, cel.Variable(v.Name, celType(v.Type)))
		bounds[v.Name] = uint64(v.Bound)
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("rule environment: %w", err)
	}
	return &Compiler{env: env, bounds: bounds}, nil
}

// Compile checks an expression and prepares it. The error is always a *[Fault],
// also where the engine itself gives up.
func (c *Compiler) Compile(expr string) (p *Program, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			p, err = nil, &Fault{1, 0, fmt.Sprintf("the expression cannot be compiled: %v", cause)}
		}
	}()
	return c.compile(expr)
}

func (c *Compiler) compile(expr string) (*Program, error) {
	if len(expr) > maxExpression {
		return nil, &Fault{1, 0, fmt.Sprintf("the expression has %d bytes; at most %d are allowed", len(expr), maxExpression)}
	}
	checked, issues := c.env.Compile(expr)
	if err := firstIssue(issues); err != nil {
		return nil, err
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return nil, &Fault{1, 0, fmt.Sprintf("the expression has type %s; a condition is a bool", checked.OutputType())}
	}
	if err := refuseFunctions(checked); err != nil {
		return nil, err
	}
	estimate, err := c.env.EstimateCost(checked, sizes{c.bounds})
	if err != nil {
		return nil, &Fault{1, 0, "the cost cannot be bounded: " + err.Error()}
	}
	if estimate.Max > MaxCost {
		return nil, &Fault{1, 0, fmt.Sprintf("the worst case costs %s; at most %d is allowed", costText(estimate.Max), MaxCost)}
	}
	p := &Program{env: c.env, ast: checked, expr: expr, cost: estimate.Max, reads: reads(checked), loops: hasLoop(checked)}
	p.aware = readsResource(p)
	if c.read != nil {
		b := newBuilder(p, c.read)
		p.native, p.walks = b.condition(checked.NativeRep().Expr()), b.walks
	}
	return p, p.plan()
}

func firstIssue(issues *cel.Issues) error {
	if issues.Err() == nil {
		return nil
	}
	if list := issues.Errors(); len(list) > 0 {
		line := max(list[0].Location.Line(), 1)
		column := max(list[0].Location.Column(), 0)
		return &Fault{line, column, list[0].Message}
	}
	return &Fault{1, 0, issues.Err().Error()}
}

func costText(cost uint64) string {
	if cost > 1<<60 {
		return "more than can be bounded"
	}
	return fmt.Sprint(cost)
}

// refuseFunctions keeps out what the cost model cannot bound: replace makes
// text grow, and a pattern that is not a literal was never measured.
func refuseFunctions(checked *cel.Ast) error {
	var fault error
	native := checked.NativeRep()
	visit(native.Expr(), func(e ast.Expr) {
		if e.Kind() != ast.CallKind || fault != nil {
			return
		}
		call := e.AsCall()
		at := native.SourceInfo().GetStartLocation(e.ID())
		switch call.FunctionName() {
		case "replace":
			fault = &Fault{at.Line(), at.Column(), "replace is not offered: its result can outgrow every limit"}
		case "matches":
			if text := patternProblem(call.Args()); text != "" {
				fault = &Fault{at.Line(), at.Column(), text}
			}
		}
	})
	return fault
}

// patternProblem measures a pattern. cel-go v0.31.0 can do this too, but it
// panics on a counted repetition.
func patternProblem(args []ast.Expr) string {
	last := args[len(args)-1]
	if last.Kind() != ast.LiteralKind {
		return "the pattern of matches must be a literal"
	}
	pattern, _ := last.AsLiteral().Value().(string)
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "the pattern cannot be read: " + err.Error()
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return "the pattern cannot be compiled: " + err.Error()
	}
	if len(program.Inst) > maxRegex {
		return fmt.Sprintf("the pattern compiles to %d instructions; at most %d are allowed", len(program.Inst), maxRegex)
	}
	return ""
}

func visit(e ast.Expr, see func(ast.Expr)) {
	ast.PostOrderVisit(e, ast.NewExprVisitor(see))
}

func hasLoop(checked *cel.Ast) bool {
	found := false
	visit(checked.NativeRep().Expr(), func(e ast.Expr) {
		found = found || e.Kind() == ast.ComprehensionKind
	})
	return found
}

// reads lists the variables an expression mentions, in order of name.
func reads(checked *cel.Ast) []string {
	known := map[string]bool{}
	for _, v := range Variables() {
		known[v.Name] = true
	}
	var out []string
	for _, ref := range checked.NativeRep().ReferenceMap() {
		if known[ref.Name] {
			out = append(out, ref.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

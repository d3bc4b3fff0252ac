package rule

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// Trace is how one rule was judged. Verdict is the reason it gave, or
// not_asked, or no_match.
type Trace struct {
	Rule     string `json:"rule"`
	Effect   string `json:"effect"`
	Verdict  string `json:"verdict"`
	When     string `json:"when,omitempty"`
	Error    string `json:"error,omitempty"`
	Cost     uint64 `json:"cost,omitempty"`     // spent, in CEL's units
	Steps    []Step `json:"steps,omitempty"`    // conditions in order of the text, those that were reached
	Reads    []Step `json:"reads,omitempty"`    // variables with their values
	Residual string `json:"residual,omitempty"` // what is left to know of a resource that was not loaded
}

// Step is a part of an expression with its value.
type Step struct {
	Expr  string `json:"expr"`
	Value string `json:"value"`
}

// Trace evaluates like [Program.Eval] with the run-time limit, and adds every
// step. The steps come from a second evaluation, because cel-go v0.31.0 counts
// no cost while it tracks state; an expression that costs too much has none.
func (p *Program) Trace(ctx context.Context, vars cel.Activation) (bool, Trace, error) {
	t := Trace{When: p.expr}
	if ctx == nil {
		ctx = context.Background()
	}
	counted, err := p.run()
	if err != nil {
		return false, t, fmt.Errorf("prepare: %w", err)
	}
	out, details, err := counted.ContextEval(ctx, vars)
	holds, err := verdict(out, err)
	if cost := details.ActualCost(); cost != nil {
		t.Cost = *cost
	}
	if err != nil {
		t.Error = err.Error()
	}
	if err == ErrCost {
		return false, t, err
	}
	traced, planErr := p.traced()
	if planErr != nil {
		return false, t, fmt.Errorf("prepare to explain: %w", planErr)
	}
	if _, details, _ := traced.ContextEval(ctx, vars); details != nil && details.State() != nil {
		p.steps(p.ast.NativeRep().Expr(), details.State(), &t.Steps)
	}
	return holds, t, err
}

// Values gives the variables the expression mentions with their values.
func (p *Program) Values(vars cel.Activation) []Step {
	var out []Step
	for _, name := range p.reads {
		value := "unknown"
		if v, ok := vars.ResolveName(name); ok {
			value = show(types.DefaultTypeAdapter.NativeToValue(v))
		}
		out = append(out, Step{name, value})
	}
	return out
}

// steps walks the conditions an expression is made of, down to what is not
// and, or, not or a choice.
func (p *Program) steps(e ast.Expr, state interpreter.EvalState, out *[]Step) {
	if e.Kind() == ast.CallKind {
		switch e.AsCall().FunctionName() {
		case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional:
			for _, arg := range e.AsCall().Args() {
				p.steps(arg, state, out)
			}
			return
		}
	}
	value, ok := state.Value(e.ID())
	if !ok || e.Kind() == ast.LiteralKind {
		return
	}
	text, err := cel.ExprToString(e, p.ast.NativeRep().SourceInfo())
	if err != nil {
		return
	}
	*out = append(*out, Step{text, show(value)})
}

func show(v ref.Val) string {
	switch v := v.(type) {
	case nil:
		return "unknown"
	case *types.Err:
		return "error: " + v.String()
	case types.String:
		return fmt.Sprintf("%q", string(v))
	case types.Timestamp:
		return v.Time.UTC().Format("2006-01-02T15:04:05Z")
	}
	native := strings.TrimSpace(fmt.Sprintf("%v", v.Value()))
	const longest = 200
	if len(native) > longest {
		return native[:longest] + "…"
	}
	return native
}

// Residual is what remains of the expression once everything but the resource
// is known; empty when nothing does.
func (p *Program) Residual(vars cel.Activation) string {
	run, err := p.partial()
	if err != nil {
		return ""
	}
	var patterns []*cel.AttributePatternType
	for _, name := range p.reads {
		if strings.HasPrefix(name, "resource.") && name != "resource.known" {
			patterns = append(patterns, cel.AttributePattern(name))
		}
	}
	partial, err := cel.PartialVars(vars, patterns...)
	if err != nil {
		return ""
	}
	out, details, err := run.Eval(partial)
	if err != nil || !types.IsUnknown(out) {
		return ""
	}
	left, err := p.env.ResidualAst(p.ast, details)
	if err != nil {
		return ""
	}
	text, err := cel.AstToString(left)
	if err != nil {
		return ""
	}
	return text
}

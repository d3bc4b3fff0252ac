package rule

import (
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// Warnings names what can fail at run time and is not guarded. Such a rule is
// not wrong, but when it fails it denies. A guard is a condition before it:
// a && b, or a ? b : c.
func (p *Program) Warnings() []Fault {
	l := linter{info: p.ast.NativeRep().SourceInfo()}
	l.look(p.ast.NativeRep().Expr(), false)
	return l.out
}

type linter struct {
	info *ast.SourceInfo
	out  []Fault
}

func (l *linter) look(e ast.Expr, guarded bool) {
	switch e.Kind() {
	case ast.CallKind:
		l.call(e, guarded)
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			l.look(item, guarded)
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		l.look(c.IterRange(), guarded)
		l.look(c.LoopStep(), guarded)
	}
}

func (l *linter) call(e ast.Expr, guarded bool) {
	call := e.AsCall()
	if call.IsMemberFunction() {
		l.look(call.Target(), guarded)
	}
	opens := call.FunctionName() == operators.LogicalAnd || call.FunctionName() == operators.Conditional
	for i, arg := range call.Args() {
		l.look(arg, guarded || opens && i > 0)
	}
	if call.FunctionName() == operators.LogicalOr && fails(call.Args()[0]) {
		l.add(e, "an error on the left of || is hidden when the right side is true")
	}
	if text := risk(call); text != "" && !guarded {
		l.add(e, text+"; guard it with a condition before &&")
	}
}

func (l *linter) add(e ast.Expr, text string) {
	at := l.info.GetStartLocation(e.ID())
	l.out = append(l.out, Fault{Line: max(at.Line(), 1), Column: max(at.Column(), 0), Text: text})
}

// risk says how a call can fail; an operand that is a literal other than zero
// cannot make it fail.
func risk(call ast.CallExpr) string {
	args := call.Args()
	switch call.FunctionName() {
	case operators.Divide, operators.Modulo:
		if n := args[1]; n.Kind() != ast.LiteralKind || n.AsLiteral().Value() == int64(0) {
			return "dividing by zero denies"
		}
	case operators.Index:
		return "an index or key that does not exist denies"
	case "int", "double", "timestamp", "duration", "ip", "cidr":
		if len(args) == 1 && args[0].Kind() != ast.LiteralKind {
			return "a text that cannot be converted denies"
		}
	}
	return ""
}

// fails reports whether any part of an expression can fail.
func fails(e ast.Expr) bool {
	found := false
	visit(e, func(sub ast.Expr) {
		found = found || sub.Kind() == ast.CallKind && risk(sub.AsCall()) != ""
	})
	return found
}

package rule

import (
	"time"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types/ref"
)

// Ways an atom looks at its variable.
const (
	OpEqual  = "equal"  // against each literal; a bool variable has none
	OpOrder  = "order"  // less or greater than a number or time
	OpPrefix = "prefix" // starts with
	OpText   = "text"   // ends with or contains
	OpOther  = "other"  // anything else; its literals are only hints
)

// Atom is the smallest condition of an expression: a variable, how it is
// looked at and the literals it is compared with (string, int64, float64,
// bool, time.Time or time.Duration). Values that fall on the same side of
// every atom of their variable cannot be told apart, except by OpOther.
type Atom struct {
	Variable string
	Op       string
	Literals []any
	Element  bool // looks at the elements of a list, or the keys of a map
}

// Atoms takes the expression apart.
func (p *Program) Atoms() []Atom {
	w := walker{refs: map[int64]string{}, known: map[string]Variable{}, local: map[string]string{}}
	for id, r := range p.ast.NativeRep().ReferenceMap() {
		w.refs[id] = r.Name
	}
	for _, v := range Variables() {
		w.known[v.Name] = v
	}
	w.condition(p.ast.NativeRep().Expr())
	return w.out
}

type walker struct {
	refs  map[int64]string
	known map[string]Variable
	local map[string]string // loop variable to the list it walks
	out   []Atom
}

// condition takes apart an expression of type bool.
func (w *walker) condition(e ast.Expr) {
	if e.Kind() == ast.LiteralKind {
		return
	}
	if name, element, ok := w.variable(e); ok {
		w.out = append(w.out, Atom{Variable: name, Op: OpEqual, Element: element})
		return
	}
	if e.Kind() == ast.ComprehensionKind && w.exists(e) {
		return
	}
	if e.Kind() == ast.CallKind {
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional:
			for _, arg := range call.Args() {
				w.condition(arg)
			}
			return
		}
		if atom, ok := w.compare(call); ok {
			w.out = append(w.out, atom)
			return
		}
	}
	w.other(e)
}

// exists takes apart list.exists(x, condition) over a variable; all and
// exists_one count elements and are not exact.
func (w *walker) exists(e ast.Expr) bool {
	c := e.AsComprehension()
	name, _, ok := w.variable(c.IterRange())
	init := c.AccuInit()
	if !ok || c.HasIterVar2() || init.Kind() != ast.LiteralKind || init.AsLiteral().Value() != false {
		return false
	}
	step := c.LoopStep()
	if step.Kind() != ast.CallKind || step.AsCall().FunctionName() != operators.LogicalOr {
		return false
	}
	w.local[c.IterVar()] = name
	w.condition(step.AsCall().Args()[1])
	delete(w.local, c.IterVar())
	return true
}

// variable resolves an identifier to a variable, or a loop variable to the
// list whose elements it stands for.
func (w *walker) variable(e ast.Expr) (name string, element, ok bool) {
	if e.Kind() == ast.IdentKind {
		if list, found := w.local[e.AsIdent()]; found {
			return list, true, true
		}
	}
	name = w.refs[e.ID()]
	_, ok = w.known[name]
	return name, false, ok && (e.Kind() == ast.IdentKind || e.Kind() == ast.SelectKind)
}

// compare recognises a comparison of a variable with literals.
func (w *walker) compare(call ast.CallExpr) (Atom, bool) {
	args := call.Args()
	if call.IsMemberFunction() {
		return w.method(call)
	}
	if len(args) != 2 {
		return Atom{}, false
	}
	left, right := args[0], args[1]
	op := OpEqual
	switch call.FunctionName() {
	case operators.In, operators.OldIn:
		return w.membership(left, right)
	case operators.Equals, operators.NotEquals:
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		op = OpOrder
	default:
		return Atom{}, false
	}
	if _, _, ok := w.variable(left); !ok {
		left, right = right, left
	}
	name, element, ok := w.variable(left)
	value, constant := literal(right)
	kind := w.known[name].Type
	if !ok || !constant || !element && (kind == "list" || kind == "map") || op == OpOrder && (kind == "string" || kind == "list") {
		return Atom{}, false
	}
	return Atom{Variable: name, Op: op, Literals: []any{value}, Element: element}, true
}

// membership is literal in variable, or variable in [literals].
func (w *walker) membership(left, right ast.Expr) (Atom, bool) {
	if name, element, ok := w.variable(left); ok && right.Kind() == ast.ListKind {
		values, constant := literals(right.AsList().Elements())
		return Atom{Variable: name, Op: OpEqual, Literals: values, Element: element}, constant
	}
	name, _, ok := w.variable(right)
	value, constant := literal(left)
	return Atom{Variable: name, Op: OpEqual, Literals: []any{value}, Element: true}, ok && constant
}

func (w *walker) method(call ast.CallExpr) (Atom, bool) {
	name, element, ok := w.variable(call.Target())
	values, constant := literals(call.Args())
	if !ok || !constant {
		return Atom{}, false
	}
	switch call.FunctionName() {
	case "startsWith":
		return Atom{Variable: name, Op: OpPrefix, Literals: values, Element: element}, true
	case "endsWith", "contains":
		return Atom{Variable: name, Op: OpText, Literals: values, Element: element}, true
	}
	return Atom{}, false
}

// other gives every variable below e every literal below e, as hints.
func (w *walker) other(e ast.Expr) {
	var values []any
	names := map[string]bool{}
	visit(e, func(sub ast.Expr) {
		if value, ok := literal(sub); ok {
			values = append(values, value)
		}
		if name, _, ok := w.variable(sub); ok {
			names[name] = true
		}
	})
	for _, v := range Variables() {
		if names[v.Name] {
			list := v.Type == "list" || v.Type == "map"
			w.out = append(w.out, Atom{Variable: v.Name, Op: OpOther, Literals: values, Element: list})
		}
	}
}

func literals(list []ast.Expr) ([]any, bool) {
	out := make([]any, 0, len(list))
	for _, e := range list {
		value, ok := literal(e)
		if !ok {
			return nil, false
		}
		out = append(out, value)
	}
	return out, true
}

// literal is the value of a constant, or of timestamp or duration of one.
func literal(e ast.Expr) (any, bool) {
	if e.Kind() == ast.LiteralKind {
		return native(e.AsLiteral())
	}
	if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 1 || e.AsCall().Args()[0].Kind() != ast.LiteralKind {
		return nil, false
	}
	arg := e.AsCall().Args()[0].AsLiteral().Value()
	text, isText := arg.(string)
	switch e.AsCall().FunctionName() {
	case "timestamp":
		t, err := time.Parse(time.RFC3339Nano, text)
		return t, isText && err == nil
	case "duration":
		d, err := time.ParseDuration(text)
		return d, isText && err == nil
	case operators.Negate:
		if n, ok := arg.(int64); ok {
			return -n, true
		}
	}
	return nil, false
}

func native(v ref.Val) (any, bool) {
	switch value := v.Value().(type) {
	case string, int64, float64, bool:
		return value, true
	default:
		return nil, false
	}
}

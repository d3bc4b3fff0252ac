package rule

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// Native reads one variable straight out of what is judged; the function of
// the variable's type is set, the others are nil.
type Native struct {
	Text   func(in any) string
	Bool   func(in any) bool
	Int    func(in any) int64
	Double func(in any) float64
	Time   func(in any) time.Time
	List   func(in any) []string
}

// Run is the memory of an evaluation without CEL. In is what is judged, and
// what the functions of [Native] are given. It can be used again and again, by
// one goroutine at a time.
type Run struct {
	In    any
	items [maxLoops]string // of the loops the evaluation is in
	lost  bool             // CEL would have given an error, or might have
}

// native is an expression of a type. Most rules are made of comparisons, and
// CEL takes a microsecond for what a closure does in ten nanoseconds; so what
// is made of nothing else is turned into closures as well. An operation that
// can fail sets lost, and the answer is CEL's.
type (
	closure[T any] func(*Run) T
	lister         func(in any) []string
)

// bounded is a list a program walks, with the length its cost was judged with.
type bounded struct {
	list lister
	most int
}

// Quick evaluates without CEL. known is false when the expression is none of
// those that can be, a list is over its bound, or CEL would give an error: then
// [Program.Eval] has the answer. The caller holds that every variable the
// expression reads is known.
func (p *Program) Quick(r *Run) (holds, known bool) {
	if p.native == nil {
		return false, false
	}
	for _, b := range p.walks {
		if len(b.list(r.In)) > b.most {
			return false, false
		}
	}
	r.lost = false
	holds = p.native(r)
	return holds, !r.lost
}

// builder turns a checked expression into closures. Whatever it does not know
// makes the whole expression CEL's.
type builder struct {
	walker
	read  func(name string) Native
	loops []string // variables of the loops around, outermost first
	walks []bounded
}

func newBuilder(p *Program, read func(string) Native) *builder {
	b := &builder{walker: walker{refs: map[int64]string{}, known: map[string]Variable{}, local: map[string]string{}}, read: read}
	for id, r := range p.ast.NativeRep().ReferenceMap() {
		b.refs[id] = r.Name
	}
	for _, v := range Variables() {
		b.known[v.Name] = v
	}
	return b
}

// of is the reader of a variable.
func (b *builder) of(e ast.Expr) (Native, Variable, bool) {
	name, element, ok := b.variable(e)
	if !ok || element {
		return Native{}, Variable{}, false
	}
	return b.read(name), b.known[name], true
}

// condition builds an expression of type bool; nil when it can't be.
func (b *builder) condition(e ast.Expr) closure[bool] {
	switch e.Kind() {
	case ast.LiteralKind:
		if v, ok := e.AsLiteral().Value().(bool); ok {
			return func(*Run) bool { return v }
		}
	case ast.IdentKind, ast.SelectKind:
		if v, _, ok := b.of(e); ok && v.Bool != nil {
			return func(r *Run) bool { return v.Bool(r.In) }
		}
	case ast.ComprehensionKind:
		return b.loop(e.AsComprehension())
	case ast.CallKind:
		return b.call(e.AsCall())
	}
	return nil
}

func (b *builder) call(call ast.CallExpr) closure[bool] {
	args := call.Args()
	switch call.FunctionName() {
	case operators.LogicalNot:
		return not(b.condition(args[0]))
	case operators.LogicalAnd:
		return both(b.condition(args[0]), b.condition(args[1]))
	case operators.LogicalOr:
		return either(b.condition(args[0]), b.condition(args[1]))
	case operators.Conditional:
		return chosen(b.condition(args[0]), b.condition(args[1]), b.condition(args[2]))
	case operators.In, operators.OldIn:
		return b.membership(args[0], args[1])
	case "startsWith", "endsWith", "contains", "matches":
		return b.textTest(call)
	}
	if len(args) == 2 && !call.IsMemberFunction() {
		return b.comparison(call.FunctionName(), args[0], args[1])
	}
	return nil
}

// What follows is nil where a part is: then the whole cannot be built.

func not(x closure[bool]) closure[bool] {
	if x == nil {
		return nil
	}
	return func(r *Run) bool { return !x(r) }
}

func both(x, y closure[bool]) closure[bool] {
	if x == nil || y == nil {
		return nil
	}
	return func(r *Run) bool { return x(r) && y(r) }
}

func either(x, y closure[bool]) closure[bool] {
	if x == nil || y == nil {
		return nil
	}
	return func(r *Run) bool { return x(r) || y(r) }
}

func chosen(c, x, y closure[bool]) closure[bool] {
	if c == nil || x == nil || y == nil {
		return nil
	}
	return func(r *Run) bool {
		if c(r) {
			return x(r)
		}
		return y(r)
	}
}

// loop builds list.exists(x, condition) and list.all(x, condition).
func (b *builder) loop(c ast.ComprehensionExpr) closure[bool] {
	v, known, ok := b.of(c.IterRange())
	if !ok || v.List == nil || c.HasIterVar2() || c.AccuInit().Kind() != ast.LiteralKind || c.LoopStep().Kind() != ast.CallKind || len(b.loops) == maxLoops {
		return nil
	}
	step := c.LoopStep().AsCall()
	until, isBool := c.AccuInit().AsLiteral().Value().(bool)
	wanted := map[bool]string{false: operators.LogicalOr, true: operators.LogicalAnd}[until]
	if !isBool || step.FunctionName() != wanted {
		return nil
	}
	depth := len(b.loops)
	b.loops = append(b.loops, c.IterVar())
	each := b.condition(step.Args()[1])
	b.loops = b.loops[:depth]
	if each == nil {
		return nil
	}
	b.walks = append(b.walks, bounded{v.List, known.Bound})
	return func(r *Run) bool {
		for _, item := range v.List(r.In) {
			r.items[depth] = item
			if each(r) != until {
				return !until
			}
		}
		return until
	}
}

// membership builds text in [literals] and text in list.
func (b *builder) membership(left, right ast.Expr) closure[bool] {
	x := b.text(left)
	if x == nil {
		return nil
	}
	if right.Kind() == ast.ListKind {
		values, constant := literals(right.AsList().Elements())
		var texts []string
		for _, v := range values {
			s, ok := v.(string)
			if !ok {
				return nil
			}
			texts = append(texts, s)
		}
		if !constant {
			return nil
		}
		return func(r *Run) bool { return slices.Contains(texts, x(r)) }
	}
	v, known, ok := b.of(right)
	if !ok || v.List == nil {
		return nil
	}
	b.walks = append(b.walks, bounded{v.List, known.Bound})
	return func(r *Run) bool { return slices.Contains(v.List(r.In), x(r)) }
}

func (b *builder) textTest(call ast.CallExpr) closure[bool] {
	if !call.IsMemberFunction() || len(call.Args()) != 1 {
		return nil
	}
	x, y := b.text(call.Target()), b.text(call.Args()[0])
	if x == nil || y == nil {
		return nil
	}
	switch call.FunctionName() {
	case "startsWith":
		return func(r *Run) bool { return strings.HasPrefix(x(r), y(r)) }
	case "endsWith":
		return func(r *Run) bool { return strings.HasSuffix(x(r), y(r)) }
	case "contains":
		return func(r *Run) bool { return strings.Contains(x(r), y(r)) }
	}
	pattern, ok := literal(call.Args()[0])
	text, isText := pattern.(string)
	compiled, err := regexp.Compile(text)
	if !ok || !isText || err != nil {
		return nil
	}
	return func(r *Run) bool { return compiled.MatchString(x(r)) }
}

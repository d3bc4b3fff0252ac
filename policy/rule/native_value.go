package rule

import (
	"cmp"
	"math"
	"time"
	"unicode/utf8"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// text builds an expression of type string.
func (b *builder) text(e ast.Expr) closure[string] {
	if e.Kind() == ast.LiteralKind {
		if s, ok := e.AsLiteral().Value().(string); ok {
			return func(*Run) string { return s }
		}
		return nil
	}
	if e.Kind() == ast.IdentKind {
		for depth := len(b.loops) - 1; depth >= 0; depth-- {
			if b.loops[depth] == e.AsIdent() {
				return func(r *Run) string { return r.items[depth] }
			}
		}
	}
	if v, _, ok := b.of(e); ok && v.Text != nil {
		return func(r *Run) string { return v.Text(r.In) }
	}
	return nil
}

// whole builds an expression of type int: a literal, a variable, the size of a
// text or list, a part of a time.
func (b *builder) whole(e ast.Expr) closure[int64] {
	if value, ok := literal(e); ok {
		n, isInt := value.(int64)
		if !isInt {
			return nil
		}
		return func(*Run) int64 { return n }
	}
	if v, _, ok := b.of(e); ok && v.Int != nil {
		return func(r *Run) int64 { return v.Int(r.In) }
	}
	if e.Kind() != ast.CallKind {
		return nil
	}
	call := e.AsCall()
	if call.FunctionName() == "size" {
		return b.size(call)
	}
	part := timePart(call.FunctionName())
	if part == nil || !call.IsMemberFunction() || len(call.Args()) != 0 {
		return nil
	}
	t := b.time(call.Target())
	if t == nil {
		return nil
	}
	return func(r *Run) int64 { return int64(part(t(r).UTC())) }
}

func (b *builder) size(call ast.CallExpr) closure[int64] {
	var of ast.Expr
	switch {
	case call.IsMemberFunction() && len(call.Args()) == 0:
		of = call.Target()
	case !call.IsMemberFunction() && len(call.Args()) == 1:
		of = call.Args()[0]
	default:
		return nil
	}
	if x := b.text(of); x != nil {
		return func(r *Run) int64 { return int64(utf8.RuneCountInString(x(r))) }
	}
	if v, known, ok := b.of(of); ok && v.List != nil {
		b.walks = append(b.walks, bounded{v.List, known.Bound})
		return func(r *Run) int64 { return int64(len(v.List(r.In))) }
	}
	return nil
}

// timePart is what a method of a time gives, as CEL counts: months, and days
// of the month, from 0; getDate from 1; Sunday is 0.
func timePart(method string) func(time.Time) int {
	switch method {
	case "getDayOfWeek":
		return func(t time.Time) int { return int(t.Weekday()) }
	case "getHours":
		return time.Time.Hour
	case "getMinutes":
		return time.Time.Minute
	case "getDate":
		return time.Time.Day
	case "getDayOfMonth":
		return func(t time.Time) int { return t.Day() - 1 }
	case "getMonth":
		return func(t time.Time) int { return int(t.Month()) - 1 }
	case "getFullYear":
		return time.Time.Year
	}
	return nil
}

func (b *builder) double(e ast.Expr) closure[float64] {
	if value, ok := literal(e); ok {
		f, isDouble := value.(float64)
		if !isDouble {
			return nil
		}
		return func(*Run) float64 { return f }
	}
	if v, _, ok := b.of(e); ok && v.Double != nil {
		return func(r *Run) float64 {
			f := v.Double(r.In)
			r.lost = r.lost || math.IsNaN(f)
			return f
		}
	}
	return nil
}

func (b *builder) time(e ast.Expr) closure[time.Time] {
	if value, ok := literal(e); ok {
		t, isTime := value.(time.Time)
		if !isTime {
			return nil
		}
		return func(*Run) time.Time { return t }
	}
	if v, _, ok := b.of(e); ok && v.Time != nil {
		return func(r *Run) time.Time { return v.Time(r.In) }
	}
	return nil
}

// span builds an expression of type duration: a literal, or the time between
// two times, which CEL refuses when it is over 292 years.
func (b *builder) span(e ast.Expr) closure[time.Duration] {
	if value, ok := literal(e); ok {
		d, isSpan := value.(time.Duration)
		if !isSpan {
			return nil
		}
		return func(*Run) time.Duration { return d }
	}
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operators.Subtract {
		return nil
	}
	x, y := b.time(e.AsCall().Args()[0]), b.time(e.AsCall().Args()[1])
	if x == nil || y == nil {
		return nil
	}
	return func(r *Run) time.Duration {
		d := x(r).Sub(y(r))
		r.lost = r.lost || d == math.MaxInt64 || d == math.MinInt64
		return d
	}
}

// comparison builds x op y of two expressions of one type.
func (b *builder) comparison(op string, left, right ast.Expr) closure[bool] {
	if x, y := b.text(left), b.text(right); x != nil && y != nil {
		return ordered(op, x, y)
	}
	if x, y := b.whole(left), b.whole(right); x != nil && y != nil {
		return ordered(op, x, y)
	}
	if x, y := b.double(left), b.double(right); x != nil && y != nil {
		return ordered(op, x, y)
	}
	if x, y := b.span(left), b.span(right); x != nil && y != nil {
		return ordered(op, x, y)
	}
	if x, y := b.time(left), b.time(right); x != nil && y != nil {
		return compared(op, x, y, time.Time.Compare)
	}
	if x, y := b.condition(left), b.condition(right); x != nil && y != nil {
		switch op {
		case operators.Equals:
			return func(r *Run) bool { return x(r) == y(r) }
		case operators.NotEquals:
			return func(r *Run) bool { return x(r) != y(r) }
		}
	}
	return nil
}

func ordered[T cmp.Ordered](op string, x, y closure[T]) closure[bool] {
	switch op {
	case operators.Equals:
		return func(r *Run) bool { return x(r) == y(r) }
	case operators.NotEquals:
		return func(r *Run) bool { return x(r) != y(r) }
	case operators.Less:
		return func(r *Run) bool { return x(r) < y(r) }
	case operators.LessEquals:
		return func(r *Run) bool { return x(r) <= y(r) }
	case operators.Greater:
		return func(r *Run) bool { return x(r) > y(r) }
	case operators.GreaterEquals:
		return func(r *Run) bool { return x(r) >= y(r) }
	}
	return nil
}

func compared[T any](op string, x, y closure[T], order func(a, b T) int) closure[bool] {
	return ordered(op, func(r *Run) int { return order(x(r), y(r)) }, func(*Run) int { return 0 })
}

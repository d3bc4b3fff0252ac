package rule

import (
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
)

// LongText is the longest text, in bytes, that static costs are judged with.
// The run-time limit holds where a value is longer.
const LongText = 1024

// longList is the same for lists that are no variable.
const longList = 1000

// sizes tells the cost estimator how large values get.
type sizes struct {
	bounds map[string]uint64
}

// EstimateSize bounds a value by its variable, else by its type.
func (s sizes) EstimateSize(n checker.AstNode) *checker.SizeEstimate {
	if path := n.Path(); len(path) == 1 && s.bounds[path[0]] > 0 {
		return &checker.SizeEstimate{Max: s.bounds[path[0]]}
	}
	switch n.Type().Kind() {
	case types.StringKind, types.BytesKind:
		return &checker.SizeEstimate{Max: LongText}
	case types.ListKind, types.MapKind:
		return &checker.SizeEstimate{Max: longList}
	}
	return nil
}

// EstimateCallCost prices the string functions CEL has no price for as one
// pass over the text.
func (s sizes) EstimateCallCost(function, _ string, _ *checker.AstNode, _ []checker.AstNode) *checker.CallEstimate {
	switch function {
	case "charAt", "indexOf", "lastIndexOf", "lowerAscii", "upperAscii", "split", "substring", "trim":
		return &checker.CallEstimate{
			CostEstimate: checker.CostEstimate{Min: 1, Max: LongText / 10},
			ResultSize:   &checker.SizeEstimate{Max: LongText},
		}
	}
	return nil
}

// grows reports whether an expression may build a value larger than those it
// is given. The estimator takes what a function of text gives for [LongText]
// bytes, whatever went in, so that its figure is no bound then.
func grows(checked *cel.Ast) bool {
	native, found := checked.NativeRep(), false
	visit(native.Expr(), func(e ast.Expr) {
		switch e.Kind() {
		case ast.CallKind:
			found = found || !small(native.GetType(e.ID())) && !shrinks(e.AsCall().FunctionName())
		case ast.ComprehensionKind:
			found = found || !small(native.GetType(e.ID()))
		case ast.ListKind:
			found = found || slices.ContainsFunc(e.AsList().Elements(), func(item ast.Expr) bool { return item.Kind() != ast.LiteralKind })
		case ast.MapKind, ast.StructKind:
			found = true
		}
	})
	return found
}

// small are the types whose values have one size.
func small(t *types.Type) bool {
	switch t.Kind() {
	case types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind, types.TimestampKind, types.DurationKind:
		return true
	}
	return false
}

// shrinks are the functions whose text or list is an argument, or part of one.
func shrinks(function string) bool {
	switch function {
	case "lowerAscii", "upperAscii", "trim", "substring", "charAt", "slice", "_[_]", "_?_:_":
		return true
	}
	return false
}

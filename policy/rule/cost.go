package rule

import (
	"github.com/google/cel-go/checker"
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

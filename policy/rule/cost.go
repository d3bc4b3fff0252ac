package rule

import (
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
)

// Sizes that no variable and no result is expected to pass; the run-time
// limit holds where one does.
const (
	longText = 1024
	longList = 1000
)

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
		return &checker.SizeEstimate{Max: longText}
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
			CostEstimate: checker.CostEstimate{Min: 1, Max: longText / 10},
			ResultSize:   &checker.SizeEstimate{Max: longText},
		}
	}
	return nil
}

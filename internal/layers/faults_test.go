package layers_test

import (
	"go/ast"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestFaultRowsAreTested: each row of the fault matrix that the mirror must
// survive has a test that bears its number, and the report lists which.
func TestFaultRowsAreTested(t *testing.T) {
	numbered := regexp.MustCompile(`^Test(?:[A-N]\d\d_)*FaultRow(\d\d)[A-Z]`)
	where := map[int][]string{}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			fn, isFunc := d.(*ast.FuncDecl)
			if !isFunc || !s.test() {
				continue
			}
			if m := numbered.FindStringSubmatch(fn.Name.Name); m != nil {
				row, err := strconv.Atoi(m[1])
				assert.NoError(t, err)
				where[row] = append(where[row], s.pkg+"."+fn.Name.Name)
			}
		}
	}
	for _, row := range []int{6, 7, 9, 10, 24, 25, 26, 27, 28, 36, 37, 38, 43, 44, 50} {
		assert.NotEmpty(t, where[row], "row %d of the fault matrix has no test TestFaultRow%02d…", row, row)
		slices.Sort(where[row])
		t.Logf("row %2d: %v", row, where[row])
	}
}

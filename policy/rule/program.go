package rule

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"
)

// ErrCost is an evaluation stopped by the cost limit or the wall limit.
var ErrCost = errors.New("the rule costs too much to evaluate")

// Program is a compiled condition. It may be used by many goroutines.
type Program struct {
	env   *cel.Env
	ast   *cel.Ast
	quick cel.Program                 // without a cost limit; nil unless values can't grow
	run   func() (cel.Program, error) // with one
	expr  string
	cost  uint64
	reads []string
	loops bool

	native closure[bool] // the same without CEL; nil when it can't be
	walks  []bounded     // lists native goes through
	aware  bool          // reads the resource

	traced  func() (cel.Program, error) // prepared when first explained
	partial func() (cel.Program, error)
}

func (p *Program) plan() error {
	var options []cel.ProgramOption
	if p.loops {
		options = append(options, cel.InterruptCheckFrequency(interruptEvery))
	}
	p.run = sync.OnceValues(func() (cel.Program, error) {
		return p.env.Program(p.ast, append(options, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(runCost))...)
	})
	var err error
	if grows(p.ast) {
		_, err = p.run()
	} else {
		p.quick, err = p.env.Program(p.ast, append(options, cel.EvalOptions(cel.OptOptimize))...)
	}
	if err != nil {
		return &Fault{1, 0, err.Error()}
	}
	p.traced = sync.OnceValues(func() (cel.Program, error) {
		return p.env.Program(p.ast, cel.EvalOptions(cel.OptOptimize, cel.OptTrackState), cel.InterruptCheckFrequency(interruptEvery))
	})
	p.partial = sync.OnceValues(func() (cel.Program, error) {
		return p.env.Program(p.ast, cel.EvalOptions(cel.OptTrackState, cel.OptPartialEval))
	})
	return nil
}

// Cost is the static worst case in CEL's units.
func (p *Program) Cost() uint64 { return p.cost }

// Loops reports whether the program iterates; only then a deadline matters.
func (p *Program) Loops() bool { return p.loops }

// Reads lists the variables the expression mentions, in order of name.
func (p *Program) Reads() []string { return p.reads }

// ReadsResource reports whether the expression mentions anything of the
// resource besides whether it is known.
func (p *Program) ReadsResource() bool { return p.aware }

func readsResource(p *Program) bool {
	for _, name := range p.reads {
		if strings.HasPrefix(name, "resource.") && name != "resource.known" {
			return true
		}
	}
	return false
}

// Eval answers whether the condition holds. Any error means that the answer is
// not known; it is [ErrCost] when a limit was hit. A variable that vars does
// not resolve is an error only if the answer depends on it. The context may be
// nil for a program without loops.
//
// Bounded says that every value is within the sizes the static cost was
// judged with (see [Variable] and [LongText]). If the expression builds no
// larger ones, that cost is a proof, a fifth of the run-time limit, and nothing
// is counted: a fourth of the time.
func (p *Program) Eval(ctx context.Context, vars cel.Activation, bounded bool) (bool, error) {
	program := p.quick
	if program == nil || !bounded {
		var err error
		if program, err = p.run(); err != nil {
			return false, fmt.Errorf("prepare: %w", err)
		}
	}
	if p.loops {
		out, _, err := program.ContextEval(ctx, vars)
		return verdict(out, err)
	}
	out, _, err := program.Eval(vars)
	return verdict(out, err)
}

func verdict(out any, err error) (bool, error) {
	var cancelled interpreter.EvalCancelledError
	switch {
	case errors.As(err, &cancelled):
		return false, ErrCost
	case errors.Is(err, interpreter.InterruptError{}):
		return false, ErrCost
	case err != nil:
		return false, fmt.Errorf("evaluate: %w", err)
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("evaluate: result is %T, not a bool", out)
	}
	return bool(b), nil
}

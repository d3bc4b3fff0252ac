package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"confluence-mcp/policy"
)

// spec is the constant part of a tool's literal.
type spec struct {
	name       string // without Prefix
	title      string
	about      string
	group      policy.Group
	action     policy.Action
	idempotent bool // writes only: the same call twice does no more than once
	// listing marks a read of many things: rules judge each of them, not the
	// call as a whole.
	listing bool
}

// tool is a Tool with what the gate runs. The functions are unexported, so no
// other package can run them around the gate.
type tool struct {
	Tool
	listing  bool
	reverts  bool // becomes another write; whoever has one may know of it
	restores bool // takes what is in the trash
	args     *rule
	decode   func(raw []byte) (any, error)
	target   func(in any) target
	run      func(ctx context.Context, k *call, in any) (answer, error) // reads
	plan     func(ctx context.Context, k *call, in any) (*plan, error)  // writes
}

// answer is what a read gives: text for the model and the structured part.
type answer struct {
	text       string
	structured any
	version    int // version a write made
}

// read makes a tool that changes nothing. Out is the structured part; on says
// what the call reads, for policy.
func read[In, Out any](s spec, on func(In) target, run func(context.Context, *call, In) (Out, string, error)) *tool {
	t := newTool[In](s, outputSchema[Out]())
	t.target = func(in any) target { return on(in.(In)) }
	t.run = func(ctx context.Context, k *call, in any) (answer, error) {
		out, text, err := run(ctx, k, in.(In))
		return answer{text: text, structured: out}, err
	}
	return t
}

// write makes a tool that changes something. prepare works out what would
// change and must not change anything; the plan's commit does.
func write[In any](s spec, on func(In) target, prepare func(context.Context, *call, In) (*plan, error)) *tool {
	t := newTool[In](s, receiptSchema())
	t.target = func(in any) target { return on(in.(In)) }
	t.plan = func(ctx context.Context, k *call, in any) (*plan, error) { return prepare(ctx, k, in.(In)) }
	return t
}

// receiptSchema is one for all writes.
var receiptSchema = sync.OnceValue(outputSchema[receipt])

func newTool[In any](s spec, output json.RawMessage) *tool {
	reads, args := s.action == policy.Read, ruleOf(reflect.TypeFor[In](), "")
	t := &tool{Tool: Tool{
		Name: Prefix + s.name, Title: s.title, Description: s.about,
		InputSchema: inputSchema(args), OutputSchema: output,
		Group: s.group, Action: s.action,
		ReadOnly: reads, Destructive: s.action == policy.Update || s.action == policy.Delete,
		Idempotent: reads || s.idempotent, OpenWorld: s.group != "",
	}, listing: s.listing, args: args}
	t.decode = func(raw []byte) (any, error) {
		var in In
		err := json.Unmarshal(raw, &in)
		return in, err
	}
	return t
}

// check finds out whether the literal is whole.
func (t *tool) check() error {
	const longestName, longestAbout = 40, 400
	switch {
	case len(t.Name) > longestName || strings.ToLower(t.Name) != t.Name:
		return fmt.Errorf("tool %s: the name is too long or not snake case", t.Name)
	case t.Title == "" || t.Description == "" || len(t.Description) > longestAbout:
		return fmt.Errorf("tool %s: title or description is missing or too long", t.Name)
	case t.Action == "" || actionOrder(t.Action) < 0:
		return fmt.Errorf("tool %s: no action", t.Name)
	case t.Group == "" && t.Action != policy.Read:
		return fmt.Errorf("tool %s: a write needs a group", t.Name)
	case len(t.InputSchema) == 0 || len(t.OutputSchema) == 0:
		return fmt.Errorf("tool %s: its schemas could not be derived", t.Name)
	case (t.run == nil) == (t.plan == nil) || t.ReadOnly != (t.run != nil):
		return errors.New("tool " + t.Name + ": the handler does not fit the action")
	}
	return nil
}

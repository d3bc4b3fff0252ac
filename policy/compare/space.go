package compare

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"

	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
	"confluence-mcp/policy/rule"
)

// space is every combination of representative values for one cell. The first
// part has a known resource, the second has none and leaves its variables out.
type space struct {
	group   policy.Group
	action  policy.Action
	inexact string // why the values do not represent everything; empty if they do

	names   []string // of the variables, in order
	values  [][]any  // by variable
	unknown []int    // indexes of variables that exist without a resource; nil if no rule reads one
	base    policy.Request

	scratch policy.Request    // the call being built
	fields  []reflect.Value   // in scratch, by variable
	inputs  [][]reflect.Value // values, ready to be put there
}

// point is one index into values for each variable; known says whether the
// resource is.
type point struct {
	at    []int
	known bool
}

const toolVariable = "request.tool"

// space finds the variables and values that matter in a cell.
func (c *comparison) space(g policy.Group, a policy.Action) *space {
	s := &space{group: g, action: a, base: base(g, a)}
	byName := map[string][]rule.Atom{}
	for _, p := range []*policy.Profile{c.before, c.after} {
		gather(byName, p, g, a)
	}
	hasResource := false
	for _, v := range rule.Variables() {
		atoms := byName[v.Name]
		if len(atoms) == 0 || v.Name == "request.group" || v.Name == "request.action" {
			continue // nobody looks, or the cell fixes it
		}
		hasResource = hasResource || ofResource(v.Name)
		if v.Name == "resource.known" {
			continue // each and pairs see to it
		}
		values, why := represent(v, atoms)
		if why != "" && s.inexact == "" {
			s.inexact = v.Name + " " + why
		}
		s.names, s.values = append(s.names, v.Name), append(s.values, values)
	}
	s.prepare()
	if hasResource {
		s.unknown = slices.DeleteFunc(indexes(len(s.names)), func(i int) bool { return ofResource(s.names[i]) })
	}
	return s
}

func ofResource(name string) bool { return strings.HasPrefix(name, "resource.") }

// gather adds everything a profile looks at in a cell, by variable.
func gather(byName map[string][]rule.Atom, p *policy.Profile, g policy.Group, a policy.Action) {
	for _, r := range rulesOf(p, g, a) {
		if len(r.Match.Tools) > 0 {
			byName[toolVariable] = append(byName[toolVariable], equalTo(toolVariable, r.Match.Tools))
		}
		for _, atom := range p.Atoms(r.ID) {
			byName[atom.Variable] = append(byName[atom.Variable], atom)
		}
	}
	const body = "change.body_bytes"
	if most := p.File().Limits.MaxBodyBytes; most != nil && a != policy.Read {
		byName[body] = append(byName[body], rule.Atom{Variable: body, Op: rule.OpOrder, Literals: []any{*most}})
	}
}

func equalTo(name string, values []string) rule.Atom {
	atom := rule.Atom{Variable: name, Op: rule.OpEqual}
	for _, v := range values {
		atom.Literals = append(atom.Literals, v)
	}
	return atom
}

// base is a call that no rule has anything to look at.
func base(g policy.Group, a policy.Action) policy.Request {
	r := policy.Request{
		Tool: "confluence_any", Group: g, Action: a, Live: true, Now: baseTime(),
		Caller:   identity.Caller{Kind: identity.User, AccountID: "any", Transport: identity.Stdio},
		Resource: policy.Resource{Known: true},
	}
	if g == policy.Spaces && a == policy.Delete {
		r.Resource.Type = "space_property" // nothing else can be deleted there
	}
	return r
}

// points counts the combinations, up to just over most.
func (s *space) points(most int) int {
	total := product(s.values, indexes(len(s.values)), most)
	if s.unknown != nil {
		total += product(s.values, s.unknown, most)
	}
	return total
}

func product(values [][]any, which []int, most int) int {
	n := 1
	for _, i := range which {
		n *= len(values[i])
		if n > most {
			return most + 1
		}
	}
	return n
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// each calls see with every point.
func (s *space) each(see func(point)) {
	s.count(indexes(len(s.values)), true, see)
	if s.unknown != nil {
		s.count(s.unknown, false, see)
	}
}

// count goes through the combinations of some variables like an odometer.
func (s *space) count(which []int, known bool, see func(point)) {
	at := make([]int, len(s.values))
	for {
		see(point{at, known})
		i := 0
		for ; i < len(which); i++ {
			at[which[i]]++
			if at[which[i]] < len(s.values[which[i]]) {
				break
			}
			at[which[i]] = 0
		}
		if i == len(which) {
			return
		}
	}
}

// any is a random point.
func (s *space) any(r *rand.Rand) point {
	at := make([]int, len(s.values))
	for i := range at {
		at[i] = r.IntN(len(s.values[i]))
	}
	return point{at, s.unknown == nil || r.IntN(8) > 0}
}

// pairs sees every pair of values of every two variables, the rest at random.
func (s *space) pairs(r *rand.Rand, see func(point)) {
	for i := range s.values {
		for j := range i {
			for vi := range s.values[i] {
				for vj := range s.values[j] {
					p := s.any(r)
					p.at[i], p.at[j], p.known = vi, vj, true
					see(p)
				}
			}
		}
	}
}

// prepare finds where in a call each value goes.
func (s *space) prepare() {
	all := fields(&s.scratch)
	for i, name := range s.names {
		field := all[name]
		inputs := make([]reflect.Value, len(s.values[i]))
		for j, v := range s.values[i] {
			inputs[j] = reflect.ValueOf(v).Convert(field.Type())
		}
		s.fields, s.inputs = append(s.fields, field), append(s.inputs, inputs)
	}
}

// request builds the call of a point.
func (s *space) request(p point) policy.Request {
	s.scratch = s.base
	if !p.known {
		s.scratch.Resource = policy.Resource{Type: s.base.Resource.Type}
	}
	for i := range s.names {
		if p.known || slices.Contains(s.unknown, i) {
			s.fields[i].Set(s.inputs[i][p.at[i]])
		}
	}
	return s.scratch
}

// given is what a person needs to know of a point.
func (s *space) given(p point) map[string]any {
	out := map[string]any{}
	for i, name := range s.names {
		if p.known || slices.Contains(s.unknown, i) {
			if value := s.values[i][p.at[i]]; !isZero(value) {
				out[name] = value
			}
		}
	}
	if !p.known {
		out["resource.known"] = false
	}
	return out
}

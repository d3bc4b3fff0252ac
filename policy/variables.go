package policy

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"

	"confluence-mcp/policy/rule"
)

// variables binds a request to the names rules use. Lists are turned into
// rule values once a request. It remembers what an evaluation met that makes
// its answer worthless: a resource that is not known, a list over its bound.
type variables struct {
	request Request
	run     rule.Run
	lists   map[string]ref.Val
	unknown bool // resource.* was asked for and is not known
	tooLong bool // a list is longer than the bound its cost was judged with
	longest int  // text of the request, in bytes

	ctx  context.Context // of the loops, nil before the first
	stop context.CancelFunc
}

// deadline gives the rules of a decision that walk lists one wall limit
// together; nil for one that walks none.
func (v *variables) deadline(c *condition) context.Context {
	if c.program == nil || !c.program.Loops() {
		return nil
	}
	if v.ctx == nil {
		v.ctx, v.stop = context.WithTimeout(context.Background(), wallLimit)
	}
	return v.ctx
}

// hugeText is the length from which a text is not judged at all: cost is
// counted after each step, and one step over a text of megabytes is too much.
const hugeText = 64 << 10

// memory lends the space decisions need: half a kilobyte a decision adds up.
type memory struct{ sync.Pool }

// variables copies the request, so that the caller's own stays off the heap.
func (m *memory) variables(r *Request) *variables {
	v, ok := m.Get().(*variables)
	if !ok {
		v = &variables{}
		v.run.In = v
	}
	v.request, v.longest = *r, longestText(r)
	return v
}

// forget gives the space back with nothing of the request in it.
func (m *memory) forget(v *variables) {
	if v.stop != nil {
		v.stop()
		v.ctx, v.stop = nil, nil
	}
	v.request, v.unknown, v.tooLong = Request{}, false, false
	clear(v.lists)
	m.Put(v)
}

// longestText measures every text of a request. Lists are held to their bounds
// when they are read.
func longestText(r *Request) int {
	c, o, ch := &r.Caller, &r.Resource, &r.Change
	longest := max(
		len(r.Tool), len(r.Group), len(r.Action), len(c.Transport), len(r.Site.ID), len(r.Site.Kind),
		len(c.Agent), len(c.Kind), len(c.AccountID), len(c.Email),
		len(o.Type), len(o.ID), len(o.SpaceKey), len(o.SpaceType), len(o.Status), len(o.Title), len(o.AuthorID),
		len(ch.TargetSpaceKey), len(ch.TargetParentID), len(ch.Title), len(ch.MediaType),
	)
	for _, list := range [...][]string{c.Groups, o.Labels, o.AncestorIDs, ch.MacrosAdded, ch.ExternalHostsAdded} {
		for _, s := range list {
			longest = max(longest, len(s))
		}
	}
	for k, v := range c.Attributes {
		longest = max(longest, len(k), len(v))
	}
	return longest
}

// Parent is nil: there is no outer scope.
func (v *variables) Parent() interpreter.Activation { return nil }

// ResolveName gives a variable's value. What belongs to an unknown resource is
// not resolved, so an answer that depends on it is an error.
func (v *variables) ResolveName(name string) (any, bool) {
	r := &v.request
	switch name {
	case "request.tool":
		return r.Tool, true
	case "request.group":
		return string(r.Group), true
	case "request.action":
		return string(r.Action), true
	case "request.transport":
		return r.Caller.Transport, true
	case "request.live":
		return r.Live, true
	case "now":
		return types.Timestamp{Time: r.Now}, true
	case "context.read_restricted":
		return r.Context.ReadRestricted, true
	case "context.read_external":
		return r.Context.ReadExternal, true
	case "site.id":
		return r.Site.ID, true
	case "site.kind":
		return r.Site.Kind, true
	case "resource.known":
		return r.Resource.Known, true
	}
	if value, ok := v.identity(name); ok {
		return value, true
	}
	if value, ok := v.change(name); ok {
		return value, true
	}
	return v.resource(name)
}

func (v *variables) identity(name string) (any, bool) {
	c := &v.request.Caller
	switch name {
	case "identity.id":
		return c.Agent, true
	case "identity.kind":
		return string(c.Kind), true
	case "identity.account_id":
		return c.AccountID, true
	case "identity.email":
		return c.Email, true
	case "identity.groups":
		return v.list(name, c.Groups)
	case "identity.attributes":
		return v.attributes(name, c.Attributes)
	}
	return nil, false
}

func (v *variables) change(name string) (any, bool) {
	c := &v.request.Change
	switch name {
	case "change.target_space_key":
		return c.TargetSpaceKey, true
	case "change.target_parent_id":
		return c.TargetParentID, true
	case "change.title":
		return c.Title, true
	case "change.media_type":
		return c.MediaType, true
	case "change.body_bytes":
		return c.BodyBytes, true
	case "change.added_bytes":
		return c.AddedBytes, true
	case "change.removed_bytes":
		return c.RemovedBytes, true
	case "change.removed_ratio":
		return c.RemovedRatio, true
	case "change.macros_added":
		return v.list(name, c.MacrosAdded)
	case "change.external_hosts_added":
		return v.list(name, c.ExternalHostsAdded)
	}
	return nil, false
}

func (v *variables) resource(name string) (any, bool) {
	r := &v.request.Resource
	if !r.Known || slices.Contains(r.Opaque, name) {
		v.unknown = true
		return nil, false
	}
	switch name {
	case "resource.type":
		return r.Type, true
	case "resource.id":
		return r.ID, true
	case "resource.space_key":
		return r.SpaceKey, true
	case "resource.space_type":
		return r.SpaceType, true
	case "resource.status":
		return r.Status, true
	case "resource.title":
		return r.Title, true
	case "resource.author_id":
		return r.AuthorID, true
	case "resource.labels":
		return v.list(name, r.Labels)
	case "resource.ancestor_ids":
		return v.list(name, r.AncestorIDs)
	case "resource.version":
		return int64(r.Version), true
	case "resource.attachment_bytes":
		return r.AttachmentBytes, true
	case "resource.updated_at":
		return types.Timestamp{Time: sinceEpoch(r.UpdatedAt)}, true
	case "resource.restricted":
		return r.Restricted, true
	}
	return nil, false
}

func sinceEpoch(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return t
}

func (v *variables) list(name string, items []string) (any, bool) {
	if value, ok := v.lists[name]; ok {
		return value, true
	}
	if len(items) > rule.Bound(name) {
		v.tooLong = true
		return nil, false
	}
	values := make([]ref.Val, len(items))
	for i, s := range items {
		values[i] = types.String(s)
	}
	return v.keep(name, types.NewRefValList(types.DefaultTypeAdapter, values)), true
}

func (v *variables) attributes(name string, m map[string]string) (any, bool) {
	if value, ok := v.lists[name]; ok {
		return value, true
	}
	if len(m) > rule.Bound(name) {
		v.tooLong = true
		return nil, false
	}
	return v.keep(name, types.NewStringStringMap(types.DefaultTypeAdapter, m)), true
}

func (v *variables) keep(name string, value ref.Val) ref.Val {
	if v.lists == nil {
		v.lists = make(map[string]ref.Val, 4)
	}
	v.lists[name] = value
	return value
}

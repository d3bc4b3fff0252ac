package policy

import (
	"time"

	"confluence-mcp/policy/rule"
)

// readerOf reads a variable without CEL in between. It says the same as
// [variables.ResolveName] of every variable that is known; a test holds the two
// together.
func readerOf(name string) rule.Native {
	if f := textOf(name); f != nil {
		return rule.Native{Text: func(in any) string { return f(requestOf(in)) }}
	}
	if f := listOf(name); f != nil {
		return rule.Native{List: func(in any) []string { return f(requestOf(in)) }}
	}
	if f := wholeOf(name); f != nil {
		return rule.Native{Int: func(in any) int64 { return f(requestOf(in)) }}
	}
	if f := boolOf(name); f != nil {
		return rule.Native{Bool: func(in any) bool { return f(requestOf(in)) }}
	}
	switch name {
	case "now":
		return rule.Native{Time: func(in any) time.Time { return requestOf(in).Now }}
	case "resource.updated_at":
		return rule.Native{Time: func(in any) time.Time { return sinceEpoch(requestOf(in).Resource.UpdatedAt) }}
	case "change.removed_ratio":
		return rule.Native{Double: func(in any) float64 { return requestOf(in).Change.RemovedRatio }}
	}
	return rule.Native{}
}

func requestOf(in any) *Request { return &in.(*variables).request }

func textOf(name string) func(*Request) string {
	switch name {
	case "request.tool":
		return func(r *Request) string { return r.Tool }
	case "request.group":
		return func(r *Request) string { return string(r.Group) }
	case "request.action":
		return func(r *Request) string { return string(r.Action) }
	case "request.transport":
		return func(r *Request) string { return r.Caller.Transport }
	case "identity.id":
		return func(r *Request) string { return r.Caller.Agent }
	case "identity.kind":
		return func(r *Request) string { return string(r.Caller.Kind) }
	case "identity.account_id":
		return func(r *Request) string { return r.Caller.AccountID }
	case "identity.email":
		return func(r *Request) string { return r.Caller.Email }
	case "site.id":
		return func(r *Request) string { return r.Site.ID }
	case "site.kind":
		return func(r *Request) string { return r.Site.Kind }
	case "change.target_space_key":
		return func(r *Request) string { return r.Change.TargetSpaceKey }
	case "change.target_parent_id":
		return func(r *Request) string { return r.Change.TargetParentID }
	case "change.title":
		return func(r *Request) string { return r.Change.Title }
	case "change.media_type":
		return func(r *Request) string { return r.Change.MediaType }
	}
	return resourceTextOf(name)
}

func resourceTextOf(name string) func(*Request) string {
	switch name {
	case "resource.type":
		return func(r *Request) string { return r.Resource.Type }
	case "resource.id":
		return func(r *Request) string { return r.Resource.ID }
	case "resource.space_key":
		return func(r *Request) string { return r.Resource.SpaceKey }
	case "resource.space_type":
		return func(r *Request) string { return r.Resource.SpaceType }
	case "resource.status":
		return func(r *Request) string { return r.Resource.Status }
	case "resource.title":
		return func(r *Request) string { return r.Resource.Title }
	case "resource.author_id":
		return func(r *Request) string { return r.Resource.AuthorID }
	}
	return nil
}

func listOf(name string) func(*Request) []string {
	switch name {
	case "identity.groups":
		return func(r *Request) []string { return r.Caller.Groups }
	case "resource.labels":
		return func(r *Request) []string { return r.Resource.Labels }
	case "resource.ancestor_ids":
		return func(r *Request) []string { return r.Resource.AncestorIDs }
	case "change.macros_added":
		return func(r *Request) []string { return r.Change.MacrosAdded }
	case "change.external_hosts_added":
		return func(r *Request) []string { return r.Change.ExternalHostsAdded }
	}
	return nil
}

func wholeOf(name string) func(*Request) int64 {
	switch name {
	case "resource.version":
		return func(r *Request) int64 { return int64(r.Resource.Version) }
	case "resource.attachment_bytes":
		return func(r *Request) int64 { return r.Resource.AttachmentBytes }
	case "change.body_bytes":
		return func(r *Request) int64 { return r.Change.BodyBytes }
	case "change.added_bytes":
		return func(r *Request) int64 { return r.Change.AddedBytes }
	case "change.removed_bytes":
		return func(r *Request) int64 { return r.Change.RemovedBytes }
	}
	return nil
}

func boolOf(name string) func(*Request) bool {
	switch name {
	case "request.live":
		return func(r *Request) bool { return r.Live }
	case "resource.known":
		return func(r *Request) bool { return r.Resource.Known }
	case "resource.restricted":
		return func(r *Request) bool { return r.Resource.Restricted }
	case "context.read_restricted":
		return func(r *Request) bool { return r.Context.ReadRestricted }
	case "context.read_external":
		return func(r *Request) bool { return r.Context.ReadExternal }
	}
	return nil
}

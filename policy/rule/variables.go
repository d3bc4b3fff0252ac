package rule

import "github.com/google/cel-go/cel"

// Variable is a name rules can use. Bound is the largest length of a list or
// map; a longer one cannot be judged. Prefix before the first dot says what
// the variable describes.
type Variable struct {
	Name  string
	Type  string // string, bool, int, double, timestamp, list or map
	Bound int
	Note  string
}

// Variables lists every variable. All of them are always bound.
func Variables() []Variable {
	all := []Variable{
		{Name: "request.tool", Type: "string", Note: "full name, for example confluence_update_page"},
		{Name: "request.group", Type: "string", Note: "pages, spaces, search, attachments or users"},
		{Name: "request.action", Type: "string", Note: "read, create, update or delete"},
		{Name: "request.transport", Type: "string", Note: "stdio, http or cli"},
		{Name: "request.live", Type: "bool", Note: "goes to Confluence, not only to the mirror"},
		{Name: "now", Type: "timestamp", Note: "time of the call"},
		{Name: "identity.id", Type: "string", Note: "name of the configured agent"},
		{Name: "identity.kind", Type: "string", Note: "user, service or public"},
		{Name: "identity.account_id", Type: "string", Note: "empty for service and public"},
		{Name: "identity.email", Type: "string"},
		{Name: "identity.groups", Type: "list", Note: "resolved group names"},
		{Name: "identity.attributes", Type: "map", Note: "extra access attributes"},
		{Name: "site.id", Type: "string"},
		{Name: "site.kind", Type: "string", Note: "cloud or dc"},
		{Name: "resource.known", Type: "bool", Note: "the resource could be loaded"},
		{Name: "resource.type", Type: "string"},
		{Name: "resource.id", Type: "string"},
		{Name: "resource.space_key", Type: "string"},
		{Name: "resource.space_type", Type: "string"},
		{Name: "resource.status", Type: "string"},
		{Name: "resource.title", Type: "string"},
		{Name: "resource.author_id", Type: "string"},
		{Name: "resource.labels", Type: "list"},
		{Name: "resource.ancestor_ids", Type: "list", Note: "root first"},
		{Name: "resource.version", Type: "int"},
		{Name: "resource.attachment_bytes", Type: "int"},
		{Name: "resource.updated_at", Type: "timestamp", Note: "the epoch when unknown"},
		{Name: "resource.restricted", Type: "bool", Note: "has an effective view restriction"},
		{Name: "change.target_space_key", Type: "string", Note: "space a create, copy or move goes to"},
		{Name: "change.target_parent_id", Type: "string"},
		{Name: "change.title", Type: "string", Note: "new title, or name of an uploaded file"},
		{Name: "change.media_type", Type: "string"},
		{Name: "change.body_bytes", Type: "int"},
		{Name: "change.added_bytes", Type: "int"},
		{Name: "change.removed_bytes", Type: "int"},
		{Name: "change.removed_ratio", Type: "double", Note: "removed bytes over bytes before, 0 to 1"},
		{Name: "change.macros_added", Type: "list"},
		{Name: "change.external_hosts_added", Type: "list"},
		{Name: "context.read_restricted", Type: "bool", Note: "read restricted content, or content from outside, a short time ago"},
		{Name: "context.read_external", Type: "bool", Note: "read content last written by a guest, an app, nobody or an unknown account a short time ago"},
	}
	for i := range all {
		all[i].Bound = Bound(all[i].Name)
	}
	return all
}

// Bound is the largest length of a list or map; a longer one cannot be judged.
// It is zero for every other variable.
func Bound(name string) int {
	switch name {
	case "identity.groups":
		return 1000
	case "resource.labels":
		return 200
	case "resource.ancestor_ids", "identity.attributes", "change.macros_added", "change.external_hosts_added":
		return 100
	default:
		return 0
	}
}

func celType(name string) *cel.Type {
	switch name {
	case "bool":
		return cel.BoolType
	case "int":
		return cel.IntType
	case "double":
		return cel.DoubleType
	case "timestamp":
		return cel.TimestampType
	case "list":
		return cel.ListType(cel.StringType)
	case "map":
		return cel.MapType(cel.StringType, cel.StringType)
	default:
		return cel.StringType
	}
}

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
	return []Variable{
		{"request.tool", "string", 0, "full name, for example confluence_update_page"},
		{"request.group", "string", 0, "pages, spaces, search, attachments or users"},
		{"request.action", "string", 0, "read, create, update or delete"},
		{"request.transport", "string", 0, "stdio, http or cli"},
		{"request.live", "bool", 0, "goes to Confluence, not only to the mirror"},
		{"now", "timestamp", 0, "time of the call"},
		{"identity.id", "string", 0, "name of the configured agent"},
		{"identity.kind", "string", 0, "user, service or public"},
		{"identity.account_id", "string", 0, "empty for service and public"},
		{"identity.email", "string", 0, ""},
		{"identity.groups", "list", 1000, "resolved group names"},
		{"identity.attributes", "map", 100, "extra access attributes"},
		{"site.id", "string", 0, ""},
		{"site.kind", "string", 0, "cloud or dc"},
		{"resource.known", "bool", 0, "the resource could be loaded"},
		{"resource.type", "string", 0, ""},
		{"resource.id", "string", 0, ""},
		{"resource.space_key", "string", 0, ""},
		{"resource.space_type", "string", 0, ""},
		{"resource.status", "string", 0, ""},
		{"resource.title", "string", 0, ""},
		{"resource.author_id", "string", 0, ""},
		{"resource.labels", "list", 200, ""},
		{"resource.ancestor_ids", "list", 100, "root first"},
		{"resource.version", "int", 0, ""},
		{"resource.attachment_bytes", "int", 0, ""},
		{"resource.updated_at", "timestamp", 0, "the epoch when unknown"},
		{"resource.restricted", "bool", 0, "has an effective view restriction"},
		{"change.target_space_key", "string", 0, "space a create, copy or move goes to"},
		{"change.target_parent_id", "string", 0, ""},
		{"change.title", "string", 0, "new title, or name of an uploaded file"},
		{"change.media_type", "string", 0, ""},
		{"change.body_bytes", "int", 0, ""},
		{"change.added_bytes", "int", 0, ""},
		{"change.removed_bytes", "int", 0, ""},
		{"change.removed_ratio", "double", 0, "removed bytes over bytes before, 0 to 1"},
		{"change.macros_added", "list", 100, ""},
		{"change.external_hosts_added", "list", 100, ""},
		{"context.read_restricted", "bool", 0, "read restricted content a short time ago"},
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

package v1

import (
	"net/http"
	"slices"
	"strings"

	"confluence-mcp/internal/emulator/wire"
)

const root = "/wiki/rest/api/"

// kit is what the handlers share.
type kit struct {
	texts *texts
	tasks *tasks
}

// Routes lists the operations of this API generation. The lists of several
// calls share nothing.
func Routes() []wire.Route {
	k := &kit{texts: &texts{}, tasks: &tasks{}}
	return slices.Concat(k.searchRoutes(), k.peopleRoutes(), k.spaceRoutes(), k.taskRoutes(), labelRoutes(),
		attachmentRoutes(), restrictionRoutes(), k.treeRoutes(), legacyRoutes(), legacyWriteRoutes(), propertyRoutes(), templateRoutes())
}

func get(path string, scopes [][]string, fn handler) wire.Route {
	return wire.Route{Method: http.MethodGet, Pattern: root + path, Scopes: scopes, Handle: fn}
}

func route(method, path string, scopes [][]string, fn handler) wire.Route {
	return wire.Route{Method: method, Pattern: root + path, Scopes: scopes, Handle: fn}
}

// gone marks a route that left the published document.
func gone(r wire.Route) wire.Route {
	r.Gone = true
	return r
}

// anyOf makes alternatives of single scopes.
func anyOf(scopes ...string) [][]string { return alternatives(scopes...) }

// alternatives makes scope sets of space-separated lists.
func alternatives(sets ...string) [][]string {
	var out [][]string
	for _, set := range sets {
		out = append(out, strings.Fields(set))
	}
	return out
}

package emulator

import (
	"net/http"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// operations lists what both API generations serve.
func operations() []wire.Route { return nil }

// media serves the bytes of a site's attachments.
func media(*site.Site) http.Handler { return http.NotFoundHandler() }

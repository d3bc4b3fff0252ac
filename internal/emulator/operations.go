package emulator

import (
	"slices"

	"confluence-mcp/internal/emulator/site"
	v1 "confluence-mcp/internal/emulator/v1"
	v2 "confluence-mcp/internal/emulator/v2"
	"confluence-mcp/internal/emulator/wire"
)

// operations lists what both API generations serve.
func operations() []wire.Route { return slices.Concat(v1.Routes(), v2.Routes()) }

// siteOf finds a site for the media host.
func (e *Emulator) siteOf(cloudID string) (*site.Site, bool) {
	if h := e.byCloudID(cloudID); h != nil {
		return h.site, true
	}
	return nil, false
}

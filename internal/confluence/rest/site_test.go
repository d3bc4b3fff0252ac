package rest_test

import (
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/tools"
)

// The client is what the tools ask for.
var _ tools.Site = (*rest.Client)(nil)

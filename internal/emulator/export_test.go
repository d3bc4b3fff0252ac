package emulator

import "confluence-mcp/internal/emulator/wire"

// Build makes an emulator with operations of the test's own, so that the shell
// is tested by itself.
func Build(cfg Config, routes []wire.Route) (*Emulator, error) { return build(cfg, routes) }

// Globbed is the match of fault rules.
func Globbed(pattern, s string) bool { return globbed(pattern, s) }

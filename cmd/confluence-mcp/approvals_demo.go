package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"confluence-mcp/internal/owner"
	"confluence-mcp/server"
)

// demoProfile is what the demo has besides the shipped profiles: every change
// of a page waits for a person.
const demoProfile = `version: 1
name: with-approval
description: Pages can be changed once somebody approved the change.
groups:
  pages: {level: read_write, allow_delete: true, require_approval: true}
  spaces: {level: read_only}
  search: {level: read_only}
  attachments: {level: read_only}
  users: {level: read_only}
`

// demoProfiles is a folder of profiles for an administrator to play with.
func demoProfiles(dir string) (string, error) {
	folder := filepath.Join(dir, "policies")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	file := filepath.Join(folder, "with-approval.yaml")
	if _, err := os.Lstat(file); err == nil {
		return folder, nil // theirs now
	}
	return folder, os.WriteFile(file, []byte(demoProfile), 0o600)
}

// serveDemo serves the demo, and the commands that decide about its approvals,
// until ctx ends.
func (p program) serveDemo(ctx context.Context, own *owner.Owner, e *engine, srv *server.Server, l net.Listener) error {
	dir := e.cfg.DataDir
	fmt.Fprintf(p.out, `
  approvals      confluence-mcp demo --profile with-approval   then ask for a change, and elsewhere:
                 confluence-mcp approvals list --data-dir %[1]s
                 confluence-mcp approvals approve ID --data-dir %[1]s
  from here      confluence-mcp query review --as bob@harbourpine.test --data-dir %[1]s
  what happened  confluence-mcp audit list --data-dir %[1]s
`, dir)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return srv.Serve(ctx, l) })
	g.Go(func() error { return p.serveOwned(ctx, own, e, srv) })
	g.Go(func() error { return e.watchProfiles(ctx, srv.ToolsChanged) })
	return g.Wait()
}

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/owner"
	"confluence-mcp/server"
)

// streamRequest is what a second stdio server tells the owner. Sites is a
// digest of what it would have connected to, and with which credentials: an
// owner that serves other sites, or as other accounts, must not answer in their
// place.
type streamRequest struct {
	Profile  string `json:"profile"`
	As       string `json:"as"`
	ReadOnly bool   `json:"read_only"`
	Sites    string `json:"sites"`
}

// siteDigest tells two configurations of integrations apart. Tokens go in as
// digests; they are too long to be guessed from them.
func siteDigest(cfg config.Config) string {
	h := sha256.New()
	for _, i := range cfg.Integrations {
		fmt.Fprintf(h, "%q %q %q %q %x\n", i.Name, i.BaseURL, i.Username, i.Spaces, sha256.Sum256([]byte(i.Token.Reveal())))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// workDigest tells two configurations apart that commands work differently
// with: they show, write or drop what one of them does not know.
func workDigest(cfg config.Config) string {
	profiles := cfg.ProfilesDir
	if at, err := filepath.Abs(profiles); profiles != "" && err == nil {
		profiles = at
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %+v %q %t", siteDigest(cfg), cfg.Integrations, profiles, cfg.ReadOnly))
	return hex.EncodeToString(sum[:])
}

// streamRequested is what a second stdio server asks an owner of this
// configuration for.
func streamRequested(cfg config.Config, args []string) (streamRequest, error) {
	var r streamRequest
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &r) != nil {
		return r, errors.New("malformed request")
	}
	if r.Sites != siteDigest(cfg) {
		return r, errors.New("it is configured for other sites, or other credentials, than this owner")
	}
	return r, nil
}

// streamCaller is the caller of a second stdio client of this folder.
func (e *engine) streamCaller(r streamRequest) (identity.Caller, error) {
	c, err := e.localCaller(r.Profile, r.As)
	c.ReadOnly = r.ReadOnly
	return c, err
}

// ownerPatience is how long a second process waits for an owner that is just
// starting or just ending.
const ownerPatience = 10 * time.Second

// serveStdio serves one client over standard streams: as the owner of the data
// folder, or through the process that owns it. When that owner ends, this
// process takes the folder over and the client notices nothing but the answers
// that were under way, which come back as errors.
func (p program) serveStdio(ctx context.Context, cfg config.Config, f serveFlags) error {
	client := &stdioClient{in: p.in, out: p.out}
	giveUp := p.now().Add(ownerPatience)
	for {
		own, err := owner.Claim(cfg.DataDir)
		if err == nil {
			return p.ownAndServe(ctx, own, cfg, f, client)
		}
		var held *owner.Held
		if !errors.As(err, &held) {
			return err
		}
		served, err := p.serveThrough(ctx, cfg, f, client, held)
		switch {
		case served == ended || err != nil:
			return err
		case served == orphaned:
			giveUp = p.now().Add(ownerPatience)
		case p.now().After(giveUp):
			return ownedElsewhere(held)
		}
	}
}

// ownAndServe serves the client, and the folder's other processes, until the
// client ends.
func (p program) ownAndServe(ctx context.Context, own *owner.Owner, cfg config.Config, f serveFlags, client *stdioClient) error {
	defer func() { _ = own.Close() }() // the lock ends with the process anyway
	e, err := p.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = e.close() }() // every entry was synced when it was written
	caller, err := e.localCaller(f.profile, f.as)
	if err != nil {
		return err
	}
	srv, err := server.New(p.serverConfig(e))
	if err != nil {
		return err
	}
	e.logger.Info("serving MCP over stdio", "profile", caller.Profile, "integrations", e.sites.Len())
	return p.serveClient(ctx, own, e, srv, func(ctx context.Context) error {
		e.startCopy(ctx, p.now, stdioHead)
		in, out := client.attach(ctx)
		return srv.ServeStream(ctx, in, out, caller)
	})
}

// serveClient serves one client, and beside it the folder's other processes,
// until the client ends.
func (p program) serveClient(ctx context.Context, own *owner.Owner, e *engine, srv *server.Server, client func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.serveOwned(ctx, own, e, srv) })
	g.Go(func() error { return e.watchProfiles(ctx, srv.ToolsChanged) })
	g.Go(func() error {
		defer cancel() // the client is gone; so are we
		return client(ctx)
	})
	return g.Wait()
}

// served is how serving a client through the owner came out.
type served int

const (
	notYet   served = iota // the owner could not be reached; try again
	orphaned               // the owner ended before the client did
	ended                  // the client ended
)

// serveThrough lets the owner serve the client.
func (p program) serveThrough(ctx context.Context, cfg config.Config, f serveFlags, client *stdioClient, held *owner.Held) (served, error) {
	words, err := json.Marshal(streamRequest{Profile: f.profile, As: f.as, ReadOnly: cfg.ReadOnly, Sites: siteDigest(cfg)})
	if err != nil {
		return ended, err
	}
	conn, err := owner.Stream(ctx, cfg.DataDir, []string{string(words)})
	var refused *owner.Refused
	if errors.As(err, &refused) {
		return ended, &confluence.Error{Kind: confluence.Conflict, Code: "store.owned", Op: "serve", Err: err,
			Message: fmt.Sprintf("process %d owns the data folder %s and refuses: %s", held.PID, cfg.DataDir, refused.Reason),
			Next:    "Give this server a folder of its own with --data-dir."}
	}
	if err != nil {
		return notYet, confluence.Pause(ctx, ownerPause)
	}
	p.logger().Info("serving MCP over stdio through the owner of the data folder", "pid", held.PID)
	if client.relay(ctx, conn) {
		return ended, nil
	}
	return orphaned, ctx.Err()
}

// ownerPause is how long an owner that is away is left alone.
const ownerPause = 50 * time.Millisecond

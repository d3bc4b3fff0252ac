package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/demo"
	"confluence-mcp/internal/emulator"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/owner"
	"confluence-mcp/internal/seal"
	"confluence-mcp/server"
)

const (
	demoIntegration = "demo"
	demoAccount     = "mirror"         // who reads the sample company into the mirror
	demoInterval    = 30 * time.Second // a change by another client shows soon
)

type demoFlags struct {
	stdio   bool
	listen  string
	profile string
	as      string
	dataDir string
	own     *owner.Owner // of the data folder
}

func (p program) demoCommand() *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Serve a sample company; no account needed",
		Long: `Start a fake Confluence with a sample company inside this process and serve it
over MCP. Nothing leaves this machine and nothing is kept.

Over HTTP a request without a key is answered as ann; the keys demo-ann and
demo-bob choose who asks, and demo-runtime may name a user per request.`,
		Example: `  confluence-mcp demo
  confluence-mcp demo --profile full-access
  confluence-mcp demo --stdio --as bob`,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.stdio && c.Flags().Changed("listen") {
				return usage("--stdio and --listen exclude each other")
			}
			if !isLoopback(f.listen) {
				return usage("the demo listens on loopback only; %s is not", f.listen)
			}
			return p.demo(c.Context(), f)
		},
	}
	c.Flags().BoolVar(&f.stdio, "stdio", false, "serve over standard input and output")
	c.Flags().StringVar(&f.listen, "listen", config.DefaultListen, "serve HTTP at this loopback `address`")
	c.Flags().StringVar(&f.profile, "profile", defaultProfile, "policy profile")
	c.Flags().StringVar(&f.as, "as", "ann", "who asks: username, e-mail or id")
	c.Flags().StringVar(&f.dataDir, "data-dir", "", "data `folder` to keep; a temporary one otherwise")
	return c
}

func (p program) demo(ctx context.Context, f demoFlags) error {
	fake, err := startDemoSite(p.now)
	if err != nil {
		return err
	}
	defer closeSoon(fake.Close)
	dir, forget, err := demoFolder(f.dataDir)
	if err != nil {
		return err
	}
	defer forget()
	own, err := owner.Claim(dir)
	if err != nil {
		return ownedElsewhere(err)
	}
	defer func() { _ = own.Close() }() // the lock ends with the process anyway
	e, people, err := p.demoEngine(ctx, fake.Addresses()[0].URL, dir)
	if err != nil {
		return err
	}
	defer func() { _ = e.close() }() // every entry was synced when it was written
	who, err := findPerson(people, f.as)
	if err != nil {
		return err
	}
	if err := e.knownProfile(f.profile); err != nil {
		return err
	}
	if f.stdio {
		return p.demoStdio(ctx, own, e, f, who)
	}
	f.own = own
	return p.demoHTTP(ctx, e, f, people, who)
}

func startDemoSite(now func() time.Time) (*emulator.Emulator, error) {
	site, err := demo.Site()
	if err != nil {
		return nil, err
	}
	fake, err := emulator.New(emulator.Config{Sites: []emulator.Source{{Name: "the sample site", Lines: site}}, Now: now})
	if err != nil {
		return nil, err
	}
	return fake, fake.Listen("127.0.0.1:0")
}

func closeSoon(stop func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = stop(ctx) // the process ends; what is still open is cut
}

func demoFolder(given string) (dir string, forget func(), err error) {
	if given != "" {
		return given, func() {}, nil
	}
	dir, err = os.MkdirTemp("", "confluence-mcp-demo-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

// demoEngine mirrors the sample company and connects everybody with their own
// token for what they write.
func (p program) demoEngine(ctx context.Context, url, dir string) (*engine, []demo.Person, error) {
	people, err := demo.People()
	if err != nil || len(people) == 0 {
		return nil, nil, errors.Join(err, errors.New("the sample site has no people"))
	}
	account, err := findPerson(people, demoAccount)
	if err != nil {
		return nil, nil, err
	}
	in := config.Integration{Name: demoIntegration, BaseURL: url, Username: account.Email, Token: seal.NewSecret(account.Token), AccessRightsSync: true}
	profiles, err := demoProfiles(dir)
	if err != nil {
		return nil, nil, err
	}
	e, err := p.open(ctx, config.Config{DataDir: dir, Integrations: []config.Integration{in}, ProfilesDir: profiles, SelfConfirm: true,
		Sync: config.Sync{Interval: demoInterval, FullInterval: config.DefaultFullSync, BlogPosts: true}})
	if err != nil {
		return nil, nil, err
	}
	e.keyless = true
	if e.people, err = p.ownAccounts(e.logger, in, people); err != nil {
		return nil, nil, errors.Join(err, e.close())
	}
	if err := p.demoCopy(ctx, e); err != nil {
		return nil, nil, errors.Join(err, e.close())
	}
	return e, people, nil
}

// demoCopy reads the sample company into the mirror before anybody is served.
func (p program) demoCopy(ctx context.Context, e *engine) error {
	if err := e.openCopy(ctx, p.now, false); err != nil {
		return err
	}
	if _, err := e.sites.Sync(ctx, demoIntegration, false, nil); err != nil {
		return err
	}
	return e.copy.copy.Load().index.Follow(ctx)
}

// ownAccounts gives everybody of the sample company a client of their own.
func (p program) ownAccounts(logger *slog.Logger, in config.Integration, people []demo.Person) (map[string]*rest.Client, error) {
	own := map[string]*rest.Client{}
	for _, who := range people {
		rc := p.clientConfig(logger, patienceOfCallers)
		rc.Name, rc.BaseURL, rc.Auth, rc.Username, rc.Token = in.Name, in.BaseURL, rest.Basic, who.Email, seal.NewSecret(who.Token)
		c, err := rest.New(rc)
		if err != nil {
			return nil, err
		}
		own[who.ID], own[who.Username], own[who.Email] = c, c, c
	}
	return own, nil
}

func findPerson(people []demo.Person, who string) (demo.Person, error) {
	var names []string
	for _, x := range people {
		if who == x.Username || who == x.ID || who == x.Email {
			return x, nil
		}
		names = append(names, x.Username)
	}
	return demo.Person{}, &confluence.Error{Kind: confluence.Invalid, Op: "demo", Message: fmt.Sprintf("nobody called %q works there", who), Next: "Choose one of: " + strings.Join(names, ", ") + "."}
}

func demoCaller(who demo.Person, profile, transport string) identity.Caller {
	return identity.Caller{Agent: "demo-" + who.Username, Owner: who.Username, Kind: identity.User, Integration: demoIntegration,
		AccountID: who.ID, Email: who.Email, Profile: profile, Transport: transport, Admin: true}
}

func (p program) demoStdio(ctx context.Context, own *owner.Owner, e *engine, f demoFlags, who demo.Person) error {
	srv, err := server.New(p.serverConfig(e))
	if err != nil {
		return err
	}
	fmt.Fprintf(p.errOut, "confluence-mcp demo: serving the sample company over stdio as %s, profile %s.\nTry --as ann and --as bob: they see different things. Try --profile full-access to write.\n", who.Username, f.profile)
	return p.serveClient(ctx, own, e, srv, func(ctx context.Context) error {
		return srv.ServeStream(ctx, p.in, p.out, demoCaller(who, f.profile, identity.Stdio))
	})
}

func (p program) demoHTTP(ctx context.Context, e *engine, f demoFlags, people []demo.Person, who demo.Person) error {
	agents, err := demoAgents(people, f.profile, p.now)
	if err != nil {
		return err
	}
	sc := p.serverConfig(e)
	sc.Authenticator = agents
	sc.NoAuth = demoAgent(who, f.profile)
	srv, err := p.newServer(e, sc)
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", f.listen)
	if err != nil {
		return &confluence.Error{Kind: confluence.Unavailable, Op: "listen", Ref: f.listen, Err: err, Message: err.Error(), Next: "Choose another address with --listen."}
	}
	p.greet("http://"+l.Addr().String(), f.profile, who)
	return p.serveDemo(ctx, f.own, e, srv, l)
}

func demoAgent(who demo.Person, profile string) *server.Agent {
	return &server.Agent{Name: "demo-" + who.Username, Authority: "demo", Owner: who.Username, Profile: profile, Admin: true, Approver: true,
		Identity: demoCaller(who, profile, identity.HTTP)}
}

// demoAgents gives everybody the key demo-<username>, and a runtime that may
// name a user per request the key demo-runtime.
func demoAgents(people []demo.Person, profile string, now func() time.Time) (*server.StaticKeys, error) {
	keys := []server.StaticKey{{SHA256: digest("demo-runtime"), Agent: server.Agent{Name: "demo-runtime", Authority: "demo", Owner: "runtime", Profile: profile, ActForUsers: true}}}
	for _, who := range people {
		keys = append(keys, server.StaticKey{SHA256: digest("demo-" + who.Username), Agent: *demoAgent(who, profile)})
	}
	return server.NewStaticKeys(keys, now)
}

func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func (p program) greet(url, profile string, who demo.Person) {
	fmt.Fprintf(p.out, `The sample company is served, profile %[2]s. Stop with Ctrl-C.

  MCP endpoint   %[1]s/mcp
  no key         you ask as %[3]s
  two callers    Authorization: Bearer demo-ann   finds what only the engineers see, as Incident reviews
                 Authorization: Bearer demo-bob   does not, but what only the people team sees, as March review

  Claude Code    claude mcp add --transport http confluence %[1]s/mcp
  VS Code        {"servers":{"confluence":{"type":"http","url":"%[1]s/mcp"}}}
  by hand        curl -s %[1]s/mcp -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \
                   -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H 'Mcp-Name: confluence_search' \
                   -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"confluence_search","arguments":{"query":"review"},
                       "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}'
`, url, profile, who.Username)
}

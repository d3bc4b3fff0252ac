package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/registry"
)

// connectFlags are those of connect and reconnect.
type connectFlags struct {
	place
	integration string
	open        bool
	asJSON      bool
	linkRequest
}

func (p program) connectCommand() *cobra.Command {
	var f connectFlags
	c := &cobra.Command{Use: "connect", Short: "Connect an integration to Confluence Cloud by OAuth",
		Long: `Connect an integration that has no token. The command shows the permissions it
will ask for and prints the address of the consent page; whoever opens it signs
in at Atlassian, and Atlassian calls back at oauth.redirect_url. When several
sites are open to the account, choose one here or with --site.`,
		Example: `  confluence-mcp connect --integration acme
  confluence-mcp connect --integration acme --site https://acme.atlassian.net`,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withEngine(c.Context(), f.place, func(ctx context.Context, e *engine) error { return p.connect(ctx, e, f) })
		}}
	f.flags(c)
	return c
}

func (p program) reconnectCommand() *cobra.Command {
	f := connectFlags{linkRequest: linkRequest{Again: true}}
	c := &cobra.Command{Use: "reconnect", Short: "Consent anew, or choose another site, for a connected integration",
		Long: `Consent anew for an integration whose connection has ended or lacks permissions,
or choose another site with --site. What was mirrored of another site is
unreachable at once.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withEngine(c.Context(), f.place, func(ctx context.Context, e *engine) error { return p.connect(ctx, e, f) })
		}}
	f.flags(c)
	c.Flags().BoolVar(&f.OtherAccount, "other-account", false, "another account than before may consent")
	return c
}

func (f *connectFlags) flags(c *cobra.Command) {
	f.place.flags(c)
	c.Flags().StringVar(&f.integration, "integration", "", "its `name` or id; not needed when only one is without an API token")
	c.Flags().StringVar(&f.Site, "site", "", "the site: its address or `cloud-id`")
	c.Flags().StringArrayVar(&f.Profiles, "profile", nil, "ask for what this `profile` needs; default: those of the file's agents")
	c.Flags().BoolVar(&f.open, "open", false, "open the consent page in the browser of this machine, too")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON lines: first what to open, then how it ended")
}

func (p program) connect(ctx context.Context, e *engine, f connectFlags) error {
	l := e.links
	i, err := l.target(f.integration)
	if err != nil {
		return err
	}
	if f.Site != "" {
		if done, err := p.chooseWaiting(ctx, l, i, f); done || err != nil {
			return err
		}
	}
	stop, err := l.listen(ctx)
	if err != nil {
		return err
	}
	defer stop()
	f.By = atShell()
	consent, err := l.begin(ctx, i, f.linkRequest)
	if err != nil {
		return err
	}
	if err := p.showConsent(consent, f); err != nil {
		return err
	}
	o, err := consent.Wait(ctx, p.now)
	if err != nil {
		return err
	}
	if o.Grant.State == oauth.Choosing {
		return p.chooseSite(ctx, l, i, o, f)
	}
	return p.showConnected(i, o, f.asJSON)
}

// showConsent says what will be asked for before anybody is sent to Atlassian.
func (p program) showConsent(c oauth.Consent, f connectFlags) error {
	if f.asJSON {
		if err := json.NewEncoder(p.out).Encode(c); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(p.out, "These permissions will be asked for:")
		for _, s := range c.Scopes {
			fmt.Fprintln(p.out, "  "+s)
		}
		fmt.Fprintf(p.out, "%s\n\nOpen this address within ten minutes:\n  %s\n", c.Notice, c.URL)
	}
	if f.open && openBrowser(c.URL) != nil {
		fmt.Fprintln(p.errOut, "The browser could not be opened; open the address yourself.")
	}
	return nil
}

// openBrowser hands an address to the desktop.
func openBrowser(address string) error {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	c := exec.Command(name, args...)
	if err := c.Start(); err != nil {
		return err
	}
	return c.Process.Release()
}

// chooseWaiting ends a connection that waits for the choice of a site, when
// there is one.
func (p program) chooseWaiting(ctx context.Context, l *links, i registry.Integration, f connectFlags) (done bool, err error) {
	all, err := l.grants.List(ctx, i.ID)
	if err != nil {
		return false, err
	}
	waits := false
	for _, g := range all {
		waits = waits || g.Role == oauth.Service && g.State == oauth.Choosing
	}
	if !waits {
		return false, nil
	}
	sites, err := l.grants.Sites(ctx, i.ID, oauth.Service, "")
	if confluence.KindOf(err) == confluence.Expired {
		return false, nil // too old to be of use; consent anew
	}
	if err != nil {
		return false, err
	}
	for _, s := range sites {
		if s.CloudID == f.Site || sameSite(s.URL, f.Site) {
			return true, p.choose(ctx, l, i, s.CloudID, f.asJSON)
		}
	}
	return false, nil
}

func sameSite(site, wanted string) bool {
	return strings.EqualFold(site, strings.TrimSuffix(strings.TrimSuffix(wanted, "/"), "/wiki"))
}

func (p program) choose(ctx context.Context, l *links, i registry.Integration, cloudID string, asJSON bool) error {
	g, err := l.choose(ctx, atShell(), i, cloudID)
	if err != nil {
		return err
	}
	return p.showConnected(i, oauth.Outcome{Grant: g}, asJSON)
}

// chooseSite asks which of several sites is meant, where somebody can answer.
func (p program) chooseSite(ctx context.Context, l *links, i registry.Integration, o oauth.Outcome, f connectFlags) error {
	if f.asJSON {
		if err := json.NewEncoder(p.out).Encode(map[string]any{"state": o.Grant.State, "integration": i.Name, "sites": o.Sites}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(p.out, "\nSigned in as %s. Several sites are open to this account:\n", o.Grant.AccountName)
		for n, s := range o.Sites {
			fmt.Fprintf(p.out, "  %d  %s  %s  %s\n", n+1, s.Name, s.URL, s.CloudID)
		}
	}
	n, ok := p.askNumber(len(o.Sites))
	if !ok {
		return &confluence.Error{Kind: confluence.Invalid, Code: "auth.choose_site", Op: "connect", Ref: i.Name, Message: "a site must be chosen",
			Next: "Choose it: confluence-mcp connect --integration " + i.Name + " --site CLOUD-ID. The consent is kept until then."}
	}
	return p.choose(ctx, l, i, o.Sites[n-1].CloudID, f.asJSON)
}

// askNumber reads a number from 1 to most from a terminal. In the owner's
// process there is none.
func (p program) askNumber(most int) (int, bool) {
	in, ok := p.in.(*os.File)
	if !ok || p.owned != nil || !term.IsTerminal(int(in.Fd())) {
		return 0, false
	}
	fmt.Fprintf(p.errOut, "Which one? [1-%d] ", most)
	return readNumber(in, most)
}

func readNumber(in io.Reader, most int) (int, bool) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(line))
	return n, err == nil && n >= 1 && n <= most
}

// linkAnswer is a connection as --json and REST show it.
type linkAnswer struct {
	Integration string      `json:"integration"`
	State       oauth.State `json:"state"`
	Account     string      `json:"account"`
	AccountName string      `json:"accountName"`
	Site        *oauth.Site `json:"site,omitempty"`
	Missing     []string    `json:"missingScopes,omitempty"`
	Extra       []string    `json:"extraScopes,omitempty"` // given and not asked for
	Lacks       []string    `json:"lacks,omitempty"`       // tool groups and actions that miss scopes, and which
	Reason      string      `json:"reason,omitempty"`
	Warning     string      `json:"warning,omitempty"`
	Ends        string      `json:"ends,omitempty"`
}

func (p program) answerLink(i registry.Integration, g oauth.Grant) linkAnswer {
	a := linkAnswer{Integration: i.Name, State: g.State, Account: g.Account, AccountName: g.AccountName, Reason: g.Reason, Warning: g.Warning(p.now()), Ends: day(g.Ends())}
	if g.CloudID != "" {
		a.Site = &oauth.Site{CloudID: g.CloudID, Name: g.SiteName, URL: g.SiteURL}
	}
	return a
}

func (p program) showConnected(i registry.Integration, o oauth.Outcome, asJSON bool) error {
	g := o.Grant
	if asJSON {
		a := p.answerLink(i, g)
		a.Missing, a.Extra = o.Missing, o.Extra
		return json.NewEncoder(p.out).Encode(a)
	}
	_, err := fmt.Fprintf(p.out, "\n%s is connected as %s to %s, %s (%s)\n", i.Name, g.AccountName, g.SiteName, g.SiteURL, g.CloudID)
	if len(o.Missing) > 0 {
		fmt.Fprintf(p.out, "These permissions were not given, and what needs them will not work: %s\n", strings.Join(o.Missing, " "))
	}
	if len(o.Extra) > 0 {
		fmt.Fprintf(p.out, "These permissions were given and not asked for; nothing here uses them: %s\n", strings.Join(o.Extra, " "))
	}
	return err
}

func (p program) disconnectCommand() *cobra.Command {
	var at place
	var integration string
	var keep, asJSON bool
	c := &cobra.Command{Use: "disconnect", Short: "Erase the tokens of an integration and stop it",
		Long: `Erase the tokens of an integration, people's own included, and stop its sync. What
was mirrored of it is deleted, unless it is kept, unseen by anybody. Confluence
itself is not touched.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withEngine(c.Context(), at, func(ctx context.Context, e *engine) error {
				i, err := e.links.target(integration)
				if err != nil {
					return err
				}
				return p.disconnect(ctx, e, i, keep, asJSON)
			})
		}}
	at.flags(c)
	c.Flags().StringVar(&integration, "integration", "", "its `name` or id; not needed when only one is without an API token")
	c.Flags().BoolVar(&keep, "keep-mirror", false, "keep what was mirrored, unseen by anybody")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p program) disconnect(ctx context.Context, e *engine, i registry.Integration, keep, asJSON bool) error {
	if p.owned == nil { // nothing runs here, but what was mirrored must go
		if err := e.openCopy(ctx, p.now, true); err != nil {
			return err
		}
	}
	n, err := e.links.disconnect(ctx, atShell(), i, keep)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(p.out).Encode(farewellOf(i, n, keep))
	}
	_, err = fmt.Fprintf(p.out, "%s is disconnected: the tokens of %d accounts were erased here.\nAtlassian still lists the app. To take its access away there, too:\n  %s\n", i.Name, n, oauth.RevokeURL)
	return err
}

// farewell is a disconnection as --json and REST show it.
type farewell struct {
	Integration string `json:"integration"`
	Erased      int    `json:"erased"` // accounts
	MirrorKept  bool   `json:"mirrorKept"`
	RevokeURL   string `json:"revokeUrl"`
}

func farewellOf(i registry.Integration, n int, keep bool) farewell {
	return farewell{Integration: i.Name, Erased: n, MirrorKept: keep, RevokeURL: oauth.RevokeURL}
}

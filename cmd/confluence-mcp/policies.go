package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policies"
	"confluence-mcp/policy"
	"confluence-mcp/policy/reload"
	"confluence-mcp/store"
	"confluence-mcp/tools"
)

// lookEvery is how often a server looks at the folder of profiles.
const lookEvery = 2 * time.Second

// policyCommand gives the policy commands the profiles a server with this
// configuration would know.
func (p program) policyCommand() *cobra.Command {
	var at place
	deps := policyDeps{In: p.in, Out: p.out, Err: p.errOut, Profiles: func() (*policy.Set, error) { return p.profiles(at) }}
	for _, t := range tools.Every() {
		deps.Tools = append(deps.Tools, policyTool{Name: t.Name, Group: t.Group, Action: t.Action})
	}
	deps.Audit = func(ctx context.Context, each func(string) error) error { return p.auditLines(ctx, at, each) }
	c := newPolicyCommand(deps)
	c.AddCommand(p.policyRevisionsCommand(&at), p.policyRollbackCommand(&at))
	c.PersistentFlags().StringVar(&at.config, "config", "", "configuration `file` that names profiles_dir")
	c.PersistentFlags().StringVar(&at.dataDir, "data-dir", "", "data `folder`; overrides the configuration")
	return c
}

// auditLines hands the audit log of the data folder to each, line by line. The
// owner of the folder, if there is one, exports it; files named on this command
// line are this process's to read.
func (p program) auditLines(ctx context.Context, at place, each func(string) error) error {
	r, w := io.Pipe()
	q := p
	q.args, q.out, q.errOut = []string{"audit", "export"}, w, io.Discard
	go func() {
		w.CloseWithError(q.withPrecious(ctx, at, func(ctx context.Context, s *store.Precious) error { return q.exportAudit(ctx, s, 0) }))
	}()
	err := eachLine(r, each)
	_ = r.Close() // lets the exporter end
	return err
}

// profiles gives what is in force, or would be if a server started now.
func (p program) profiles(at place) (*policy.Set, error) {
	if p.owned != nil {
		return p.owned.profiles.Set(), nil
	}
	cfg, err := p.load(at)
	if err != nil {
		return nil, err
	}
	r, err := p.peek(cfg)
	if err != nil {
		return nil, err
	}
	return r.Set(), nil
}

// peek reads the profiles as a server would, beside the server if one runs.
func (p program) peek(cfg config.Config) (*reload.Reloader, error) {
	rc := profilesOf(cfg, p.now, slog.New(slog.DiscardHandler))
	rc.Peek = true
	return reload.Open(rc)
}

// profilesOf is the shipped profiles and, over them, an admin's folder. What
// was good once is kept beside the other data.
func profilesOf(cfg config.Config, now func() time.Time, logger *slog.Logger) reload.Config {
	rc := reload.Config{Shipped: policies.FS, Dir: cfg.ProfilesDir, Now: now, Logger: logger}
	if cfg.ProfilesDir == "" {
		return rc
	}
	rc.Keep = filepath.Join(cfg.DataDir, "profiles")
	for _, t := range tools.Every() {
		rc.Tools = append(rc.Tools, t.Name)
	}
	return rc
}

// watchProfiles takes changes of the folder over until ctx ends, and says so
// through changed: it looks every [lookEvery], and at once on SIGHUP.
func (e *engine) watchProfiles(ctx context.Context, changed func()) error {
	if e.cfg.ProfilesDir == "" {
		return nil
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	told := e.profiles.Set().Revision()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-hangup:
		}
		_ = e.profiles.Reload()                              // the log, the metrics and /readyz say what is wrong
		if now := e.profiles.Set().Revision(); now != told { // a rollback changes it as well
			told = now
			changed()
		}
	}
}

// profileState is the word of /readyz about the profiles. What is wrong stands
// in the log: /readyz answers everybody.
func (e *engine) profileState() string {
	if s := e.profiles.Status(); s.Problem != "" {
		return "degraded: the folder is refused, revision " + s.Revision + " stays in force; the log and the command policy revisions say why"
	}
	return "ok"
}

// metrics is the registry of /metrics with the engine's own figures in it.
func (e *engine) metrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "policy_reload_failed_total", Help: "Contents of the profiles folder that were refused.",
		}, func() float64 { return float64(e.profiles.Status().Failures) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "policy_degraded", Help: "1 while the profiles folder is refused and older profiles are in force.",
		}, func() float64 {
			if e.profiles.Status().Problem != "" {
				return 1
			}
			return 0
		}),
	)
	return r
}

// withProfiles runs work on the profiles of the data folder and its log of
// changes: in the owner's process when there is one, else as the owner for as
// long as it lasts.
func (p program) withProfiles(ctx context.Context, at place, work func(context.Context, *reload.Reloader, changes) error) error {
	return p.withPrecious(ctx, at, func(ctx context.Context, s *store.Precious) error {
		cfg, err := p.configured(at)
		if err != nil {
			return err
		}
		if cfg.ProfilesDir == "" {
			return noProfilesDir()
		}
		if p.owned != nil {
			return work(ctx, p.owned.profiles, p.changes(s))
		}
		r, err := reload.Open(profilesOf(cfg, p.now, slog.New(slog.DiscardHandler)))
		if err != nil {
			return err
		}
		return work(ctx, r, p.changes(s))
	})
}

func noProfilesDir() error {
	return &confluence.Error{Kind: confluence.Invalid, Op: "policy", Message: "there is no folder of profiles; only the shipped ones are in force",
		Next: "Name a folder as profiles_dir in the configuration, and the configuration with --config."}
}

func (p program) policyRevisionsCommand(at *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "revisions", Short: "List the kept revisions of the profiles folder, and say what is in force", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withProfiles(c.Context(), *at, func(_ context.Context, r *reload.Reloader, _ changes) error { return p.printRevisions(r, asJSON) })
		}}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p program) printRevisions(r *reload.Reloader, asJSON bool) error {
	kept, err := r.Revisions()
	if err != nil {
		return err
	}
	status := r.Status()
	if asJSON {
		return json.NewEncoder(p.out).Encode(map[string]any{"in_force": status, "kept": kept})
	}
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "REVISION\tSINCE\tSTATE")
	told := false
	for _, k := range kept {
		state := "-"
		if k.Revision == status.Revision && !told {
			state, told = "in force", true
			if status.Pinned {
				state = "in force by a rollback, until the folder changes"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", k.Revision, k.Since.UTC().Format(time.RFC3339), state)
	}
	if status.Problem != "" {
		fmt.Fprintf(w, "\nThe folder is refused as it is now:\n%s\n", status.Problem)
	}
	return w.Flush()
}

func (p program) policyRollbackCommand(at *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "rollback [REVISION]", Short: "Put a kept revision of the profiles folder (or the one before) in force, until the folder changes", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.withProfiles(c.Context(), *at, func(ctx context.Context, r *reload.Reloader, log changes) error {
				return p.rollback(ctx, r, log, args, asJSON)
			})
		}}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// rollback goes back to the revision named, or to the newest one that is not in
// force.
func (p program) rollback(ctx context.Context, r *reload.Reloader, log changes, args []string, asJSON bool) error {
	before := r.Status().Revision
	kept, err := r.Revisions()
	if err != nil {
		return err
	}
	for _, k := range kept {
		if len(args) == 0 && k.Revision != before {
			args = []string{k.Revision}
		}
	}
	if len(args) == 0 {
		return notKept("", errors.New("there is no other revision"))
	}
	if err := putInForce(ctx, log, atShell(), r, args[0]); err != nil {
		return err
	}
	return p.print(asJSON, map[string]any{"in_force": args[0], "was": before}, "revision %s is in force, %s was\n", args[0], before)
}

// putInForce puts a kept revision in force, and into the log who did.
func putInForce(ctx context.Context, log changes, by identity.Caller, r *reload.Reloader, revision string) error {
	return log.make(ctx, by, change{policyRolledBack, thePolicy, revision}, func() error {
		if err := r.Rollback(revision); err != nil {
			return notKept(revision, err)
		}
		return nil
	})
}

func notKept(revision string, err error) error {
	return &confluence.Error{Kind: confluence.NotFound, Op: "policy rollback", Ref: revision, Err: err, Message: err.Error(),
		Next: "List what is kept with: confluence-mcp policy revisions."}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"confluence-mcp/ingest"
)

type syncFlags struct {
	place
	integration string
	full        bool
	json        bool
}

func (p program) syncCommand() *cobra.Command {
	var f syncFlags
	c := &cobra.Command{
		Use:   "sync",
		Short: "Read what changed in Confluence into the mirror, now",
		Long: `Make one pass over each integration, or over one: rights first, then what is new,
changed, moved or gone. --full reads every page again. A pass that is under way
is joined. Exit code 1: a pass failed or did not get to its end; what was read
is kept and the next pass goes on from there.`,
		Example: `  confluence-mcp sync
  confluence-mcp sync --integration acme --full`,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withCopy(c.Context(), f.place, func(ctx context.Context, e *engine, open *copied) error { return p.sync(ctx, e, open, f) })
		},
	}
	f.place.flags(c)
	c.Flags().StringVar(&f.integration, "integration", "", "only this `integration`, by name or id")
	c.Flags().BoolVar(&f.full, "full", false, "read every page again")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

// passed is how one integration came out.
type passed struct {
	Integration string        `json:"integration"`
	Report      ingest.Report `json:"report"`
	Error       string        `json:"error,omitempty"`
}

func (p program) sync(ctx context.Context, e *engine, open *copied, f syncFlags) error {
	names := e.sites.Names()
	if f.integration != "" {
		if err := e.sites.Check(f.integration); err != nil {
			return err
		}
		names = []string{f.integration}
	}
	if len(names) == 0 {
		return e.noSites()
	}
	var all []passed
	var failed []error
	for _, name := range names {
		show := p.progress(name)
		report, err := e.sites.Sync(ctx, name, f.full, show.tell)
		show.end()
		one := passed{Integration: name, Report: report}
		if err != nil {
			one.Error = err.Error()
			failed = append(failed, fmt.Errorf("integration %s: %w", name, err))
		} else if !report.Complete {
			failed = append(failed, fmt.Errorf("integration %s: not everything could be read", name))
		}
		all = append(all, one)
	}
	if err := open.index.Follow(ctx); err != nil {
		failed = append(failed, err)
	}
	if err := p.printPasses(all, f.json); err != nil {
		return err
	}
	return errors.Join(failed...)
}

func (p program) printPasses(all []passed, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(p.out).Encode(map[string]any{"passes": all})
	}
	for _, one := range all {
		r := one.Report
		fmt.Fprintf(p.out, "%s: %d spaces, %d pages; %d new or changed, %d gone, in %s\n", one.Integration, r.Spaces, r.Nodes, r.Changed, r.Hidden+r.Purged, r.Took.Round(time.Millisecond))
		for _, key := range r.Held {
			fmt.Fprintf(p.out, "  space %s: much is not found any more; it is hidden, and removed by the next pass that does not find it either\n", key)
		}
		for _, key := range r.Waiting {
			fmt.Fprintf(p.out, "  space %s: the next pass goes on\n", key)
		}
		for _, one := range r.Problems {
			where := strings.TrimSpace(one.Space + " " + one.Page)
			fmt.Fprintf(p.out, "  %s: %s (%s)\n", where, one.Text, one.Code)
		}
		if r.Left > 0 {
			fmt.Fprintf(p.out, "  and %d more problems\n", r.Left)
		}
	}
	return nil
}

// meter shows how a pass goes: a bar on a terminal, a line now and then
// elsewhere.
type meter struct {
	tell func(ingest.Progress)
	end  func()
}

const lineEvery = 2 * time.Second

func (p program) progress(name string) meter {
	if f, ok := p.errOut.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		bar := progressbar.NewOptions(100, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(name),
			progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
		return meter{
			tell: func(g ingest.Progress) {
				bar.Describe(strings.TrimSpace(fmt.Sprintf("%s %d/%d spaces, %d pages read %s", name, g.SpacesDone, g.Spaces, g.PagesRead, g.Space)))
				_ = bar.Set(g.PercentDone) // of the work: a pass may read nothing. A bar that cannot be drawn stops nothing
			},
			end: func() { _ = bar.Finish() },
		}
	}
	return meter{tell: lines(p.errOut, name, p.now), end: func() {}}
}

func lines(w io.Writer, name string, now func() time.Time) func(ingest.Progress) {
	last := now()
	return func(g ingest.Progress) {
		if now().Sub(last) < lineEvery {
			return
		}
		last = now()
		fmt.Fprintf(w, "%s: %d %%, %d of %d spaces, %d pages read\n", name, g.PercentDone, g.SpacesDone, g.Spaces, g.PagesRead)
	}
}

// withCopy runs work on the opened copy of Confluence: in the owner's process
// when there is one, else as the owner for as long as it lasts.
func (p program) withCopy(ctx context.Context, at place, work func(context.Context, *engine, *copied) error) error {
	return p.withEngine(ctx, at, func(ctx context.Context, e *engine) error {
		open, err := e.openedCopy(ctx, p.now)
		if err != nil {
			return err
		}
		return work(ctx, e, open)
	})
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/emulator/wiki"
)

// program is the command with everything it takes from its surroundings, so
// that tests run it as it is.
type program struct {
	stdout io.Writer
	stderr io.Writer
	now    func() time.Time
}

// usageError is a failure that exits with 2.
type usageError struct{ error }

// run executes the command line and answers with the exit code.
func (p program) run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(p.stderr, "confluence-emulator: %v\n", err)
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(p.stderr, "Run 'confluence-emulator --help' for usage.")
		return 2
	}
	return 1
}

func (p program) root() *cobra.Command {
	s := serving{program: p}
	cmd := &cobra.Command{
		Use:   "confluence-emulator --site FILE [--site FILE]… --listen ADDR",
		Short: "A fake Confluence that serves site files from memory",
		Long: `A fake Confluence Cloud that serves site files (JSON lines, gzipped or not)
from memory on loopback: one listener a site, the gateway and the OAuth
endpoints on the first, attachments from one more.

When it is ready it prints one line: {"url":…,"gateway":…,"media":…,"sites":[{"url","cloud_id","name"}…]}.
POST /__emulator/apply changes the running sites, GET /__emulator/requests?since=N
tells what was asked. The OAuth app is emulator-client / emulator-secret;
emulator_user=ID on /authorize consents without a page.`,
		Example: `  confluence-emulator --site acme.jsonl --listen 127.0.0.1:8090
  confluence-emulator --site a.jsonl --site b.jsonl.gz --listen 127.0.0.1:0
  confluence-emulator --site wiki.jsonl --scale 100000 --listen 127.0.0.1:8090`,
		Args:          exactArgs(0),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context()) },
	}
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := cmd.Flags()
	f.StringArrayVar(&s.sites, "site", nil, "site file; repeat it for several sites, the first is the main one")
	f.StringVar(&s.listen, "listen", "127.0.0.1:0", "loopback address of the first site; port 0 takes a free one")
	f.StringVar(&s.edition, "edition", "cloud", "cloud or datacenter")
	f.StringVar(&s.dcVersion, "dc-version", "", "version of the datacenter edition: 7.19, 8.5, 9.2 or 10")
	growthFlags(cmd, &s.growth)
	cmd.AddCommand(p.convertWiki(), applyLines())
	return cmd
}

func growthFlags(cmd *cobra.Command, g *wiki.Growth) {
	f := cmd.Flags()
	f.IntVar(&g.Pages, "scale", 0, "grow every site to that many pages; 0 leaves it as it is")
	f.Uint64Var(&g.Seed, "seed", 0, "varies the text of grown pages")
	f.IntVar(&g.Cut, "cut", 0, "shorten each page's text to about that many characters; 0 leaves it")
}

func (p program) convertWiki() *cobra.Command {
	var growth wiki.Growth
	cmd := &cobra.Command{
		Use:     "convert-wiki DIR",
		Short:   "Write the wiki corpus in DIR as a site file to stdout",
		Example: `  confluence-emulator convert-wiki corpus/wiki > wiki.jsonl`,
		Args:    exactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkGrowth(growth); err != nil {
				return err
			}
			return wiki.Convert(p.stdout, os.DirFS(args[0]), growth)
		},
	}
	growthFlags(cmd, &growth)
	return cmd
}

func checkGrowth(g wiki.Growth) error {
	if g.Pages < 0 || g.Cut < 0 {
		return usageError{errors.New("--scale and --cut take no negative numbers")}
	}
	return nil
}

func exactArgs(n int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("takes %d arguments, not %d: %q", n, len(args), args)}
		}
		return nil
	}
}

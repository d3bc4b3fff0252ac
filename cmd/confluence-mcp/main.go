package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
)

// Exit codes every command shares; others are documented per command.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	collectLater(os.Getenv("GOGC"))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := program{in: os.Stdin, out: os.Stdout, errOut: os.Stderr, getenv: os.Getenv, now: time.Now}
	code := p.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// program is the whole product as a value: tests run it with streams, an
// environment and a clock of their own.
type program struct {
	in       io.Reader
	out      io.Writer
	errOut   io.Writer
	getenv   func(string) string
	now      func() time.Time
	args     []string      // the words of this run
	given    []byte        // what it read from in, for an owner that runs it instead
	patience time.Duration // with rate limits, for the doctor; 0: that of callers
	owned    *engine       // set while the owner of a data folder runs another process's command
}

func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// run executes one command line and gives its exit code. Errors go to errOut
// as what happened and, where it is known, what to do next.
func (p program) run(ctx context.Context, args []string) int {
	p.args = args
	root := p.root()
	root.SetArgs(args)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.errOut)
	return p.tell(root.ExecuteContext(ctx))
}

// tell says what went wrong, and gives the exit code of it.
func (p program) tell(err error) int {
	if err == nil {
		return exitOK
	}
	code := exitFailed
	var chosen interface{ ExitCode() int }
	if errors.As(err, &chosen) {
		code = chosen.ExitCode()
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(p.errOut, "confluence-mcp:", text)
	}
	var known *confluence.Error
	if errors.As(err, &known) && known.Next != "" {
		fmt.Fprintln(p.errOut, "  next:", known.Next)
	}
	return code
}

func (p program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "confluence-mcp",
		Short: "A company's Confluence for AI agents, as exactly the person who asks",
		Long: `confluence-mcp serves Confluence to AI agents over MCP: search, read and write,
as exactly the person who asks, under a policy profile that can only narrow.

Try it without an account:   confluence-mcp demo
Plug it into a client:       confluence-mcp serve   (stdio, Read Only)
Find out what is wrong:      confluence-mcp doctor`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("%v (see %s --help)", err, c.CommandPath())
	})
	root.AddCommand(p.serveCommand(), p.demoCommand(), p.agentsCommand(), p.doctorCommand(), p.configCommand(), p.versionCommand(),
		p.policyCommand(), newMarkupCommand(p.in, p.out, p.errOut),
		p.auditCommand(), p.approvalsCommand(), p.relevanceCommand(), p.connectCommand(), p.reconnectCommand(), p.disconnectCommand(), p.connectionsCommand(), p.secretsCommand())
	root.AddCommand(p.queryCommand(), p.syncCommand(), p.mirrorCommand(), p.integrationsCommand())
	refuseStrayWords(root)
	return root
}

// refuseStrayWords makes a mistyped subcommand or a stray argument a usage
// error instead of a help page with exit code 0, and a required flag that is
// missing one too, which cobra would find later, as an error like any other.
func refuseStrayWords(c *cobra.Command) {
	if c.Args == nil && !c.HasSubCommands() {
		c.Args = cobra.NoArgs
	}
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			if err == nil {
				err = c.ValidateRequiredFlags()
			}
			if err != nil {
				return usage("%v (see %s --help)", err, c.CommandPath())
			}
			return nil
		}
	}
	if c.HasSubCommands() && c.RunE == nil && c.Run == nil {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return usage("unknown command %q for %q (see %s --help)", args[0], c.CommandPath(), c.CommandPath())
		}
	}
	for _, sub := range c.Commands() {
		refuseStrayWords(sub)
	}
}

// place are the two flags of every command that touches data.
type place struct{ config, dataDir string }

func (pl *place) flags(c *cobra.Command) {
	c.Flags().StringVar(&pl.config, "config", "", "configuration `file` (YAML); without it the environment is used")
	c.Flags().StringVar(&pl.dataDir, "data-dir", "", "data `folder`; overrides the configuration")
}

// load reads the configuration a command works with.
func (p program) load(pl place) (config.Config, error) {
	c, err := config.Load(config.Source{File: pl.config, Getenv: p.getenv, ReadFile: os.ReadFile, HomeData: config.UserDataDir(p.getenv)})
	if err != nil {
		return c, err
	}
	if pl.dataDir != "" {
		c.DataDir = pl.dataDir
	}
	return c, nil
}

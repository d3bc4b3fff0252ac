package tools

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
	"confluence-mcp/policy/taint"
)

// Decider judges calls; *policy.Set is one. It may change its mind between two
// questions of one call: the gate asks again right before a write.
type Decider interface {
	Decide(r policy.Request) policy.Decision
	// Visible reports whether any call of this cell could be allowed.
	Visible(profile string, g policy.Group, a policy.Action) bool
	// NeedsResource reports whether a rule reads what is acted on.
	NeedsResource(profile, tool string, g policy.Group, a policy.Action) bool
}

// Log records calls. A write runs only after Begin gave it an id.
type Log interface {
	Begin(ctx context.Context, e audit.Entry) (id int64, err error)
	Finish(ctx context.Context, id int64, o audit.Outcome) error
}

// Budget holds what a profile lets one principal write. It is asked when
// everything else allowed a write, dry runs excepted.
type Budget interface {
	// Spend counts one write, or refuses it with kind Limited; any other error
	// says that it could not be counted.
	Spend(ctx context.Context, c identity.Caller, a policy.Action, now time.Time) error
}

// Limits bound what one caller can ask for. A zero field takes its default.
type Limits struct {
	CallsPerMinute int           // per payer, 600; an agent's payers together have 20 times as many
	Timeout        time.Duration // of one call, 60 s
	ResultBytes    int           // text of one answer, 256 KiB
	ArgumentBytes  int           // arguments of one call, 16 MiB
	UploadBytes    int64         // one attachment, 10 MiB
}

// Config is what a [Catalog] needs. Sites, Policy, Log and Now must be set.
type Config struct {
	Sites  Sites
	Policy Decider
	Log    Log
	Logger *slog.Logger // nil: nothing is logged
	Now    func() time.Time
	Budget Budget // nil: only CallsPerMinute bounds writes
	// Approver keeps what needs a person; nil: it is refused.
	Approver Approver
	Changes  Changes     // what undo needs; nil: forgotten on restart
	Taints   *taint.Book // who read restricted content; nil: forgotten on restart
	Random   io.Reader   // nonces and ids; nil: crypto/rand
	// CursorKey is the 32 bytes cursors are authenticated with; nil: drawn, and
	// cursors end with the catalogue.
	CursorKey []byte
	// Spaces tells whether a site, by the name of its integration, is bounded to
	// some space keys, and to which; nil: none is.
	Spaces func(integration string) (keys []string, bounded bool)
	Limits Limits
}

// Catalog is every tool and the gate in front of them. It is safe for
// concurrent use.
type Catalog struct {
	cfg     Config
	tools   []*tool // sorted by name
	byName  map[string]*tool
	cursors cursorBook
	rates   *rates
	authors authors
	undos   sync.Map // ids of changes that are being undone
}

// New makes the catalogue. It fails when a required field of cfg is missing or
// a tool of the catalogue is not whole.
func New(cfg Config) (*Catalog, error) {
	switch {
	case cfg.Sites == nil:
		return nil, errors.New("tools: Config.Sites must be set")
	case cfg.Policy == nil:
		return nil, errors.New("tools: Config.Policy must be set")
	case cfg.Log == nil:
		return nil, errors.New("tools: Config.Log must be set")
	case cfg.Now == nil:
		return nil, errors.New("tools: Config.Now must be set")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	if cfg.Changes == nil {
		cfg.Changes = newJournal()
	}
	if cfg.Taints == nil {
		book, err := taint.Open(context.Background(), nil, 0, cfg.Now())
		if err != nil {
			return nil, fmt.Errorf("tools: %w", err)
		}
		cfg.Taints = book
	}
	cfg.Limits = cfg.Limits.withDefaults()
	book, err := newCursorBook(cfg.CursorKey, cfg.Random)
	if err != nil {
		return nil, fmt.Errorf("tools: cursor key: %w", err)
	}
	c := &Catalog{cfg: cfg, byName: map[string]*tool{}, cursors: book, rates: newRates(cfg.Limits.CallsPerMinute)}
	for _, t := range everyTool() {
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("tools: %w", err)
		}
		c.byName[t.Name] = t
		c.tools = append(c.tools, t)
	}
	slices.SortFunc(c.tools, func(a, b *tool) int { return cmp.Compare(a.Name, b.Name) })
	return c, nil
}

// Tools lists what the caller's profile could allow, sorted by name. An
// unknown caller has no tools.
func (c *Catalog) Tools(caller identity.Caller) []Tool {
	out := []Tool{}
	for _, t := range c.tools {
		if c.visible(caller, t) {
			out = append(out, t.Tool)
		}
	}
	return out
}

// visible finds out whether the caller may know of a tool. Tools that read the
// server's own state are there for everybody who has any other tool.
func (c *Catalog) visible(caller identity.Caller, t *tool) bool {
	if !caller.Known() {
		return false
	}
	if t.reverts {
		return slices.ContainsFunc(c.tools, func(o *tool) bool { return !o.ReadOnly && !o.reverts && c.visible(caller, o) })
	}
	if t.Group != "" {
		return c.allows(caller, t)
	}
	return slices.ContainsFunc(c.tools, func(o *tool) bool { return o.Group != "" && c.visible(caller, o) })
}

// Table is the table of tools in docs/tools.md, in Markdown: one line a tool, sorted by
// group and name.
func Table() string {
	var b strings.Builder
	b.WriteString("| group | action | tool | what it does |\n|---|---|---|---|\n")
	all := slices.Clone(everyTool())
	slices.SortFunc(all, func(a, b *tool) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), actionOrder(a.Action)-actionOrder(b.Action), cmp.Compare(a.Name, b.Name))
	})
	for _, t := range all {
		fmt.Fprintf(&b, "| %s | %s | `%s` | %s |\n", cmp.Or(string(t.Group), "own"), t.Action, t.Name, t.Description)
	}
	return b.String()
}

func actionOrder(a policy.Action) int {
	return slices.Index([]policy.Action{policy.Read, policy.Create, policy.Update, policy.Delete}, a)
}

func (l Limits) withDefaults() Limits {
	l.CallsPerMinute = cmp.Or(l.CallsPerMinute, 600)
	l.Timeout = cmp.Or(l.Timeout, time.Minute)
	l.ResultBytes = cmp.Or(l.ResultBytes, 256<<10)
	l.ArgumentBytes = cmp.Or(l.ArgumentBytes, 16<<20)
	l.UploadBytes = cmp.Or(l.UploadBytes, 10<<20)
	return l
}

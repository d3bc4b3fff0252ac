package tools_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/tools"
)

// lending is a site whose account writes for every caller, if may says so; new
// pages are not listed while blind.
type lending struct {
	tools.Site
	may, blind *bool
	rehearsed  *int
	would      *string // set in a rehearsal
}

func (l lending) For(context.Context, identity.Caller) (tools.Site, error) { return l, nil }
func (l lending) Lent() bool                                               { return true }
func (l lending) Author(ctx context.Context) (confluence.User, error)      { return l.Site.CurrentUser(ctx) }

func (l lending) Rehearsal() (tools.Site, func() string) {
	*l.rehearsed++
	said := ""
	l.would = &said
	return l, func() string { return said }
}

func (l lending) judge() error {
	no := &confluence.Error{Kind: confluence.Denied, Message: "Confluence does not let you.", Next: "Ask."}
	if !*l.may {
		return no
	}
	if l.would != nil {
		*l.would = "Somebody makes it for you."
		return no
	}
	return nil
}

func (l lending) CreateComment(ctx context.Context, n confluence.NewComment) (confluence.Comment, error) {
	if err := l.judge(); err != nil {
		return confluence.Comment{}, err
	}
	return l.Site.CreateComment(ctx, n)
}

func (l lending) CreatePage(ctx context.Context, n confluence.NewPage) (confluence.Page, error) {
	if err := l.judge(); err != nil {
		return confluence.Page{}, err
	}
	return l.Site.CreatePage(ctx, n)
}

func (l lending) Pages(ctx context.Context, f confluence.PageFilter, p confluence.Paging) (confluence.List[confluence.Page], error) {
	if *l.blind {
		return confluence.List[confluence.Page]{}, nil
	}
	return l.Site.Pages(ctx, f, p)
}

// newLending is a desk of a caller without a credential of his own, u-ann.
func newLending(t *testing.T) (a *approving, on lending) {
	on = lending{may: new(bool), blind: new(bool), rehearsed: new(int)}
	*on.may = true
	a = newApproving(t, func(c *tools.Config) {
		site, err := c.Sites.For(context.Background(), ann())
		require.NoError(t, err)
		on.Site = site
		c.Sites = on
	})
	a.who.AccountID = "u-ann"
	return a, on
}

// A change made by another account is asked about before a person is, before it
// is shown, and before it begins.
func TestAChangeMadeForSomebodyIsRehearsed(t *testing.T) {
	a, on := newLending(t)
	comment := args{"page_id": "1001", "body": "Is this so?"}
	_, dry := a.ok("add_comment", with(comment, "dry_run", true))
	assert.Contains(t, dry["notes"], "Somebody makes it for you.")
	r := a.ask("add_comment", comment)
	assert.Equal(t, 2, *on.rehearsed)
	assert.Zero(t, a.written())

	*on.may = false
	a.fails("policy.denied", "add_comment", with(comment, "dry_run", true))
	a.fails("policy.denied", "add_comment", args{"page_id": "1001", "body": "And this?"})
	r = a.approve(r)
	assert.Equal(t, approval.Cancelled, r.State, r.Reason)
	assert.Zero(t, a.written())
}

// A lost answer is looked for under the account that wrote; a page that the
// caller's copy does not have is not said to be absent.
func TestALostAnswerOfAnotherAccountIsLookedForAsItsOwn(t *testing.T) {
	for name, c := range map[string]struct {
		tool  string
		in    args
		blind bool
		state approval.State
	}{
		"comment":       {"add_comment", args{"page_id": "1001", "body": "Is this so?"}, false, approval.Executed},
		"page":          {"create_page", args{"space_key": "ENG", "title": "Fresh"}, false, approval.Executed},
		"unlisted page": {"create_page", args{"space_key": "ENG", "title": "Fresh"}, true, approval.InDoubt},
	} {
		a, on := newLending(t)
		a.shaky.lose = "after"
		r := a.approve(a.ask(c.tool, c.in))
		require.Equal(t, approval.InDoubt, r.State, name)
		*on.blind = c.blind
		for range 2 {
			a.svc.Sweep(context.Background())
			a.clock.Add(int64(61 * time.Second))
		}
		r, err := a.svc.Show(context.Background(), r.ID)
		require.NoError(t, err)
		assert.Equal(t, c.state, r.State, name)
		assert.Equal(t, 1, a.written(), name)
	}
}

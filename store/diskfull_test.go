package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/seal"
	"confluence-mcp/policies"
	"confluence-mcp/policy"
	"confluence-mcp/store"
	"confluence-mcp/tools"
)

type oneSite struct{ tools.Site }

func (s oneSite) For(context.Context, identity.Caller) (tools.Site, error) { return s.Site, nil }

// desk is every tool on an emulator, with the log in p.
func desk(t *testing.T, p *store.Precious) (*tools.Catalog, *emulatortest.Emulator) {
	t.Helper()
	site := emulatortest.Start(t)
	client, err := rest.New(rest.Config{Name: "acme", BaseURL: site.URL, Auth: rest.Basic, Username: site.Email("u-bot"), Token: seal.NewSecret(site.Token("u-bot")), Now: time.Now})
	require.NoError(t, err)
	set, err := policy.Load(policies.FS)
	require.NoError(t, err)
	cat, err := tools.New(tools.Config{Sites: oneSite{client}, Policy: set, Log: p, Now: time.Now,
		Limits: tools.Limits{CallsPerMinute: 1_000_000, WritesPerMinute: 1_000_000}})
	require.NoError(t, err)
	return cat, site
}

// Row 45 of the faults, through everything: when the disk is full no write
// reaches Confluence that the log doesn't hold, reads go on, and so do writes
// once there is room.
func TestFullDiskLetsNoUnauditedWriteThrough(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	cat, site := desk(t, p)
	who := identity.Caller{Agent: "local", Owner: "local", Kind: identity.Service, Profile: "full-access", Transport: identity.Stdio}
	label := func(i int) tools.Result {
		r, known := cat.Call(ctx, who, "confluence_add_label", json.RawMessage(fmt.Sprintf(`{"page_id":"1001","name":"l%d"}`, i)), nil)
		require.True(t, known)
		return r
	}
	require.NoError(t, store.LimitPages(p))
	made, refused := 0, 0
	for i := 0; refused < 20 && i < 1000; i++ {
		if r := label(i); r.IsError {
			require.Contains(t, string(r.Structured)+r.Text, "audit.unavailable", "write %d", i)
			refused++
		} else {
			made++
		}
	}
	require.Positive(t, made)
	require.Equal(t, 20, refused)
	r, _ := cat.Call(ctx, who, "confluence_get_page", json.RawMessage(`{"page_id":"1001"}`), nil)
	assert.False(t, r.IsError, "reads go on")

	require.NoError(t, store.Exec(p, "PRAGMA max_page_count = 100000"))
	for i := range 5 {
		require.False(t, label(10_000+i).IsError)
	}
	_, err := p.VerifyAudit(ctx, nil)
	require.NoError(t, err)
	logged, err := p.Audit(ctx, store.AuditFilter{Tool: "confluence_add_label", Effect: "allow"})
	require.NoError(t, err)
	reached := 0
	for _, q := range site.Requests(0) {
		if q.Method != "GET" {
			reached++
		}
	}
	assert.Equal(t, made+5, reached)
	assert.Len(t, logged, reached)
	t.Logf("%d writes before the disk was full, %d refused, 5 after: %d reached Confluence, %d in the log", made, refused, reached, len(logged))
}

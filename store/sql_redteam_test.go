package store_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/store"
)

// injections are texts that mean something to SQL.
func injections() []string {
	return []string{
		`'; DROP TABLE agent; --`, `' OR '1'='1`, `" OR ""="`, `x' UNION SELECT key_sha256 FROM agent --`, `1; UPDATE agent SET admin = 1`, `%`, `_`, `\`, `';`, `--`, `/*`, `*/`, `?`, `?1`, `:name`, `@x`, `$x`,
		"a\x00b", `x' AND randomblob(1000000000) --`, `x'||(SELECT load_extension('x'))||'`, `ATTACH DATABASE 'x' AS y`, "'\n;\nDELETE FROM audit_entry;", "’ OR ’1’=’1", "\xbf' OR 1=1 --", `{"a":"b"}`, `["a"]`,
	}
}

// TestF07_TextIsNeverSQL puts what means something to SQL into every field that
// is stored or asked for: it comes back as it was, and does nothing.
func TestF07_TextIsNeverSQL(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	key, err := p.AddAgent(ctx, store.Agent{Name: "helpdesk", Profile: "read-only", Owner: "ann"})
	require.NoError(t, err)
	first, err := p.IntegrationID(ctx, "acme")
	require.NoError(t, err)
	kept := 0
	for n, text := range injections() {
		_, err := p.AddAgent(ctx, store.Agent{Name: text, Profile: "read-only"})
		assert.Equal(t, confluence.Invalid, confluence.KindOf(err), "%q is no name", text)
		name := "agent-" + string(rune('a'+n))
		_, err = p.AddAgent(ctx, store.Agent{Name: name, Profile: text, Owner: text, Integration: text, User: text})
		require.NoError(t, err, "%q", text)
		for _, bearer := range []string{text, "cmk_" + text + "_x", "cmk_" + text, key.Reveal() + text} {
			_, err = p.AgentByKey(ctx, bearer)
			assert.Equal(t, confluence.Expired, confluence.KindOf(err), "%q opens nothing", bearer)
		}
		assert.Equal(t, confluence.NotFound, confluence.KindOf(p.RevokeAgent(ctx, text)), "%q revokes nobody", text)
		id, err := p.IntegrationID(ctx, text)
		require.NoError(t, err)
		assert.NotEqual(t, first, id)

		e := audit.Entry{Time: clock(), DecisionID: text, PolicyRevision: text, Profile: text, Principal: text, Kind: text, Transport: text, Tool: text, Group: text, Action: text,
			Site: text, ResourceType: text, ResourceID: text, SpaceKey: text, Effect: text, Reason: text, RulesMatched: []string{text}, RulesErrored: []string{text}, ArgsSHA256: text, Write: true}
		entry, err := p.Begin(ctx, e)
		require.NoError(t, err, "%q", text)
		require.NoError(t, p.Finish(ctx, entry, audit.Outcome{Result: audit.Failed, ErrorCode: text}))
		kept++
	}
	agents, err := p.Agents(ctx)
	require.NoError(t, err)
	require.Len(t, agents, kept+1)
	for n, text := range injections() {
		a := agents[n]
		assert.Equal(t, []string{text, text, text, text}, []string{a.Profile, a.Owner, a.Integration, a.User})
		assert.False(t, a.Admin || a.Approver || a.ActForUsers)
		assert.Zero(t, a.Revoked)
	}
	log, err := p.Audit(ctx, store.AuditFilter{Limit: 1000})
	require.NoError(t, err)
	require.Len(t, log, kept)
	for n, text := range injections() {
		e := log[n].Entry
		for _, got := range []string{e.DecisionID, e.Profile, e.Principal, e.Tool, e.Site, e.ResourceID, e.SpaceKey, e.Reason, log[n].Outcome.ErrorCode} {
			assert.Equal(t, strings.ToValidUTF8(text, "\ufffd"), got)
		}
	}
	_, err = p.AgentByKey(ctx, key.Reveal())
	assert.NoError(t, err, "the one key still opens")
}

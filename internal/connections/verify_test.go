package connections_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

const folderSite = rightsSite + `{"kind":"content","id":"2000","type":"folder","space":"ENG","title":"Folder","read":["user:u-root","user:u-ann"]}
{"kind":"content","id":"2001","type":"page","space":"ENG","parent":"2000","title":"Below"}
{"kind":"content","id":"2002","type":"page","space":"ENG","parent":"2001","title":"Deeper"}
{"kind":"user","id":"u-bob","username":"bob","name":"Bob","email":"bob@acme.test","groups":["staff"],"token":"bob-token"}
{"kind":"site","name":"Acme","cloud_id":"11111111-1111-4111-8111-111111111111","anonymous":true}
{"kind":"space","id":"200","key":"OPEN","name":"Open","grants":[{"to":"anonymous","op":"read"}]}
{"kind":"content","id":"3000","type":"page","space":"OPEN","title":"Open"}
`

func TestConfluenceSaysWhoMayRead(t *testing.T) {
	ctx := context.Background()
	e := emulatortest.Start(t, folderSite)
	s := connections.New(rest.Config{})
	require.NoError(t, s.Put(ctx, acme(e)))
	user := func(id string, access ...string) identity.Caller {
		return identity.Caller{Kind: identity.User, Integration: "acme", AccountID: id, Access: access}
	}
	for _, c := range []struct {
		who         identity.Caller
		page, below string
		yes, fails  bool
	}{
		{user("u-ann"), "2001", "2000", true, false},
		{user("u-ann"), "2002", "2000", true, false},
		{user("u-ann"), "2002", "2001", true, false},
		{user("u-ann"), "1000", "", true, false},
		{user("u-bob"), "2001", "2000", false, false},
		{user("u-bob", "group-staff", "user-u-ann"), "2002", "2000", false, false},
		{identity.Caller{Kind: identity.Service, Integration: "other"}, "2001", "2000", false, false},
		{identity.Caller{Kind: identity.User, Integration: "other", AccountID: "u-ann"}, "2001", "2000", false, false},
		{identity.Caller{Kind: identity.User, AccountID: "u-ann"}, "2001", "2000", true, false},
		{identity.Public("a", "p", identity.HTTP), "2001", "2000", false, false},
		{identity.Public("a", "p", identity.HTTP), "3000", "", true, false},
		{user("u-ann"), "1000", "2000", false, true},  // it stands elsewhere
		{user("u-ann"), "2001", "2002", false, true},  // above, not below
		{user("u-ann"), "88888", "2000", false, true}, // gone
		{user("nobody"), "2001", "2000", false, true},
		{user(""), "2001", "2000", false, true},
		{identity.Caller{Kind: identity.Service, Integration: "acme"}, "2001", "2000", false, true}, // it is not known yet as whom
	} {
		yes, err := s.MayRead(ctx, c.who, mirror.Ref{Integration: 1, ID: c.page}, c.below)
		assert.Equal(t, c.yes, yes, "%+v", c)
		assert.Equal(t, c.fails, err != nil, "%+v: %v", c, err)
	}
	_, err := s.MayRead(ctx, user("u-ann"), mirror.Ref{Integration: 2, ID: "1000"}, "")
	require.Error(t, err, "another integration's page")
	s.Account(ctx, "acme", "u-root") // now it is known as whom
	yes, err := s.MayRead(ctx, identity.Caller{Kind: identity.Service, Integration: "acme"}, mirror.Ref{Integration: 1, ID: "2001"}, "2000")
	require.NoError(t, err)
	assert.True(t, yes)
}

// Who may not ask about others is told so before verify is relied on.
func TestVerifyNeedsAnAdministrator(t *testing.T) {
	ctx := context.Background()
	e := emulatortest.Start(t, folderSite)
	spec := acme(e)
	s := connections.New(rest.Config{})
	for policy, needs := range map[guard.OpaquePolicy]bool{guard.SealOpaque: false, guard.TrustOpaque: false, guard.VerifyOpaque: true} {
		spec.Opaque = policy
		spec.Username, spec.Token = e.Email("u-root"), seal.NewSecret(e.Token("u-root"))
		require.NoError(t, s.TestRights(ctx, spec))
		e.Apply(`{"kind":"fault","match":"POST /wiki/rest/api/content/*/permission/check","action":{"status":403,"body":{"message":"no"}}}`)
		err := s.TestRights(ctx, spec)
		e.Apply(`{"kind":"fault","clear":true}`)
		if !needs {
			require.NoError(t, err)
			continue
		}
		var known *confluence.Error
		require.ErrorAs(t, err, &known)
		assert.Equal(t, "auth.rights", known.Code)
		assert.Contains(t, known.Message, "what others may read, which opaqueAncestors: verify asks")
	}
}

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
	"confluence-mcp/internal/seal"
)

const rightsSite = `
{"kind":"site","name":"Acme","cloud_id":"11111111-1111-4111-8111-111111111111"}
{"kind":"group","id":"g-staff","name":"staff"}
{"kind":"user","id":"u-root","username":"root","name":"Root","email":"root@acme.test","groups":["staff"],"admin":true,"token":"root-token"}
{"kind":"user","id":"u-ann","username":"ann","name":"Ann","email":"ann@acme.test","groups":["staff"],"token":"ann-token"}
{"kind":"space","id":"100","key":"ENG","name":"Engineering","grants":[{"to":"group:staff","op":"read"}]}
{"kind":"content","id":"1000","type":"page","space":"ENG","title":"Home"}
`

func TestRightsAreTestedBeforeTheyAreRelied(t *testing.T) {
	e := emulatortest.Start(t, rightsSite)
	s := connections.New(rest.Config{})
	at := func(user, token string) connections.Spec {
		return connections.Spec{ID: 1, Name: "acme", BaseURL: e.URL, Username: e.Email(user), Token: seal.NewSecret(token), Rights: true}
	}
	require.NoError(t, s.TestRights(context.Background(), at("u-root", e.Token("u-root"))))

	err := s.TestRights(context.Background(), at("u-root", "wrong"))
	assert.Equal(t, confluence.Expired, confluence.KindOf(err), "%v", err)
}

// What an admin asks with doctor: rights that a file says are synced are looked at
// too, and only those.
func TestAProbeLooksAtTheRightsThatAreSynced(t *testing.T) {
	e := emulatortest.Start(t, rightsSite)
	e.Apply(`{"kind":"fault","match":"GET /wiki/rest/api/group*","action":{"status":403}}`)
	spec := connections.Spec{ID: 1, Name: "acme", BaseURL: e.URL, Username: e.Email("u-root"), Token: seal.NewSecret(e.Token("u-root"))}
	for _, synced := range []bool{false, true} {
		spec.Rights = synced
		s := connections.New(rest.Config{})
		require.NoError(t, s.Put(t.Context(), spec))
		_, before := connections.Probe(t.Context(), spec, rest.Config{})
		_, running := s.Probe(t.Context(), spec.ID)
		for _, err := range []error{before, running} {
			if !synced {
				assert.NoError(t, err)
				continue
			}
			var known *confluence.Error
			require.ErrorAs(t, err, &known)
			assert.Equal(t, "auth.rights", known.Code)
		}
	}
}

func TestMissingRightsAreNamed(t *testing.T) {
	for path, what := range map[string]string{
		"/wiki/rest/api/group*":  "cannot read groups",
		"/wiki/rest/api/group/*": "cannot read the members of groups",
		"/wiki/api/v2/spaces/*":  "cannot read who may view a space",
	} {
		t.Run(what, func(t *testing.T) {
			e := emulatortest.Start(t, rightsSite)
			e.Apply(`{"kind":"fault","match":"GET ` + path + `","action":{"status":403},"times":9}`)
			err := connections.New(rest.Config{}).TestRights(context.Background(), connections.Spec{ID: 1, Name: "acme", BaseURL: e.URL,
				Username: e.Email("u-root"), Token: seal.NewSecret(e.Token("u-root")), Rights: true})
			var known *confluence.Error
			require.ErrorAs(t, err, &known)
			assert.Equal(t, "auth.rights", known.Code)
			assert.Contains(t, known.Message, what)
		})
	}
}

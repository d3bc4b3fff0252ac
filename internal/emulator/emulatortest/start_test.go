package emulatortest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

func TestStartServesTheSmallSite(t *testing.T) {
	e := emulatortest.Start(t)
	res := e.Get("u-ann", "/wiki/rest/api/user/current")
	require.Equal(t, http.StatusOK, res.StatusCode)
	var me struct{ AccountID string }
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(body, &me))
	assert.Equal(t, "u-ann", me.AccountID)
	require.Len(t, e.Requests(0), 1)
	assert.Equal(t, "u-ann", e.Requests(0)[0].User)
}

func TestGrantOpensTheGateway(t *testing.T) {
	e := emulatortest.Start(t)
	access, refresh := e.Grant("u-ann", "read:confluence-user", "offline_access")
	assert.NotEmpty(t, refresh)
	req, err := http.NewRequest("GET", e.Gateway+"/ex/confluence/"+e.CloudID+"/wiki/rest/api/user/current", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+access)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	assert.Equal(t, http.StatusOK, res.StatusCode)
}

// recorded is a testing.TB that keeps failures instead of failing.
type recorded struct {
	testing.TB
	failures []string
}

func (r *recorded) Errorf(format string, args ...any) {
	r.failures = append(r.failures, strings.TrimSpace(format))
}

func TestUnknownParameterFailsTheTestThatSentIt(t *testing.T) {
	r := &recorded{TB: t}
	e := emulatortest.Start(r)
	e.Get("u-ann", "/wiki/rest/api/search?cql=type=page&limt=3")
	assert.Len(t, r.failures, 1)
}

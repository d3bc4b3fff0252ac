package planted_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/oauth"
	"confluence-mcp/internal/emulator/planted"
)

// leak is the environment variable that makes the tests of this binary leak.
const leak = "PLANTED_TEST_LEAK"

func TestMain(m *testing.M) { os.Exit(planted.Watch(m).Run()) }

func TestSecretsAreFoundInEveryForm(t *testing.T) {
	for _, secret := range []string{"bot-token", "emu-at-" + strings.Repeat("0a", 24), "ATATT3xFfGF0-canary-bot-2b8e", "cmk_canary-ann_7f3a9d2c41e6", "cmk_ops_0123456789abcdef", oauth.Secret, "planted-token"} {
		for form, text := range map[string]string{"plain": "level=INFO token=" + secret + " x", "in JSON": `{"token":"` + secret + `"}`, "in a query": "https://x/?t=" + secret + "&a=b",
			"Basic": "Basic " + base64.StdEncoding.EncodeToString([]byte("bot@acme.test:"+secret)), "base64 for URLs": base64.RawURLEncoding.EncodeToString([]byte("é?" + secret)), "behind other letters": "x" + base64.RawStdEncoding.EncodeToString([]byte("ab:"+secret))} {
			assert.NotEmpty(t, planted.Find(text), "%s %s", secret, form)
		}
	}
	for _, text := range []string{"the access token was refused", "Set CONFLUENCE_API_TOKEN to an api-token", "cmk_<id>_<secret>", "ann@acme.test", strings.Repeat("AbCd0123", 400), "confluence-mcp agents add"} {
		assert.Empty(t, planted.Find(text), text)
	}
}

// TestTheEmulatorPlantsMarks: the people of the sample site have tokens that
// are found.
func TestTheEmulatorPlantsMarks(t *testing.T) {
	e := emulatortest.Start(t)
	tokens := 0
	for line := range strings.Lines(emulatortest.SmallSite) {
		if _, rest, ok := strings.Cut(line, `"token":"`); ok {
			token, _, _ := strings.Cut(rest, `"`)
			assert.NotEmpty(t, planted.Find(token), token)
			tokens++
		}
	}
	assert.Positive(t, tokens)
	assert.NotEmpty(t, planted.Find(e.Token("u-bot")))
}

// TestLeaking leaks where it is told to, for the test below.
func TestLeaking(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch os.Getenv(leak) {
		case "header":
			w.Header().Set("X-Echo", "bot-token")
		case "body":
			_, _ = io.WriteString(w, strings.Repeat(".", 5000)+"bot-token")
		case "parts":
			_, _ = io.WriteString(w, "bot-")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "token")
		}
	}))
	defer server.Close()
	res, err := http.Get(server.URL)
	require.NoError(t, err)
	_, err = io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	if os.Getenv(leak) == "log" {
		_, _ = io.WriteString(planted.Writer("a log"), `{"msg":"sent","auth":"Basic `+base64.StdEncoding.EncodeToString([]byte("a@b.test:bot-token"))+`"}`)
	}
}

// TestALeakEndsTheRun: tests that pass fail all the same when something leaked.
func TestALeakEndsTheRun(t *testing.T) {
	for where, fails := range map[string]bool{"header": true, "body": true, "parts": true, "log": true, "nowhere": false} {
		c := exec.Command(os.Args[0], "-test.run", "^TestLeaking$")
		c.Env = append(os.Environ(), leak+"="+where)
		out, err := c.CombinedOutput()
		assert.Equal(t, fails, err != nil, "%s: %s", where, out)
		assert.Equal(t, fails, strings.Contains(string(out), "LEAK: "), "%s: %s", where, out)
	}
}

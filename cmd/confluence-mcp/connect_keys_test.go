package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/internal/seal"
)

// A master key that is not the right one opens nothing, makes nothing in its place
// and asks nobody; with the right one all is as before.
func TestK06_AWrongMasterKeyIsToldAndHarmsNothing(t *testing.T) {
	p, sites := linked(t)
	p.serveLinked()
	status, page := p.connectOver(opsKey, `{"site":"`+cloudA+`"}`, "u-bot")
	require.Equal(t, http.StatusOK, status, page)
	p.finds("u-bob", "Beacon of A")
	p.stop()
	path := filepath.Join(p.dir, "data", keyFile)
	right := keyText(t, path)

	for name, c := range map[string]struct {
		text string // empty: there is no file
		mode os.FileMode
		says string
	}{
		"missing":           {"", 0o600, "is missing, and this data folder has secrets sealed with it"},
		"broken":            {right[:len(right)-9] + "\n", 0o600, "is not a key of this program, or is damaged"},
		"another folder's":  {seal.NewKeyText().Reveal() + "\n", 0o600, "is not the one this data folder was sealed with"},
		"readable by all":   {right, 0o644, "is open to others (mode 0644)"},
		"something foreign": {"-----BEGIN PRIVATE KEY-----\n", 0o600, "is not a key of this program"},
	} {
		require.NoError(t, os.Remove(path))
		if c.text != "" {
			require.NoError(t, os.WriteFile(path, []byte(c.text), c.mode))
		}
		mark := markOf(sites)
		for _, command := range [][]string{{"sync"}, {"connect", "--integration", "acme"}, {"integrations", "list"}, {"serve", "--listen", ""}, {"secrets", "rotate"}} {
			out, errOut, code := p.command(command...)
			assert.Equal(t, exitFailed, code, "%s: %v: %s", name, command, out)
			assert.Contains(t, errOut, c.says, "%s: %v", name, command)
		}
		out, _, code := p.command("doctor")
		assert.Equal(t, exitFailed, code, name)
		assert.Contains(t, out, c.says, name)
		assert.Empty(t, sites.Requests(mark), name)
		there, err := os.ReadFile(path)
		assert.Equal(t, c.text, string(there), "%s: nothing was made in its place: %v", name, err)
		require.NoError(t, os.WriteFile(path, []byte(right), 0o600))
		require.NoError(t, os.Chmod(path, 0o600))
	}
	_, errOut, code := p.command("sync")
	assert.Zero(t, code, errOut)
}

// A process whose key text holds no newer key rotates nothing: who then took the old
// key away, as the documents say, would lose every secret.
func TestRotatingWithoutANewerKeyIsRefused(t *testing.T) {
	p, sites := linked(t)
	old, next := seal.NewKeyText().Reveal(), seal.NewKeyText().Reveal()
	file, key := filepath.Join(p.dir, "c.yaml"), filepath.Join(p.dir, "master")
	without := keyText(t, file)
	write := func(path, text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	write(file, without+`seal: {provider: environment, key: "file:`+key+"\"}\n")
	write(key, old)
	p.serveLinked()
	status, page := p.connectOver(opsKey, `{"site":"`+cloudA+`"}`, "u-bot")
	require.Equal(t, http.StatusOK, status, page)
	p.finds("u-bob", "Beacon of A")
	write(key, old+","+next) // which the running server has not read
	for words, says := range map[string]string{"secrets rotate": "no newer master key", "secrets rotate --from environment": "knows only the key provider it was started with"} {
		out, errOut, code := p.command(strings.Fields(words)...)
		assert.Equal(t, exitFailed, code, out)
		assert.Contains(t, errOut, says)
		assert.Contains(t, errOut, "  next: ")
	}
	p.stop()
	write(key, old)
	mark := markOf(sites)
	_, errOut, code := p.command("secrets", "rotate")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errOut, "no newer master key")
	assert.Empty(t, sites.Requests(mark))

	write(key, old+","+next)
	p.errOut = &planted.Log{}
	p.serveLinked()
	out, errOut, code := p.command("secrets", "rotate")
	require.Zero(t, code, errOut)
	assert.Contains(t, out, "under master key "+strings.Fields(next)[1]+" of environment")
	p.stop()
	write(key, next)
	_, errOut, code = p.command("sync")
	assert.Zero(t, code, errOut)
	write(file, without+`seal: {provider: file, key: "file:`+key+"\"}\n")
	out, errOut, code = p.command("secrets", "rotate", "--from", "environment")
	require.Zero(t, code, errOut)
	assert.Contains(t, out, "under master key "+strings.Fields(keyText(t, filepath.Join(p.dir, "data", keyFile)))[1]+" of file")
	write(file, without)
	_, errOut, code = p.command("sync")
	assert.Zero(t, code, errOut)
}

// Where nothing is sealed yet there is nothing to rotate, and no key is made for it.
func TestRotatingNothingMakesNoKey(t *testing.T) {
	for _, provider := range []string{"", `seal: {provider: environment, key: "${SEAL_KEY}"}` + "\n"} {
		p := &product{t: t, dir: productFolder(t), env: productEnv("https://127.0.0.1:1", botToken), out: &planted.Log{}, errOut: &planted.Log{}}
		p.env["SEAL_KEY"] = seal.NewKeyText().Reveal()
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(productFile+provider), 0o600))
		out, errOut, code := p.command("secrets", "rotate")
		assert.Zero(t, code, errOut)
		assert.Equal(t, "nothing is sealed yet: there is nothing to rotate\n", out)
		out, errOut, code = p.command("secrets", "rotate", "--json")
		assert.Zero(t, code, errOut)
		assert.JSONEq(t, `{"resealed":0}`, out)
		assert.NoFileExists(t, filepath.Join(p.dir, "data", keyFile))
		s := p.folder()
		keys, err := s.SealKeys(t.Context())
		assert.NoError(t, err)
		assert.Empty(t, keys)
		require.NoError(t, s.Close())
	}
}

// A server that finds its key broken says so each time it would seal, not only the
// first time, and stores nothing.
func TestABrokenKeyIsToldEachTime(t *testing.T) {
	p, sites := linked(t)
	file := filepath.Join(p.dir, "c.yaml")
	text := regexp.MustCompile("(?m)^oauth:.*\n").ReplaceAllString(keyText(t, file), "")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	add := func(name string) (int, map[string]any) {
		return p.api(opsKey, http.MethodPost, "/api/integrations", `{"name":"`+name+`","settings":{"type":"confluence","baseUrl":"`+sites.URL+`","username":"`+sites.Email("u-bot")+`","token":"`+sites.Token("u-bot")+`"}}`)
	}
	p.serveLinked()
	status, out := add("first")
	require.Equal(t, http.StatusCreated, status, out)
	p.stop()
	path := filepath.Join(p.dir, "data", keyFile)
	require.NoError(t, os.Remove(path))
	p.errOut = &planted.Log{}
	p.serveLinked()
	for range 2 {
		status, out = add("second")
		assert.Equal(t, http.StatusBadRequest, status, out)
		assert.Contains(t, fmt.Sprint(out), "is missing, and this data folder has secrets sealed with it")
	}
	assert.NoFileExists(t, path)
	status, out = p.api(opsKey, http.MethodGet, "/api/integrations", "")
	require.Equal(t, http.StatusOK, status)
	assert.NotContains(t, fmt.Sprint(out), "second")
}

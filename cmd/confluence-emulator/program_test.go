package main

// In the package: the program is not importable, and it is run as it is.

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, data, 0o600))
	return file
}

func smallSite(t *testing.T) string { return write(t, "a.jsonl", []byte(emulatortest.SmallSite)) }

// started runs the program until the test ends and answers with its ready line.
func started(t *testing.T, args ...string) ready {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	var problems bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- program{stdout: in, stderr: &problems, now: time.Now}.run(ctx, args)
		_ = in.Close()
	}()
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan(), "no ready line: %s", &problems)
	var r ready
	require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
	t.Cleanup(func() {
		stop()
		assert.False(t, lines.Scan(), "one line only")
		assert.Equal(t, 0, <-code, "%s", &problems)
	})
	return r
}

func TestServesSitesAndSaysWhere(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := io.WriteString(w, strings.ReplaceAll(emulatortest.SmallSite, "11111111-", "22222222-"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	r := started(t, "--site", smallSite(t), "--site", write(t, "b.jsonl.gz", zipped.Bytes()), "--listen", "127.0.0.1:0")
	require.Len(t, r.Sites, 2)
	assert.Equal(t, r.URL, r.Sites[0].URL)
	assert.True(t, strings.HasSuffix(r.URL, "/wiki"))
	assert.Equal(t, r.Gateway+"/wiki", r.URL)
	assert.NotEqual(t, r.Media, r.Gateway)
	assert.Equal(t, "22222222-1111-4111-8111-111111111111", r.Sites[1].CloudID)
	for _, s := range r.Sites {
		assert.Equal(t, http.StatusOK, status(t, s.URL+"/api/v2/pages/3001"))
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	res, err := http.Get(url)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}

func TestScaleGrowsTheSite(t *testing.T) {
	r := started(t, "--site", smallSite(t), "--scale", "100", "--listen", "127.0.0.1:0")
	assert.Equal(t, http.StatusOK, status(t, r.URL+"/api/v2/pages/3001"))
	assert.Equal(t, http.StatusOK, status(t, r.URL+"/api/v2/pages?title=Open%20page%201"))
	assert.Equal(t, http.StatusOK, status(t, r.URL+"/api/v2/pages/1000054"), "the second copy of page 3001")
}

func TestConvertWikiWritesASiteFile(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := io.WriteString(w, `{"id":"101","parent":null,"space":"AA","title":"Home","labels":[],"body":"Hello"}`+"\n")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	dir := filepath.Dir(write(t, "pages.jsonl.gz", zipped.Bytes()))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "spaces.json"), []byte(`[{"key":"AA","name":"First"}]`), 0o600))
	var out, problems bytes.Buffer
	code := program{stdout: &out, stderr: &problems, now: time.Now}.run(context.Background(), []string{"convert-wiki", dir})
	require.Equal(t, 0, code, problems.String())
	r := started(t, "--site", write(t, "wiki.jsonl", out.Bytes()))
	assert.Equal(t, "Wiki", r.Sites[0].Name)
}

func TestExitCodes(t *testing.T) {
	good := smallSite(t)
	cases := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no site", nil, 2, "--site"},
		{"unknown flag", []string{"--sight", "x"}, 2, "--sight"},
		{"argument", []string{"--site", good, "more"}, 2, "more"},
		{"unknown edition", []string{"--site", good, "--edition", "server"}, 2, "server"},
		{"data center", []string{"--site", good, "--edition", "datacenter"}, 2, "not available yet"},
		{"version without edition", []string{"--site", good, "--dc-version", "9.2"}, 2, "--dc-version"},
		{"negative scale", []string{"--site", good, "--scale", "-1"}, 2, "--scale"},
		{"missing file", []string{"--site", good + ".none"}, 1, ".none"},
		{"broken file", []string{"--site", write(t, "x.jsonl", []byte("{"))}, 1, "x.jsonl"},
		{"broken file grown", []string{"--scale", "10", "--site", write(t, "x.jsonl", []byte("{"))}, 1, "x.jsonl"},
		{"the same site twice", []string{"--site", good, "--site", good}, 1, "cloud id"},
		{"not loopback", []string{"--site", good, "--listen", "0.0.0.0:0"}, 1, "loopback"},
		{"no such wiki", []string{"convert-wiki", t.TempDir()}, 1, "spaces.json"},
		{"wiki without folder", []string{"convert-wiki"}, 2, "arguments"},
		{"help", []string{"--help"}, 0, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out, problems bytes.Buffer
			code := program{stdout: &out, stderr: &problems, now: time.Now}.run(context.Background(), c.args)
			assert.Equal(t, c.code, code, problems.String())
			assert.Contains(t, problems.String(), c.says)
		})
	}
}

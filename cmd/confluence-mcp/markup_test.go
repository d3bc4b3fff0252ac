package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runMarkup runs one markup command on text.
func runMarkup(t *testing.T, stdin string, args ...string) (out, errOut string, err error) {
	t.Helper()
	var o, e bytes.Buffer
	c := newMarkupCommand(strings.NewReader(stdin), &o, &e)
	c.SetArgs(args)
	c.SetOut(&e)
	c.SetErr(&e)
	err = c.Execute()
	return o.String(), e.String(), err
}

func textFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

const markupPage = `<h2>Plan</h2><p>Call the <strong>old</strong> team.</p><ac:structured-macro ac:name="toc" ac:schema-version="1" />`

func TestMarkupCommands(t *testing.T) {
	md, _, err := runMarkup(t, markupPage, "to-markdown")
	require.NoError(t, err)
	assert.Contains(t, md, "## Plan\n\nCall the **old** team.")

	out, _, err := runMarkup(t, strings.Replace(md, "old", "new", 1), "apply", "--base", textFile(t, markupPage))
	require.NoError(t, err)
	assert.Equal(t, strings.Replace(markupPage, "old", "new", 1), out)

	out, _, err = runMarkup(t, markupPage, "edit", "--edits", textFile(t, `[{"op":"replace_text","find":"old team","replace":"crew"}]`))
	require.NoError(t, err)
	assert.Equal(t, `<h2>Plan</h2><p>Call the <strong>crew</strong>.</p><ac:structured-macro ac:name="toc" ac:schema-version="1" />`, out)
}

func TestMarkupCommandsRefuseAndSayWhy(t *testing.T) {
	md, _, err := runMarkup(t, markupPage, "to-markdown")
	require.NoError(t, err)
	withoutTOC := md[:strings.Index(md, "```")]
	for _, c := range []struct {
		name, stdin, want string
		args              []string
	}{
		{"a lost macro", withoutTOC, "markup.loss", []string{"apply", "--base", textFile(t, markupPage)}},
		{"broken storage", "x", "line 1", []string{"apply", "--base", textFile(t, "<p>open")}},
		{"text that is not there", markupPage, "markup.not_found", []string{"edit", "--edits", textFile(t, `[{"op":"replace_text","find":"zzz","replace":"y"}]`)}},
		{"an unknown field", markupPage, "unknown field", []string{"edit", "--edits", textFile(t, `[{"op":"append","text":"y"}]`)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, _, err := runMarkup(t, c.stdin, c.args...)
			assert.ErrorContains(t, err, c.want)
			assert.Empty(t, out)
		})
	}
	out, _, err := runMarkup(t, withoutTOC, "apply", "--base", textFile(t, markupPage), "--allow-loss", "toc")
	require.NoError(t, err)
	assert.NotContains(t, out, "toc")
	_, warning, err := runMarkup(t, "<p>open", "to-markdown")
	require.NoError(t, err)
	assert.Contains(t, warning, "never closed")
}

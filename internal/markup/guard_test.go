package markup_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/markup"
)

var (
	placeholders = regexp.MustCompile("(?m)!?\\[[^\\]\n]*\\]\\(<?confluence:[^)\n]*\\)|^```confluence b[^`]*```$|<a href=\"confluence:[^>]*>[^<]*</a>|<img src=\"confluence:[^>]*>")
	refs         = regexp.MustCompile(`ac:ref="[^"]*"`)
)

// Every placeholder stands for something Markdown can't say: taking it out of
// the text is refused until the caller names what is lost.
func TestDeletingAnyPlaceholderIsRefusedUntilNamed(t *testing.T) {
	count := 0
	for name, s := range corpus(t, ".xml") {
		d, err := markup.Parse(s)
		if err != nil || strings.Contains(name, "large-") {
			continue
		}
		md := d.Markdown(markup.View{}).Text
		for _, at := range placeholders.FindAllStringIndex(md, -1) {
			edited := md[:at[0]] + md[at[1]:]
			label := name + ": " + md[at[0]:at[1]]
			count++
			_, err := markup.WriteMarkdown(s, edited, markup.Options{AllowLoss: []string{"elision"}})
			var e *markup.Error
			if !assert.True(t, errors.As(err, &e) && (e.Code == "markup.loss" || e.Code == "markup.unsupported"), "%s: %v", label, err) || e.Code != "markup.loss" {
				continue
			}
			allowed := []string{"elision"}
			for _, l := range e.Losses {
				allowed = append(allowed, l.Kind)
			}
			_, err = markup.WriteMarkdown(s, edited, markup.Options{AllowLoss: allowed})
			assert.NoError(t, err, label)
		}
	}
	assert.Greater(t, count, 300)
}

// Whatever word is changed next to or inside a commented passage, the comment
// keeps its marker.
func TestEditsNearEveryCommentMarkerKeepIt(t *testing.T) {
	word := regexp.MustCompile(`[A-Za-z]{2,}`)
	tried := 0
	for name, s := range corpus(t, ".xml") {
		before := refs.FindAllString(s, -1)
		d, err := markup.Parse(s)
		if err != nil || len(before) == 0 || strings.Contains(name, "large-") {
			continue
		}
		md := d.Markdown(markup.View{}).Text
		for _, at := range word.FindAllStringIndex(md, -1) {
			for _, repl := range []string{"replaced", ""} {
				r, err := markup.WriteMarkdown(s, md[:at[0]]+repl+md[at[1]:], markup.Options{AllowLoss: []string{"macro", "link", "elision"}})
				if err != nil {
					continue
				}
				tried++
				for _, ref := range before {
					assert.Contains(t, r.Storage, ref, "%s: %q -> %q", name, md[at[0]:at[1]], repl)
				}
			}
		}
	}
	require.Greater(t, tried, 100)
}

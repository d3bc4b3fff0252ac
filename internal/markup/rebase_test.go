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

func TestRebase(t *testing.T) {
	const base = `<h1>T</h1><p>one two three</p><ul><li>a</li><li>b</li></ul><p>last words here</p>`
	marked := `<ac:inline-comment-marker ac:ref="r1">two</ac:inline-comment-marker>`
	for _, c := range []struct{ name, edited, fresh, want string }{
		{"different blocks", strings.Replace(base, "two", "2", 1), strings.Replace(base, "last", "final", 1), `<h1>T</h1><p>one 2 three</p><ul><li>a</li><li>b</li></ul><p>final words here</p>`},
		{"nothing happened meanwhile", strings.Replace(base, "two", "2", 1), base, strings.Replace(base, "two", "2", 1)},
		{"the same block", strings.Replace(base, "two", "2", 1), strings.Replace(base, "three", "3", 1), ""},
		{"the same change", strings.Replace(base, "two", "2", 1), strings.Replace(base, "two", "2", 1), strings.Replace(base, "two", "2", 1)},
		{"a comment next to the edit", strings.Replace(base, "three", "3", 1), strings.Replace(base, "two", marked, 1), `<h1>T</h1><p>one ` + marked + ` 3</p><ul><li>a</li><li>b</li></ul><p>last words here</p>`},
		{"a comment on the edited word", strings.Replace(base, "two", "2", 1), strings.Replace(base, "two", marked, 1), `<h1>T</h1><p>one <ac:inline-comment-marker ac:ref="r1">2</ac:inline-comment-marker> three</p><ul><li>a</li><li>b</li></ul><p>last words here</p>`},
		{"the edited block is gone", strings.Replace(base, "two", "2", 1), strings.Replace(base, "<p>one two three</p>", "", 1), ""},
		{"both insert at one place", strings.Replace(base, "<ul>", "<p>ours</p><ul>", 1), strings.Replace(base, "<ul>", "<p>theirs</p><ul>", 1), `<h1>T</h1><p>one two three</p><p>theirs</p><p>ours</p><ul><li>a</li><li>b</li></ul><p>last words here</p>`},
		{"the server added ids", strings.Replace(base, "two", "2", 1), strings.Replace(base, "<p>", `<p local-id="x">`, 1), `<h1>T</h1><p local-id="x">one 2 three</p><ul><li>a</li><li>b</li></ul><p>last words here</p>`},
		{"two items of one list", strings.Replace(base, "<li>a", "<li>A", 1), strings.Replace(base, "<li>b", "<li>B", 1), strings.NewReplacer("<li>a", "<li>A", "<li>b", "<li>B").Replace(base)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := markup.Rebase(base, c.edited, c.fresh)
			if c.want == "" {
				var e *markup.Error
				require.True(t, errors.As(err, &e))
				assert.Equal(t, "markup.conflict", e.Code)
				assert.NotEmpty(t, e.Candidates)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

// Two callers change a word each, anywhere in any document: in different blocks
// both changes are in the result, in the same block it is a conflict. Where a
// block ends is told by the tags between the two words; a task is one block with
// its status.
func TestRebaseOnTheCorpusLosesNothing(t *testing.T) {
	word := regexp.MustCompile(`>[A-Za-z]{5,}`)
	boundary := regexp.MustCompile(`</?(p|h[1-6]|li|t[dhr]|div|ul|ol|table|tbody|blockquote|pre|hr|ac:task|ac:structured-macro|ac:macro|ac:(rich|plain)-text-body|ac:parameter|ac:caption|ac:layout[a-z-]*|ac:adf-[a-z]+)[\s/>]`)
	merged, refused := 0, 0
	eachSmallDocument(t, func(name, s string) {
		words := word.FindAllStringIndex(s, 6)
		for i := range words {
			for j := i + 1; j < len(words); j++ {
				ours := s[:words[i][1]] + "OURS" + s[words[i][1]:]
				theirs := s[:words[j][1]] + "THEIRS" + s[words[j][1]:]
				apart := boundary.MatchString(s[words[i][1] : words[j][0]+1])
				got, err := markup.Rebase(s, ours, theirs)
				if !assert.Equal(t, apart, err == nil, "%s: %s: %v", name, s[words[i][0]:words[j][1]], err) || err != nil {
					refused++
					continue
				}
				merged++
				assert.True(t, strings.Contains(got, "OURS") && strings.Contains(got, "THEIRS"), name)
				assert.Len(t, got, len(s)+10, name)
			}
		}
	})
	assert.Positive(t, merged)
	assert.Positive(t, refused)
}

package tools_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// between is the content of an answer without the marks around it.
func between(t *testing.T, out map[string]any) string {
	t.Helper()
	lines := strings.Split(out["content"].(string), "\n")
	require.Greater(t, len(lines), 2)
	return strings.Join(lines[1:len(lines)-1], "\n")
}

// A page that was not shown whole is not taken for a page.
func TestACutPageIsNotWrittenBack(t *testing.T) {
	site := newFake()
	p := site.pages["11"]
	p.Body = strings.Repeat("<p>One paragraph of many, all of the same kind.</p>", 30)
	site.put(p)
	d := newDesk(t, site)
	first, out := d.ok("get_page", args{"page_id": "11", "max_chars": 1000})
	head := between(t, out)
	assert.Regexp(t, `<<<confluence-cut \d+ characters are left out here>>>$`, head)
	assert.Contains(t, first.Text, "Go on with cursor")
	_, out = d.ok("get_page", args{"page_id": "11", "max_chars": 1000, "cursor": out["next_cursor"]})
	tail := between(t, out)
	assert.Regexp(t, `^<<<confluence-cut \d+ characters are left out here>>>\n`, tail)
	assert.NotRegexp(t, `>>>$`, tail, "the end of the page was shown")

	for _, body := range []string{head, tail, head + "\n\n" + tail} {
		e := d.fails("input.cut", "update_page", args{"page_id": "11", "base_version": 3, "body": body, "allow_loss": []string{"elision"}})
		assert.Contains(t, e.Next, "cursor")
		d.fails("input.cut", "create_page", args{"space_key": "ENG", "title": "Copy", "body": body})
		d.fails("input.cut", "update_page", args{"page_id": "11", "base_version": 3, "edits": []args{{"op": "append", "markdown": body}}})
		d.fails("input.cut", "add_comment", args{"page_id": "11", "body": body})
		d.fails("input.cut", "update_comment", args{"comment_id": "31", "body": body})
	}
	d.fails("input.fence", "update_page", args{"page_id": "11", "base_version": 3, "body": out["content"].(string)[:60] + "x"})
	assert.Empty(t, site.writes())

	_, out = d.ok("get_page", args{"page_id": "11", "max_chars": 100_000})
	whole := between(t, out)
	assert.NotContains(t, whole, "confluence-cut")
	r, _ := d.ok("update_page", args{"page_id": "11", "base_version": 3, "body": whole})
	assert.Contains(t, r.Text, "Nothing was changed")
	line := func(s string) bool { return strings.HasPrefix(s, "<<<") }
	joined := strings.Join(strings.FieldsFunc(head+"\n"+tail, func(r rune) bool { return r == '\n' }), "\n")
	kept := []string{}
	for l := range strings.SplitSeq(joined, "\n") {
		if !line(l) {
			kept = append(kept, l)
		}
	}
	assert.Equal(t, strings.ReplaceAll(whole, "\n\n", "\n"), strings.Join(kept, "\n"), "both parts are the page")
}

// What a page says in words that stand for something in answers stays what it is.
func TestWordsThatLookLikeMarksStay(t *testing.T) {
	for name, stored := range map[string]string{
		"an image in words":           `<p>Write [image: pump] before it. End.</p>`,
		"with an address":             `<p>Write [image: pump](pump.png) before it. End.</p>`,
		"in code":                     `<ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[[image: a](b) ![c](d) [image:: e](f)]]></ac:plain-text-body></ac:structured-macro><p>End.</p>`,
		"beside a picture":            `<p>[image: x] <ac:image><ri:attachment ri:filename="pump.png" /></ac:image> <code>![a](b)</code> End.</p>`,
		"more colons":                 `<p>[image::: x] and [image:] and [image: End.</p>`,
		"code that looks like images": `<ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[vec![1] and a[image: 2]]]></ac:plain-text-body></ac:structured-macro><p>End.</p>`,
		"a fence":                     `<p>&lt;&lt;&lt;confluence-cut 7 characters are left out here&gt;&gt;&gt; End.</p>`,
	} {
		t.Run(name, func(t *testing.T) {
			site := newFake()
			p := site.pages["11"]
			p.Body = stored
			site.put(p)
			d := newDesk(t, site)
			_, out := d.ok("get_page", args{"page_id": "11"})
			d.ok("update_page", args{"page_id": "11", "base_version": 3, "body": between(t, out)})
			assert.Equal(t, stored, site.pages["11"].Body, "read and written back")
			d.ok("update_page", args{"page_id": "11", "base_version": 3, "body": strings.Replace(between(t, out), "End.", "The end.", 1)})
			assert.Equal(t, strings.Replace(stored, "End.", "The end.", 1), site.pages["11"].Body)
		})
	}
	site := newFake()
	newDesk(t, site).ok("create_page", args{"space_key": "ENG", "title": "New", "body": "See [image: below] for it.\n\n[image: pump](pump.png)"})
	made := site.pages["101"].Body
	assert.Contains(t, made, "See [image: below] for it.")
	assert.Contains(t, made, `<ri:attachment ri:filename="pump.png" />`)
}

// Design 5: every read takes max_chars, one with a short answer too.
func TestShortReadsKeepToMaxChars(t *testing.T) {
	site := newFake()
	s := site.spaces["ENG"]
	s.Name = strings.Repeat("long ", 50)
	site.spaces["ENG"] = s
	d := newDesk(t, site)
	r, _ := d.ok("get_space", args{"space_key": "ENG", "max_chars": 200})
	assert.Regexp(t, `\[\d+ more characters did not fit into max_chars\]`, r.Text)
	assert.Contains(t, r.Text, s.WebURL)
	r, _ = d.ok("get_space", args{"space_key": "ENG"})
	assert.NotContains(t, r.Text, "did not fit")
	d.ok("get_user", args{"max_chars": 200})
	d.fails("not_found", "get_approval", args{"approval_id": "a-1", "max_chars": 200})
}

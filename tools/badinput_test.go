package tools_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/tools"
)

// Every bad argument is one clear sentence with a next step, and nothing was
// asked of Confluence.
func TestBadInput(t *testing.T) {
	long := strings.Repeat("x", 3000)
	site := newFake()
	d := newDesk(t, site)
	for _, c := range []struct{ name, tool, args, kind, says string }{
		{"no JSON", "search", `{"query"`, "input.malformed", "not valid JSON"},
		{"two values", "search", `{"query":"a"} {}`, "input.malformed", "after the JSON value"},
		{"an array", "search", `[1]`, "input.type", "arguments is an array; it must be an object"},
		{"duplicate key", "get_page", `{"page_id":"1","page_id":"2"}`, "input.malformed", `"page_id" stands twice`},
		{"duplicate key below", "update_page", `{"page_id":"1","base_version":1,"edits":[{"op":"append","op":"delete"}]}`, "input.malformed", "twice"},
		{"NUL in a value", "search", `{"query":"a\u0000b"}`, "input.malformed", "NUL"},
		{"NUL in a key", "search", `{"query\u0000":"a"}`, "input.malformed", "NUL"},
		{"not UTF-8", "search", "{\"query\":\"\xff\"}", "input.malformed", "UTF-8"},
		{"too deep", "update_page", `{"edits":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`, "input.malformed", "deeper"},
		{"too many entries", "create_page", `{"space_key":"ENG","title":"t","labels":[` + strings.TrimSuffix(strings.Repeat(`"a",`, 100_000), ",") + `]}`, "input.invalid", "at most 100"},
		{"unknown argument", "search", `{"query":"a","colour":"red"}`, "input.unknown_argument", `"colour" is not an argument`},
		{"wrong case", "get_page", `{"PageId":"1"}`, "input.unknown_argument", "It is written page_id."},
		{"unknown without any", "get_user", `{"x":1}`, "input.unknown_argument", "user_id"},
		{"missing", "search", `{}`, "input.missing", "query is required"},
		{"no arguments at all", "get_space", ``, "input.missing", "space_key is required"},
		{"null", "get_page", `{"page_id":null}`, "input.type", "page_id is null"},
		{"number for string", "get_page", `{"page_id":123}`, "input.type", "page_id is a number; it must be a string"},
		{"string for number", "search", `{"query":"a","limit":"5"}`, "input.type", "limit is a string; it must be an integer"},
		{"string for boolean", "get_page", `{"page_id":"1","fresh":"yes"}`, "input.type", "fresh is a string; it must be a boolean"},
		{"string for list", "create_page", `{"space_key":"ENG","title":"t","labels":"a"}`, "input.type", "labels is a string; it must be an array"},
		{"number in list", "create_page", `{"space_key":"ENG","title":"t","labels":[1]}`, "input.type", "labels[0] is a number"},
		{"empty query", "search", `{"query":"  "}`, "input.invalid", "query is empty"},
		{"only punctuation", "search", `{"query":"???"}`, "input.query", "no word"},
		{"huge query", "search", `{"query":"` + long + `"}`, "input.invalid", "3000 characters; at most 500"},
		{"limit too big", "search", `{"query":"a","limit":1000000}`, "input.invalid", "from 1 to 25"},
		{"limit negative", "search", `{"query":"a","limit":-1}`, "input.invalid", "from 1 to 25"},
		{"limit broken", "search", `{"query":"a","limit":1.5}`, "input.invalid", "whole number"},
		{"limit huge", "search", `{"query":"a","limit":99999999999999999999}`, "input.invalid", "whole number"},
		{"max_chars zero", "get_page", `{"page_id":"1","max_chars":0}`, "input.invalid", "from 200"},
		{"not of the list", "get_page", `{"page_id":"1","mode":"pdf"}`, "input.invalid", "not one of markdown, outline"},
		{"bad date", "search", `{"query":"a","updated_since":"yesterday"}`, "input.invalid", "an age (12h, 7d, 4w)"},
		{"no page named", "get_page", `{}`, "input.missing", "No page is named"},
		{"two pages named", "get_page", `{"page_id":"1","url":"https://acme.test/wiki/x"}`, "input.invalid", "more than one way"},
		{"title without space", "get_page", `{"title":"x"}`, "input.missing", "space_key is required"},
		{"section without one", "get_page", `{"page_id":"1","mode":"section"}`, "input.missing", "section is required"},
		{"url elsewhere", "get_page", `{"url":"https://evil.test/wiki/spaces/ENG/pages/11"}`, "input.url", "not an address on this"},
		{"url look-alike", "get_page", `{"url":"https://acme.test.evil.test/wiki/spaces/ENG/pages/11"}`, "input.url", "not an address on this"},
		{"url with user", "get_page", `{"url":"https://acme.test@evil.test/wiki/spaces/ENG/pages/11"}`, "input.url", "not an address on this"},
		{"url of no page", "get_page", `{"url":"https://acme.test/wiki/spaces/ENG"}`, "input.url", "does not name a page"},
		{"url file", "get_page", `{"url":"file:///etc/passwd"}`, "input.url", "not an address on this"},
		{"nothing to list", "list_pages", `{}`, "input.missing", "Nothing says which pages"},
		{"depth alone", "list_pages", `{"space_key":"ENG","depth":2}`, "input.invalid", "depth needs parent_id"},
		{"two bodies", "create_page", `{"space_key":"ENG","title":"t","body":"b","copy_from":"1"}`, "input.invalid", "exclude each other"},
		{"blog below a page", "create_page", `{"space_key":"ENG","title":"t","type":"blogpost","parent_id":"1"}`, "input.invalid", "no parent"},
		{"format of nothing", "create_page", `{"space_key":"ENG","title":"t","format":"storage"}`, "input.invalid", "there is no body"},
		{"empty title", "create_page", `{"space_key":"ENG","title":""}`, "input.invalid", "title is empty"},
		{"title of two lines", "create_page", `{"space_key":"ENG","title":"a\nb"}`, "input.invalid", "one line"},
		{"long title", "create_page", `{"space_key":"ENG","title":"` + long[:256] + `"}`, "input.invalid", "at most 255"},
		{"no base version", "update_page", `{"page_id":"11","title":"x"}`, "input.missing", "base_version is required"},
		{"nothing to change", "update_page", `{"page_id":"11","base_version":3}`, "input.missing", "nothing to change"},
		{"two changes", "update_page", `{"page_id":"11","base_version":3,"body":"x","undo":true}`, "input.invalid", "More than one change"},
		{"no edits", "update_page", `{"page_id":"11","base_version":3,"edits":[]}`, "input.invalid", "edits is empty"},
		{"nothing to change in a comment", "update_comment", `{"comment_id":"31"}`, "input.missing", "nothing to change"},
		{"reply inline", "add_comment", `{"page_id":"11","body":"x","parent_id":"31","inline_text":"y"}`, "input.invalid", "exclude each other"},
		{"bad range", "download_attachment", `{"attachment_id":"41","range":"5-2"}`, "input.invalid", "byte positions"},
		{"bad cursor", "search", `{"query":"a","cursor":"AAAA"}`, "input.cursor", "does not belong"},
		{"approval unknown", "get_approval", `{"approval_id":"abc"}`, "not_found", "no approval"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := d.raw(c.tool, c.args)
			e := failed(t, c.kind, r)
			assert.Contains(t, e.Message+" "+e.Next, c.says)
			assert.False(t, e.Retryable)
			assert.NotContains(t, r.Text, "\n")
			assert.Less(t, len(r.Text), 600)
			assert.Empty(t, site.calls)
		})
	}
}

// F04: an id is digits, nothing else, wherever one is taken.
func TestF04_IDsAreDigits(t *testing.T) {
	bad := []string{"123?purge=true", "123/../../space/KEY", "%2e%2e", "123#", "-1", strings.Repeat("9", 30), "", " 1", "１２", "att1/../2", "1\n2"}
	for tool, field := range map[string]string{
		"get_page": "page_id", "get_page_history": "page_id", "delete_page": "page_id", "get_comments": "page_id", "delete_comment": "comment_id",
		"download_attachment": "attachment_id", "delete_attachment": "attachment_id",
	} {
		site := newFake()
		d := newDesk(t, site)
		for _, id := range bad {
			r := d.call(tool, args{field: id})
			require.True(t, r.IsError, "%s %q", tool, id)
			if id != "" {
				failed(t, "input.id", r)
			}
			assert.Empty(t, site.calls)
		}
	}
}

// F05: a space key is letters, digits and underscores; personal spaces are not served.
func TestF05_SpaceKeysArePlain(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	for _, key := range []string{"A/B", "A?b=c", "~user", "A B", `A"`, "A%2F", strings.Repeat("K", 256), "ÄÖ"} {
		for tool, a := range map[string]args{
			"get_space": {"space_key": key}, "list_pages": {"space_key": key}, "search": {"query": "a", "space_key": key},
			"create_page": {"space_key": key, "title": "t"}, "create_space": {"key": key, "name": "n"}, "update_space": {"space_key": key, "name": "n"},
		} {
			d.fails("input.space_key", tool, a)
			assert.Empty(t, site.calls)
		}
	}
}

// F10: labels are plain words.
func TestF10_LabelsArePlain(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	for _, name := range []string{"a,b", "global:x", strings.Repeat("x", 256), "a b", "", "a/b", "a\u200bb"} {
		d.fails("input.label", "add_label", args{"page_id": "11", "name": name})
		d.fails("input.label", "remove_label", args{"page_id": "11", "name": name})
		d.fails("input.label", "create_page", args{"space_key": "ENG", "title": "t", "labels": []string{name}})
		assert.Empty(t, site.calls)
	}
}

// E03, F08: a file name is a name: no path, no control, no hidden character.
func TestE03_F08_FileNamesArePlain(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	for _, name := range []string{"../../x", "a/b", `a\b`, "CON", "con.txt", "COM1", "..", ".", strings.Repeat("x", 300), "a\u202etxt.exe", "%2e%2e%2f", "a\nb", "a\r\nX-Evil: 1", " a", "", "a\u200b.txt", "~/x:y"} {
		r := d.call("upload_attachment", args{"page_id": "11", "filename": name, "content": "x"})
		failed(t, "input.file_name", r)
		assert.Empty(t, site.calls)
	}
	r := d.raw("upload_attachment", `{"page_id":"11","filename":"a\u0000b","content":"x"}`)
	failed(t, "input.malformed", r)

	site = newFake() // what stands in Confluence already is shown, on one line
	f := site.files["att41"]
	f.Title = "../a\nb\u202e.txt\x00"
	site.files["att41"] = f
	r, out := newDesk(t, site).ok("get_attachments", args{"page_id": "11"})
	assert.Equal(t, "../a b.txt", out["attachments"].([]any)[0].(map[string]any)["filename"])
	assert.Contains(t, r.Text, "../a b.txt")
}

// E01: content comes in the call; what looks like a path is content.
func TestE01_UploadTakesContentOnly(t *testing.T) {
	for _, content := range []string{"/etc/passwd", "../x", "file:///etc/passwd", "~"} {
		site := newFake()
		d := newDesk(t, site)
		_, out := d.ok("upload_attachment", args{"page_id": "11", "filename": "a.txt", "content": content})
		assert.Equal(t, content, string(site.bytes[out["id"].(string)]))
		for _, field := range []string{"path", "file_path", "source"} {
			d.fails("input.unknown_argument", "upload_attachment", args{"page_id": "11", "filename": "a.txt", field: content, "content": ""})
		}
	}
}

// E07: what runs on a double click or in a browser is not attached.
func TestE07_ExecutablesAreRefused(t *testing.T) {
	for name, content := range map[string]string{
		"setup.exe": "x", "report.pdf.exe": "x", "report.exe.pdf": "x", "run.SH": "x", "a.html": "x", "a.svg": "x", "notes.txt": "MZ\x01", "notes.md": "#!/bin/sh\n",
		"page.txt": "<!DOCTYPE html><script>1</script>", "lib.txt": "\x7fELF",
	} {
		site := newFake()
		d := newDesk(t, site)
		d.fails("policy.file_type", "upload_attachment", args{"page_id": "11", "filename": name, "content": content})
		assert.Empty(t, site.writes(), name)
	}
}

func TestUploadIsBounded(t *testing.T) {
	site := newFake()
	d := newDesk(t, site, func(c *tools.Config) { c.Limits.UploadBytes = 10; c.Limits.ArgumentBytes = 1000 })
	d.fails("limit.too_large", "upload_attachment", args{"page_id": "11", "filename": "a.txt", "content": "12345678901"})
	d.fails("limit.too_large", "upload_attachment", args{"page_id": "11", "filename": "a.txt", "content": strings.Repeat("x", 1000)})
	d.fails("input.content", "upload_attachment", args{"page_id": "11", "filename": "a.bin", "content": "!!", "encoding": "base64"})
	assert.Empty(t, site.writes())
}

// I06: a written body brings no code along.
func TestI06_ActiveContentIsNotWritten(t *testing.T) {
	for _, body := range []string{
		`<ac:structured-macro ac:name="html"><ac:plain-text-body><![CDATA[<b>]]></ac:plain-text-body></ac:structured-macro>`,
		`<ac:structured-macro ac:name="no-such-macro"></ac:structured-macro>`,
		`<p><script>alert(1)</script></p>`, `<iframe src="https://evil.test"></iframe>`, `<p><a href="javascript:alert(1)">x</a></p>`, `<p><a href=" java&#10;script:alert(1)">x</a></p>`,
		`<p onclick="x()">x</p>`, `<p>broken`,
	} {
		site := newFake()
		d := newDesk(t, site)
		r := d.call("create_page", args{"space_key": "ENG", "title": "t", "body": body, "format": "storage"})
		require.True(t, r.IsError, body)
		assert.Contains(t, string(r.Structured), `"kind":"input.`, body)
		assert.Empty(t, site.writes(), body)
	}
	site := newFake()
	_, _ = newDesk(t, site).ok("create_page", args{"space_key": "ENG", "title": "t", "format": "storage",
		"body": `<ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[<script>alert(1)</script>]]></ac:plain-text-body></ac:structured-macro>`})
}

// D01: nothing a caller sends names another server.
func TestD01_NoCallNamesAServer(t *testing.T) {
	for _, field := range []string{"base_url", "baseUrl", "cloud_id", "cloudId", "site", "host", "X-Atlassian-Url"} {
		site := newFake()
		d := newDesk(t, site)
		d.fails("input.unknown_argument", "get_page", args{"page_id": "11", field: "http://169.254.169.254/"})
		assert.Empty(t, site.calls)
	}
}

func TestAddressesOfPagesAreRead(t *testing.T) {
	for _, url := range []string{
		"https://acme.test/wiki/spaces/ENG/pages/11", "https://acme.test/wiki/spaces/ENG/pages/11/Guide", "https://acme.test/wiki/spaces/ENG/pages/edit-v2/11",
		"https://acme.test/wiki/pages/viewpage.action?pageId=11", "https://acme.test/wiki/display/ENG/Guide", "https://acme.test/wiki/x/Cw",
		"https://acme.test/wiki/spaces/ENG/pages/11/Guide?focusedCommentId=3#End",
	} {
		_, out := newDesk(t, newFake()).ok("get_page", args{"url": url})
		assert.Equal(t, "11", out["page_id"], url)
	}
	d := newDesk(t, newFake())
	d.fails("not_found", "get_page", args{"url": "https://acme.test/wiki/spaces/ENG/pages/999"})
	d.fails("input.url", "get_page", args{"url": fmt.Sprintf("https://acme.test/wiki/spaces/ENG/pages/%s", strings.Repeat("1", 25))})
}

// E04, E05: a file is handed on as bytes, capped, and never unpacked.
func TestE04_E05_FilesAreCappedAndNeverUnpacked(t *testing.T) {
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	w, err := z.Create("bomb.txt")
	require.NoError(t, err)
	_, err = w.Write(bytes.Repeat([]byte("boom "), 2_000_000)) // 10 MB in 10 kB
	require.NoError(t, err)
	require.NoError(t, z.Close())
	site := newFake()
	site.files["att41"] = confluence.Attachment{ID: "att41", PageID: "11", Title: "a.zip", MediaType: "application/zip", Size: int64(packed.Len())}
	site.bytes["att41"] = packed.Bytes()
	r, out := newDesk(t, site).ok("download_attachment", args{"attachment_id": "41"})
	assert.Equal(t, base64.StdEncoding.EncodeToString(packed.Bytes()), out["content"])
	assert.NotContains(t, r.Text, "boom")

	huge := site.files["att41"] // says it is small and gives more, then says it is huge
	huge.Size = 10
	site.files["att41"], site.bytes["att41"] = huge, bytes.Repeat([]byte{0xff}, 1<<20)
	r, _ = newDesk(t, site).ok("download_attachment", args{"attachment_id": "41"})
	assert.Less(t, len(r.Text), 150_000)
	huge.Size = 10 << 30
	site.files["att41"] = huge
	r, out = newDesk(t, site).ok("download_attachment", args{"attachment_id": "41"})
	assert.Less(t, len(r.Text), 150_000)
	assert.Equal(t, "98304-196607", out["next_range"])
}

package v1_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const box = "content/1001/child/attachment"

// fetch asks the media host.
func (b *bench) fetch(location string, header http.Header) answer {
	b.t.Helper()
	return b.do("", http.MethodGet, location, "", header)
}

func TestUploadAndDownload(t *testing.T) {
	b := start(t)
	a := b.upload("u-bob", "POST", box, file{"file", "notes ü.txt", "text/plain", "one"}, file{"minorEdit", "", "", "true"},
		file{"comment", "", "text/plain; charset=UTF-8", "größer"})
	require.Equal(t, 200, a.status, a.raw)
	made := a.at("results", 0)
	id := at(made, "id").(string)
	assert.Regexp(t, `^att\d+$`, id)
	assert.Equal(t, "notes ü.txt", at(made, "title"))
	assert.Equal(t, "größer", at(made, "metadata", "comment"))
	assert.Equal(t, "text/plain", at(made, "extensions", "mediaType"))
	assert.EqualValues(t, 3, at(made, "extensions", "fileSize"))
	assert.Equal(t, "1001", at(made, "container", "id"))

	d := b.get("u-ann", box+"/"+id+"/download")
	require.Equal(t, http.StatusFound, d.status)
	location := d.header.Get("Location")
	assert.True(t, strings.HasPrefix(location, b.Media), location)
	got := b.fetch(location, nil)
	assert.Equal(t, "one", got.raw)
	assert.Equal(t, "text/plain", got.header.Get("Content-Type"))
	part := b.fetch(location, http.Header{"Range": {"bytes=1-1"}})
	assert.Equal(t, http.StatusPartialContent, part.status)
	assert.Equal(t, "n", part.raw)
}

func TestMediaHostRefusesCredentialsAndBadTokens(t *testing.T) {
	b := start(t)
	location := b.get("u-ann", box+"/att6001/download").header.Get("Location")
	assert.Equal(t, http.StatusBadRequest, b.fetch(location, http.Header{"Authorization": {"Bearer x"}}).status)
	assert.Equal(t, http.StatusForbidden, b.fetch(strings.Replace(location, "token=", "token=x", 1), nil).status)
	assert.Equal(t, http.StatusForbidden, b.fetch(strings.Split(location, "?")[0], nil).status)
	assert.Equal(t, http.StatusMethodNotAllowed, b.do("", http.MethodPost, location, "x", nil).status)
	assert.Equal(t, http.StatusOK, b.fetch(location, nil).status)
	b.Apply(`{"kind":"clock","advance":"1h"}`)
	assert.Equal(t, http.StatusForbidden, b.fetch(location, nil).status)
}

func TestUploadNeedsTheXSRFHeader(t *testing.T) {
	b := start(t)
	body := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhi\r\n--x--\r\n"
	form := http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}
	a := b.do("u-bob", "POST", box, body, form)
	assert.Equal(t, http.StatusForbidden, a.status)
	assert.Contains(t, a.at("message"), "XSRF check failed")
	form.Set("X-Atlassian-Token", "yes")
	assert.Equal(t, http.StatusForbidden, b.do("u-bob", "POST", box, body, form).status)
	form.Set("X-Atlassian-Token", "no-check")
	assert.Equal(t, http.StatusOK, b.do("u-bob", "POST", box, body, form).status)
}

func TestTextPartsAreLatin1UnlessLabelled(t *testing.T) {
	b := start(t)
	a := b.upload("u-bob", "POST", box, file{"file", "a.txt", "", "x"}, file{"comment", "", "", "größer"})
	assert.Equal(t, "grÃ¶Ã\u009fer", a.at("results", 0, "metadata", "comment"))
}

func TestVersionsOfAFile(t *testing.T) {
	b := start(t)
	first := file{"file", "plan.txt", "text/plain", "one"}
	id := b.upload("u-bob", "PUT", box, first).at("results", 0, "id").(string)
	dup := b.upload("u-bob", "POST", box, first)
	assert.Equal(t, http.StatusBadRequest, dup.status)
	assert.Contains(t, dup.at("message"), "same file name")
	again := b.upload("u-bob", "PUT", box, file{"file", "plan.txt", "text/plain", "two"})
	assert.Equal(t, id, again.at("results", 0, "id"))
	assert.EqualValues(t, 2, again.at("results", 0, "version", "number"))
	third := b.upload("u-ann", "POST", box+"/"+id+"/data", file{"file", "other name.txt", "text/plain", "three"})
	require.Equal(t, 200, third.status, third.raw)
	assert.Equal(t, "plan.txt", third.at("title"))

	get := func(query string) string {
		return b.fetch(b.get("u-ann", box+"/"+id+"/download"+query).header.Get("Location"), nil).raw
	}
	assert.Equal(t, "three", get(""))
	assert.Equal(t, "one", get("?version=1"))
	b.refused(http.StatusNotFound, "u-ann", "GET", box+"/"+id+"/download?version=9", "")
}

func TestPropertiesOfAFile(t *testing.T) {
	b := start(t)
	path := box + "/att6002"
	a := b.ok("u-bob", "PUT", path, `{"id":"att6002","type":"attachment","version":{"number":2},"title":"list.txt","metadata":{"mediaType":"text/csv"}}`)
	assert.Equal(t, "list.txt", a.at("title"))
	assert.Equal(t, "text/csv", a.at("extensions", "mediaType"))
	b.refused(http.StatusConflict, "u-bob", "PUT", path, `{"id":"att6002","type":"attachment","version":{"number":7},"title":"x.txt"}`)
	b.refused(http.StatusBadRequest, "u-bob", "PUT", path, `{"id":"att6001","type":"attachment","version":{"number":3}}`)
	b.refused(http.StatusBadRequest, "u-bob", "PUT", path, `{"id":"att6002","type":"attachment","version":{"number":3},"title":"pump.png"}`)
	moved := b.ok("u-bob", "PUT", path, `{"id":"att6002","type":"attachment","version":{"number":3},"container":{"id":"1011","type":"page"}}`)
	assert.Equal(t, "1011", moved.at("container", "id"))
	b.refused(http.StatusNotFound, "u-bob", "GET", path+"/download", "")
}

func TestUploadsThatAreRefusedStoreNothing(t *testing.T) {
	b := start(t)
	ok := file{"file", "fine.txt", "", "x"}
	for name, a := range map[string]answer{
		"two of a name":     b.upload("u-bob", "POST", box, ok, ok),
		"second exists":     b.upload("u-bob", "POST", box, ok, file{"file", "pump.png", "", "x"}),
		"slash in the name": b.upload("u-bob", "POST", box, ok, file{"file", "a/b.txt", "", "x"}),
		"no file":           b.upload("u-bob", "POST", box, file{"comment", "", "", "x"}),
		"comments missing":  b.upload("u-bob", "POST", box, ok, file{"file", "more.txt", "", "x"}, file{"comment", "", "", "x"}),
		"no multipart":      b.do("u-bob", "POST", box, "hello", http.Header{"X-Atlassian-Token": {"nocheck"}}),
	} {
		assert.Equal(t, http.StatusBadRequest, a.status, name)
	}
	assert.Equal(t, http.StatusForbidden, b.upload("u-bob", "POST", "content/2000/child/attachment", ok).status)
	assert.Equal(t, http.StatusNotFound, b.upload("u-bob", "POST", "content/1002/child/attachment", ok).status)
	assert.Len(t, b.ok("u-ann", "GET", box, "").column(), 2)
}

func TestAttachmentsOfHiddenPagesAreHidden(t *testing.T) {
	b := start(t)
	b.refused(http.StatusNotFound, "u-bob", "GET", "content/1002/child/attachment/att6003/download", "")
	b.refused(http.StatusNotFound, "u-bob", "GET", "content/1001/child/attachment/att6003/download", "")
	b.refused(http.StatusNotFound, "u-ann", "GET", "content/1001/child/attachment/att6003/download", "")
	assert.Equal(t, http.StatusFound, b.get("u-ann", "content/1002/child/attachment/att6003/download").status)
	location := b.get("u-ann", "content/1002/child/attachment/att6003/download").header.Get("Location")
	assert.NotContains(t, location, b.Token("u-ann"))
}

func TestDownloadLinksTakeNoToken(t *testing.T) {
	b := start(t)
	link := b.ok("u-ann", "GET", box+"?filename=pump.png", "").at("results", 0, "_links", "download").(string)
	a := b.do("u-ann", "GET", b.URL+link, "", nil)
	assert.Equal(t, http.StatusUnauthorized, a.status)
	assert.Contains(t, a.header.Get("Content-Type"), "text/html")
}

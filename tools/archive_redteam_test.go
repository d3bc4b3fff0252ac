package tools_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestE05_ArchivesAreNeverUnpacked: an archive is bytes. What it would unpack
// to is nobody's business here, on the way in and on the way out.
func TestE05_ArchivesAreNeverUnpacked(t *testing.T) {
	for name, archive := range map[string][]byte{
		"a ratio of 1000:1": zipped(t, 1, 20<<20), "many files": zipped(t, 20_000, 0), "an archive in an archive": nestedZip(t, 5), "gzip": gzipped(t, 20<<20),
	} {
		t.Run(name, func(t *testing.T) {
			site := newFake()
			d := newDesk(t, site)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, out := d.ok("upload_attachment", args{"page_id": "11", "filename": "files.zip", "content": base64.StdEncoding.EncodeToString(archive), "encoding": "base64"})
			id, _ := out["id"].(string)
			assert.Equal(t, archive, site.bytes[id], "kept byte by byte")

			_, out = d.ok("download_attachment", args{"attachment_id": id, "range": "0-1000"})
			runtime.ReadMemStats(&after)
			assert.Equal(t, "base64", out["encoding"], "no text is taken out of it")
			got, err := base64.StdEncoding.DecodeString(out["content"].(string))
			require.NoError(t, err)
			assert.Equal(t, archive[:min(len(archive), 1001)], got)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32*len(archive)+(16<<20)), "what it costs follows its size, not what is in it")
		})
	}
}

func zipped(t *testing.T, files, each int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range files {
		f, err := w.Create(fmt.Sprintf("../../%d", i))
		require.NoError(t, err)
		_, err = io.Copy(f, strings.NewReader(strings.Repeat("\x00", each)))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func nestedZip(t *testing.T, levels int) []byte {
	t.Helper()
	inner := zipped(t, 1, 1<<20)
	for range levels {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for i := range 4 {
			f, err := w.Create(fmt.Sprintf("%d.zip", i))
			require.NoError(t, err)
			_, err = f.Write(inner)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		inner = b.Bytes()
	}
	return inner
}

func gzipped(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(make([]byte, size))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

package storage_test

import (
	"encoding/xml"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/markup/storage"
)

// corpus is the folder of real documents next to the checkout; the tests that
// need it are skipped loudly where it is absent.
func corpus(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "..", "shared", "corpus", "storage")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("LOUD: ../shared/corpus/storage is absent, nothing of the corpus was checked")
	}
	return dir
}

func wellFormed(s string) bool {
	d := xml.NewDecoder(strings.NewReader(`<d xmlns:ac="a" xmlns:ri="r" xmlns:at="t">` + s + `</d>`))
	d.Entity = xml.HTMLEntity
	for {
		_, err := d.Token()
		if err != nil {
			return err.Error() == "EOF"
		}
	}
}

// The standard library's strict decoder is the second opinion on what is well-formed.
func TestParseAgreesWithEncodingXMLOnTheCorpus(t *testing.T) {
	count := 0
	err := filepath.WalkDir(corpus(t), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".xml") {
			return err
		}
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		tree := storage.Parse(string(b))
		assert.Equal(t, wellFormed(string(b)), tree.Fault == nil, "%s: %+v", path, tree.Fault)
		count++
		return nil
	})
	require.NoError(t, err)
	assert.Greater(t, count, 250)
}

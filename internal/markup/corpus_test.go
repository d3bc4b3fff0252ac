package markup_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// corpus reads the real documents next to the checkout. The tests that need
// them are skipped loudly where they are absent.
func corpus(t testing.TB, ext string) map[string]string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "storage")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("LOUD: ../shared/corpus/storage is absent, nothing of the corpus was checked")
	}
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ext) {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(name)] = string(b)
		return err
	})
	require.NoError(t, err)
	return out
}

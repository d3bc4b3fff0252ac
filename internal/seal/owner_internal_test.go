//go:build unix

package seal

// Inside the package because only root could give a file to somebody else.

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
)

func TestK06_KeyFileOfSomebodyElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.key")
	require.NoError(t, os.WriteFile(path, []byte(NewKeyText().Reveal()+"\n"), 0o600))
	f, err := os.Stat(path)
	require.NoError(t, err)
	require.NoError(t, judgeOwner(f, os.Getuid(), path))
	err = judgeOwner(f, os.Getuid()+1, path)
	var e *confluence.Error
	require.True(t, errors.As(err, &e))
	assert.Equal(t, confluence.Invalid, e.Kind)
	assert.Contains(t, e.Message, "belongs to another user")
	_, err = keyFile{path: path, mine: os.Getuid() + 1}.read()
	assert.ErrorContains(t, err, "belongs to another user", "it is looked at before it is read")
}

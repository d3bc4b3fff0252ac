package seal_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zalando/go-keyring"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

func readKeyFile(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "seal.key"))
	require.NoError(t, err)
	return string(b)
}

func masters(t *testing.T, dir string) []string {
	t.Helper()
	return strings.Split(strings.TrimSpace(readKeyFile(t, dir)), "\n")
}

func TestKeyFileIsMadeOnceAndForTheOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	ring(t, fileIn(t, dir), newMemory())
	f, err := os.Stat(filepath.Join(dir, "seal.key"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), f.Mode().Perm())
	first := readKeyFile(t, dir)
	ring(t, fileIn(t, dir), newMemory())
	assert.Equal(t, first, readKeyFile(t, dir))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no temporary file stays")
}

func TestKeyFileMadeByManyAtOnce(t *testing.T) {
	dir, m := t.TempDir(), newMemory()
	at := seal.Place{Table: "t", Row: "1", Column: "c"}
	var wg sync.WaitGroup
	records := make([][]byte, 8)
	for i := range records {
		wg.Go(func() {
			r, err := seal.OpenRing(t.Context(), fileIn(t, dir), m)
			if assert.NoError(t, err) {
				records[i], err = r.Seal(at, seal.NewSecret(canary))
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	r := ring(t, fileIn(t, dir), m)
	for _, record := range records {
		_, err := r.Open(t.Context(), at, record)
		assert.NoError(t, err)
	}
}

func TestK06_KeyFileOthersMayRead(t *testing.T) {
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o660, 0o601} {
		t.Run(mode.String(), func(t *testing.T) {
			dir, m := t.TempDir(), newMemory()
			ring(t, fileIn(t, dir), m)
			require.NoError(t, os.Chmod(filepath.Join(dir, "seal.key"), mode))
			for _, db := range []*memory{m, newMemory()} {
				_, err := seal.OpenRing(t.Context(), fileIn(t, dir), db)
				requireCode(t, err, confluence.Invalid, "seal.key")
				assert.Contains(t, err.Error(), "open to others")
			}
		})
	}
}

func TestKeyFileThatIsNoKeyFile(t *testing.T) {
	dir, m := t.TempDir(), newMemory()
	ring(t, fileIn(t, dir), m)
	path, good := filepath.Join(dir, "seal.key"), readKeyFile(t, dir)
	words := strings.Fields(good)
	flipped := words[0] + " " + words[1] + " " + strings.ToLower(words[2])
	other := t.TempDir()
	ring(t, fileIn(t, other), newMemory())
	for name, c := range map[string]struct{ text, says string }{
		"empty":          {"", "holds no key"},
		"noise":          {"\x00\x01\x02", "not a key of this program"},
		"another secret": {canary, "not a key of this program"},
		"cut":            {good[:len(good)/2], "damaged"},
		"changed":        {flipped, "damaged"},
		"second bad":     {good + "x\n", "damaged (key 2)"},
		"huge":           {strings.Repeat(good, 1000), "not a key of this program"},
		"foreign":        {readKeyFile(t, other), "is not the one this data folder was sealed with"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, []byte(c.text), 0o600))
			_, err := seal.OpenRing(t.Context(), fileIn(t, dir), m)
			requireCode(t, err, confluence.Invalid, "seal.key")
			assert.Contains(t, err.Error(), c.says)
			assert.Contains(t, err.Error(), path, "the file is named")
			assert.Equal(t, c.text, readKeyFile(t, dir), "nothing is repaired")
		})
	}
}

func TestMissingKeyFileIsNotReplaced(t *testing.T) {
	dir, m := t.TempDir(), newMemory()
	ring(t, fileIn(t, dir), m)
	require.NoError(t, os.Remove(filepath.Join(dir, "seal.key")))
	_, err := seal.OpenRing(t.Context(), fileIn(t, dir), m)
	requireCode(t, err, confluence.Invalid, "seal.key")
	assert.NoFileExists(t, filepath.Join(dir, "seal.key"))
}

func TestKeyFileIsALinkOrAFolder(t *testing.T) {
	dir, m := t.TempDir(), newMemory()
	ring(t, fileIn(t, dir), m)
	path := filepath.Join(dir, "seal.key")
	require.NoError(t, os.Rename(path, path+".real"))
	require.NoError(t, os.Symlink(path+".real", path))
	_, err := seal.OpenRing(t.Context(), fileIn(t, dir), m)
	requireCode(t, err, confluence.Invalid, "seal.key")
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
	_, err = seal.OpenRing(t.Context(), fileIn(t, dir), m)
	requireCode(t, err, confluence.Invalid, "seal.key")
}

func TestEnvironmentKey(t *testing.T) {
	one, two := seal.NewKeyText(), seal.NewKeyText()
	env := func(text string) seal.KeyProvider {
		return provider(t, seal.Choice{Provider: seal.EnvironmentKey, Key: seal.NewSecret(text)})
	}
	m, at := newMemory(), seal.Place{Table: "t", Row: "1", Column: "c"}
	m.records[at] = sealed(t, ring(t, env(one.Reveal()), m), at, canary+"1")
	_, err := seal.OpenRing(t.Context(), env(two.Reveal()), m)
	requireCode(t, err, confluence.Invalid, "seal.key")
	_, err = seal.OpenRing(t.Context(), env(""), m)
	requireCode(t, err, confluence.Invalid, "seal.key")

	before := m.copyOf()
	for name, old := range map[string]seal.KeyProvider{"one key": env(one.Reveal()), "the new one in front": env(two.Reveal() + "," + one.Reveal())} {
		_, err = ring(t, old, m).Rotate(t.Context(), old)
		requireCode(t, err, confluence.Invalid, "seal.key")
		assert.Contains(t, err.Error(), "no newer master key", name)
		assert.Equal(t, before, m.copyOf(), name)
	}

	both := env(one.Reveal() + "," + two.Reveal()) // the way to a new key
	_, err = ring(t, both, m).Rotate(t.Context(), both)
	require.NoError(t, err)
	readable(t, ring(t, env(two.Reveal()), m), m, []seal.Place{at})
	_, err = seal.OpenRing(t.Context(), env(one.Reveal()), m)
	requireCode(t, err, confluence.Invalid, "seal.key")
}

func TestKeyring(t *testing.T) {
	keyring.MockInit()
	entry := func(folder string) seal.KeyProvider {
		return provider(t, seal.Choice{Provider: seal.KeyringKey, Folder: folder})
	}
	m, at := newMemory(), seal.Place{Table: "t", Row: "1", Column: "c"}
	m.records[at] = sealed(t, ring(t, entry("a"), m), at, canary+"1")
	readable(t, ring(t, entry("a"), m), m, []seal.Place{at})
	_, err := seal.OpenRing(t.Context(), entry("b"), m)
	requireCode(t, err, confluence.Invalid, "seal.key")
	_, err = ring(t, entry("a"), m).Rotate(t.Context(), entry("a"))
	require.NoError(t, err)
	readable(t, ring(t, entry("a"), m), m, []seal.Place{at})

	keyring.MockInitWithError(errors.New("no session bus"))
	_, err = seal.OpenRing(t.Context(), entry("a"), m)
	requireCode(t, err, confluence.Unavailable, "seal.key")
	_, err = seal.OpenRing(t.Context(), entry("a"), newMemory())
	requireCode(t, err, confluence.Unavailable, "seal.key")
}

func TestChoiceIsChecked(t *testing.T) {
	for name, c := range map[string]seal.Choice{
		"no file":  {Provider: seal.FileKey},
		"unknown":  {Provider: "cloud"},
		"no vault": {Provider: seal.AzureKey},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Open()
			requireCode(t, err, confluence.Invalid, "seal.key")
		})
	}
}

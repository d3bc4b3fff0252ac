package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/store/mirror"
)

// Case 34 with honourSuperGroup on, over HTTP: the mirror of a Data Center is
// served, in which a pass has found the super group (that it does so on that
// edition alone: package ingest, TestTheSuperGroupIsThatOfADataCenter). Whoever
// is in it sees on every surface what is restricted to others, and nobody else.
// A pass of Cloud takes that back.
func TestTheSuperGroupSeesOnEverySurface(t *testing.T) {
	a := serveAccepting(t, ", honourSuperGroup: true", nil)
	c := acceptance{row: row{"34 on", chain("user:u-ann", "", ""), nil, as("u-sue"), onP, false}}
	a.run(0, c)                                                                                                                          // a group like others, as long as it was not found
	a.site.Apply(`{"kind":"fault","match":"GET /wiki/rest/api/user/current*","action":{"status":503,"headers":{"Retry-After":"0.01"}}}`) // no pass begins
	a.restartWith(func(w *mirror.Writer) {
		i, err := w.Integration(t.Context(), 1)
		require.NoError(t, err)
		i.SuperGroup = "g-sup"
		require.NoError(t, w.SetIntegration(t.Context(), i))
	})
	for user, sees := range map[string]bool{"u-sue": true, "u-ann": true, "u-bob": false, "u-dan": false, "u-eve": false} {
		for _, on := range []int{onP, onG} {
			a.check(acceptance{row: row{"34 on", c.first, nil, as(user), on, sees}})
		}
	}
	a.check(acceptance{row: row{"34 on", c.first, nil, public("group-confluence-administrators"), onP, false}})
	a.site.Apply(`{"kind":"fault","clear":true}`)
	a.synced()
	a.check(c)
}

// restartWith serves again after the mirror was changed as nothing over the wire
// changes it.
func (a *accepting) restartWith(change func(*mirror.Writer)) {
	a.t.Helper()
	a.stop()
	m, err := mirror.Open(a.t.Context(), mirror.Config{Dir: filepath.Join(a.dir, "data"), Now: time.Now})
	require.NoError(a.t, err)
	change(m.Writer())
	require.NoError(a.t, m.Close())
	a.errOut = &planted.Log{}
	a.start()
}

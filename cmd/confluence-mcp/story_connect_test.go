package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"confluence-mcp/internal/emulator/emulatortest"
)

// storyLinked is the configuration of a server without any token.
const storyLinked = `data_dir: ./data
oauth: {client_id: emulator-client, client_secret: "file:secret", redirect_url: "http://%[1]s/oauth/callback", auth_url: "%[2]s", api_url: "%[2]s"}
integrations:
  - {name: acme, baseUrl: "https://acme.atlassian.net/wiki", enableAccessRightsSync: true}
`

// startSites starts three sites that one account can open and writes c.yaml for
// an app of theirs; $CLOUD_A, $CLOUD_B and $CLOUD_C are their cloud ids.
func startSites(ts *testscript.TestScript, _ bool, _ []string) {
	s := of(ts)
	s.site = emulatortest.Start(s.t, linkedSite("A", cloudA), linkedSite("B", cloudB), linkedSite("C", cloudC))
	ts.Check(os.WriteFile(ts.MkAbs("c.yaml"), fmt.Appendf(nil, storyLinked, ownAddress(s.t), s.site.Gateway), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("secret"), []byte("emulator-secret\n"), 0o600))
	for name, id := range map[string]string{"CLOUD_A": cloudA, "CLOUD_B": cloudB, "CLOUD_C": cloudC} {
		ts.Setenv(name, id)
	}
}

// giveConsent opens the address that connect --json writes into a file, as a
// person, and prints the page it ends on: consent FILE USER.
func giveConsent(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(patience)
	pace := time.NewTicker(tick)
	defer pace.Stop()
	for range pace.C {
		if address := addressIn(ts.MkAbs(args[0])); address != "" {
			status, page := consentAs(of(ts).t, address, args[1])
			fmt.Fprintf(ts.Stdout(), "%d %s\n", status, page)
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("there is no authorize_url in %s", args[0])
		}
	}
}

// addressIn is the address in the first line of a file, "" while it is not whole.
func addressIn(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // only read
	lines := bufio.NewScanner(f)
	var first struct {
		URL string `json:"authorize_url"`
	}
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &first) != nil {
		return ""
	}
	return first.URL
}

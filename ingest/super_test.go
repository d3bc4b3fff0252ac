package ingest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/connections"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

// governed is a site of an edition with a group of administrators, of which bob
// is a member.
type governed struct {
	granting
	edition string
	group   string
}

func (g *governed) Describe() confluence.Site { return confluence.Site{Kind: g.edition} }
func (g *governed) Groups(context.Context, confluence.Paging) (confluence.List[confluence.Group], error) {
	return one(confluence.Group{ID: "g-a", Name: "A"}, confluence.Group{ID: "g-b", Name: g.group})
}

// Case 34: the super group of a Data Center passes everything when that is said,
// and on Cloud none does, whatever it is called.
func TestTheSuperGroupIsThatOfADataCenter(t *testing.T) {
	const super = "confluence-administrators"
	for name, c := range map[string]struct {
		honour  bool
		edition string
		group   string
		known   string // to the mirror before
		sees    bool
	}{
		"honoured":               {true, confluence.DataCenter, super, "", true},
		"not honoured":           {false, confluence.DataCenter, super, "", false},
		"not honoured any more":  {false, confluence.DataCenter, super, "g-b", false},
		"another group":          {true, confluence.DataCenter, "administrators", "", false},
		"in other letters":       {true, confluence.DataCenter, "Confluence-Administrators", "", false},
		"its name is another's":  {true, confluence.DataCenter, "administrators", "g-b", false},
		"on Cloud":               {true, confluence.Cloud, super, "", false},
		"on Cloud, known before": {true, confluence.Cloud, super, "g-b", false},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mirror.Open(t.Context(), mirror.Config{Dir: t.TempDir(), Now: time.Now})
			require.NoError(t, err)
			defer func() { require.NoError(t, m.Close()) }()
			source := &governed{granting: granting{rows: []confluence.Permission{{PrincipalType: "user", PrincipalID: "ann", Operation: "read", Target: "space"}}}, edition: c.edition, group: c.group}
			s, err := ingest.New(ingest.Config{Integration: guard.Integration{ID: 1, Name: "acme", Mode: guard.Synced, SuperGroup: c.known}, HonourSuperGroup: c.honour, Source: source, Mirror: connections.Filling{Writer: m.Writer()}})
			require.NoError(t, err)
			for range 2 {
				_, err = s.Now(t.Context(), true, nil)
				require.NoError(t, err)
				found, err := m.Spaces(t.Context(), who("bob"), 1, "")
				require.NoError(t, err)
				assert.Equal(t, c.sees, len(found) > 0)
			}
		})
	}
}

package tools_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/internal/identity"
	"confluence-mcp/tools"
)

// A13: whoever fills the table of callers has nobody's bucket refilled but that
// of who was quiet for longest, and attributes make no new caller.
func TestA13_ACrowdOfCallersFreesNobody(t *testing.T) {
	clock := now
	d := newDesk(t, newFake(), func(c *tools.Config) {
		c.Limits = tools.Limits{CallsPerMinute: 1}
		c.Now = func() time.Time { return clock }
	})
	d.who.Access = []string{"group-a"}
	d.ok("get_space", args{"space_key": "ENG"})
	d.who.Access = []string{"group-b"}
	d.fails("limit.rate", "get_space", args{"space_key": "ENG"})

	ann, served := d.who, 0
	for i := range 30 {
		d.who.AccountID = fmt.Sprint("u-", i)
		if r := d.call("get_space", args{"space_key": "ENG"}); !r.IsError {
			served++
		}
	}
	assert.Equal(t, identity.CrowdShare-1, served, "the users of one agent together")
	for i := range 10_000 {
		clock = clock.Add(time.Microsecond)
		d.who.Agent, d.who.AccountID = fmt.Sprint("agent-", i), "u"
		d.call("get_space", args{"space_key": "ENG"})
		if i%1000 == 0 {
			d.who = ann
			d.fails("limit.rate", "get_space", args{"space_key": "ENG"})
		}
	}
	d.who = ann
	d.fails("limit.rate", "get_space", args{"space_key": "ENG"})
}

package identity_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"confluence-mcp/internal/identity"
)

func TestKnown(t *testing.T) {
	for name, c := range map[string]struct {
		caller identity.Caller
		want   bool
	}{
		"zero":              {identity.Caller{}, false},
		"user":              {identity.Caller{Kind: identity.User, AccountID: "u"}, true},
		"user without id":   {identity.Caller{Kind: identity.User}, false},
		"service":           {identity.Caller{Kind: identity.Service}, true},
		"public":            {identity.Public("a", "p", identity.HTTP), true},
		"a kind of its own": {identity.Caller{Kind: "root", AccountID: "u"}, false},
	} {
		assert.Equal(t, c.want, c.caller.Known(), name)
	}
}

func TestPrincipalsAreToldApart(t *testing.T) {
	base := identity.Caller{Agent: "a", Integration: "i", Kind: identity.User, AccountID: "u"}
	others := map[string]func(*identity.Caller){
		"agent":       func(c *identity.Caller) { c.Agent = "b" },
		"integration": func(c *identity.Caller) { c.Integration = "j" },
		"account":     func(c *identity.Caller) { c.AccountID = "v" },
		"kind":        func(c *identity.Caller) { c.Kind = identity.Nobody },
		"attributes":  func(c *identity.Caller) { c.Access = []string{"group-a"} },
		"two":         func(c *identity.Caller) { c.Access = []string{"group-a", "group-b"} },
		"joined":      func(c *identity.Caller) { c.Access = []string{"group-a,group-b"} },
	}
	seen := map[string]string{base.Principal(): "base"}
	for name, change := range others {
		c := base
		change(&c)
		assert.Empty(t, seen[c.Principal()], name)
		seen[c.Principal()] = name
	}
	same := base
	same.Access = []string{"group-b", "group-a", "group-a"}
	assert.Equal(t, "two", seen[same.Principal()], "order and repetition do not matter")
}

// Whatever the parts are made of, two callers who differ never have one name: it
// is the key of what is remembered about them.
func TestNoTwoCallersHaveOneName(t *testing.T) {
	piece := rapid.StringOfN(rapid.SampledFrom([]rune("a|%7C\"\\\x000")), 0, 4, -1)
	caller := rapid.Custom(func(t *rapid.T) identity.Caller {
		return identity.Caller{Agent: piece.Draw(t, "agent"), Integration: piece.Draw(t, "integration"), Kind: rapid.SampledFrom([]identity.Kind{identity.User, identity.Nobody}).Draw(t, "kind"),
			AccountID: piece.Draw(t, "account"), Subject: piece.Draw(t, "subject"), Access: rapid.SliceOfNDistinct(piece, 0, 2, func(s string) string { return s }).Draw(t, "access")}
	})
	bare := func(c identity.Caller) identity.Caller {
		c.Access = slices.Sorted(slices.Values(c.Access))
		return c
	}
	rapid.Check(t, func(rt *rapid.T) {
		a, b := bare(caller.Draw(rt, "a")), bare(caller.Draw(rt, "b"))
		switch rapid.IntRange(0, 3).Draw(rt, "near") { // two callers made of the same pieces
		case 0:
			b = a
			b.AccountID, b.Subject = a.AccountID+"|"+a.Subject, ""
		case 1:
			b = a
			b.Subject, b.Access = a.Principal()[len(a.Payer()):], nil
		case 2:
			b = a
			b.Integration, b.AccountID = a.Integration+"|"+string(a.Kind), ""
		}
		assert.Equal(rt, assert.ObjectsAreEqual(a, b) || len(a.Access)+len(b.Access) == 0 && sameBut(a, b), a.Principal() == b.Principal(), "%#v\n%#v", a, b)
	})
	for _, pair := range [][2]identity.Caller{
		{{Agent: "a", AccountID: "u|s"}, {Agent: "a", AccountID: "u", Subject: "s"}},
		{{Agent: "a", Access: []string{"x\x00y"}}, {Agent: "a", Access: []string{"x", "y"}}},
	} {
		assert.NotEqual(t, pair[0].Principal(), pair[1].Principal())
	}
}

// sameBut compares callers whose attributes are none, however that is said.
func sameBut(a, b identity.Caller) bool {
	a.Access, b.Access = nil, nil
	return assert.ObjectsAreEqual(a, b)
}

func TestAttributesDoNotMakeAnotherPayer(t *testing.T) {
	base := identity.Caller{Agent: "a", Integration: "i", Kind: identity.User, AccountID: "u"}
	for name, c := range map[string]struct {
		change func(*identity.Caller)
		same   bool
	}{
		"agent":       {func(c *identity.Caller) { c.Agent = "b" }, false},
		"integration": {func(c *identity.Caller) { c.Integration = "j" }, false},
		"account":     {func(c *identity.Caller) { c.AccountID = "v" }, false},
		"kind":        {func(c *identity.Caller) { c.Kind = identity.Nobody }, false},
		"attributes":  {func(c *identity.Caller) { c.Access = []string{"group-a"} }, true},
		"profile":     {func(c *identity.Caller) { c.Profile = "p" }, true},
	} {
		other := base
		c.change(&other)
		assert.Equal(t, c.same, base.Payer() == other.Payer(), name)
		assert.Equal(t, other.Agent, identity.AgentOf(other.Payer()), name)
	}
}

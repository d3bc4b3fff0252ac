package identity_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

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

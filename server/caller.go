package server

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
)

// Limits of what a request may say about its caller.
const (
	maxAccessValue      = 256 // bytes of one name or attribute
	maxAccessAttributes = 1000
)

// access is what one request says about whom it is for.
type access struct {
	given       bool
	integration string
	user        string
	attributes  []string
}

// resolveCaller makes the caller of one request from its agent and what the
// request names. An agent that does not act for users must not name any; one
// that does and names nobody asks as nobody.
func resolveCaller(a Agent, named access) (identity.Caller, error) {
	if !a.ActForUsers {
		if named.given {
			return identity.Caller{}, &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden",
				Message: "This agent may not name the user it asks for.",
				Next:    "Leave out accessSettings, accessControlAttributes and the X-Access headers, or ask the administrator for act_for_users."}
		}
		c := a.Identity
		if !c.Known() {
			c = identity.Caller{Kind: identity.Nobody}
		}
		return a.stamp(c), nil
	}
	c := identity.Caller{Kind: identity.Nobody, Integration: named.integration, Access: named.scoped()}
	if named.user != "" {
		c.Kind, c.AccountID = identity.User, named.user
	}
	return a.stamp(c), nil
}

// scoped gives the attributes as they count. A request that names an integration
// speaks of that one: user, groups and attributes are one set of principals
// there, so what carries no integration of its own gets the named one in front.
// Without one, such an attribute counts everywhere.
func (a access) scoped() []string {
	if a.integration == "" {
		return a.attributes
	}
	out := slices.Clone(a.attributes)
	for i, attribute := range out {
		if unprefixed(attribute) {
			out[i] = a.integration + ":" + attribute
		}
	}
	return out
}

// unprefixed reports whether an attribute or a name begins as group-NAME and
// user-ID do, which is read as one of all integrations.
func unprefixed(v string) bool {
	return strings.HasPrefix(v, "group-") || strings.HasPrefix(v, "user-")
}

func (a Agent) stamp(c identity.Caller) identity.Caller {
	c.Agent, c.Owner, c.Subject, c.Profile = a.Name, a.Owner, a.Subject, a.Profile
	c.Admin, c.Approver, c.Transport, c.Trace = a.Admin, a.Approver, identity.HTTP, a.Identity.Trace
	return c
}

// accessOf reads what a request names, from its headers or from its body's
// _meta. Both at once are refused, because nobody could say which one counts.
func accessOf(h http.Header, m message) (access, error) {
	fromHeaders, err := headerAccess(h)
	if err != nil {
		return access{}, err
	}
	fromMeta, err := metaAccess(m.Params.Meta.Settings, m.Params.Meta.Attributes)
	if err != nil {
		return access{}, err
	}
	if fromHeaders.given && fromMeta.given {
		return access{}, badAccess("The caller is named in headers and in _meta.", "Use one of the two.")
	}
	if fromHeaders.given {
		return fromHeaders, nil
	}
	return fromMeta, nil
}

func headerAccess(h http.Header) (access, error) {
	var a access
	for name, target := range map[string]*string{"X-Access-User": &a.user, "X-Access-Integration": &a.integration} {
		values := h.Values(name)
		if len(values) > 1 {
			return a, badAccess("The header "+name+" was sent twice.", "Send it once.")
		}
		if len(values) == 1 {
			a.given, *target = true, strings.TrimSpace(values[0])
		}
	}
	for _, line := range h.Values("X-Access-Attributes") {
		a.given = true
		for attribute := range strings.SplitSeq(line, ",") {
			if attribute = strings.TrimSpace(attribute); attribute != "" {
				a.attributes = append(a.attributes, attribute)
			}
		}
	}
	return a, a.check()
}

// metaAccess reads what a body names. null names nobody, which is not the same as
// saying nothing: whose identity is fixed may not send it.
func metaAccess(settings, attributes json.RawMessage) (access, error) {
	a := access{given: settings != nil || attributes != nil}
	if settings != nil && string(settings) != "null" {
		var s struct {
			IntegrationID  any    `json:"integrationId"`
			ExternalUserID string `json:"externalUserId"`
		}
		dec := json.NewDecoder(bytes.NewReader(settings))
		dec.UseNumber()
		dec.DisallowUnknownFields()
		if settings[0] != '{' || dec.Decode(&s) != nil {
			return a, badAccess("accessSettings is not valid.", `Send {"integrationId": 1, "externalUserId": "…"}.`)
		}
		switch id := s.IntegrationID.(type) {
		case nil:
		case string:
			a.integration = id
		case json.Number:
			a.integration = id.String()
		default:
			return a, badAccess("accessSettings.integrationId is not valid.", "Send the integration's id or its name.")
		}
		a.user = s.ExternalUserID
	}
	if attributes != nil && string(attributes) != "null" {
		if attributes[0] != '[' || json.Unmarshal(attributes, &a.attributes) != nil {
			return a, badAccess("accessControlAttributes is not valid.", `Send a list such as ["group-staff", "1:user-42"].`)
		}
	}
	return a, a.check()
}

func (a access) check() error {
	if len(a.attributes) > maxAccessAttributes {
		return badAccess("There are too many access attributes.", "Send at most 1000.")
	}
	if a.integration != "" && a.user == "" && len(a.attributes) == 0 {
		return badAccess("An integration is named, but no user.", "Send externalUserId as well.")
	}
	if strings.Contains(a.integration, ":") || unprefixed(a.integration) && slices.ContainsFunc(a.attributes, unprefixed) {
		return badAccess("The integration cannot stand in front of an attribute by this name.", "Name the integration by its id.")
	}
	for _, v := range append([]string{a.integration, a.user}, a.attributes...) {
		if len(v) > maxAccessValue || !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) {
			return badAccess("A name of the caller is not valid.", "Names have at most 256 bytes and no control characters.")
		}
	}
	if slices.Contains(a.attributes, "") {
		return badAccess("An access attribute is empty.", "Leave it out.")
	}
	return nil
}

func badAccess(message, next string) error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.access", Message: message, Next: next}
}

// exchange is one message on its way through the server: the one thing the
// transports put into a context.
type exchange struct {
	caller   identity.Caller
	method   string
	tool     string
	failure  string   // error_type of the metrics, "" while all is well
	instead  *refusal // what the client is told in place of the library's error
	notified atomic.Bool
}

type exchangeKey struct{}

func withExchange(ctx context.Context, x *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// exchangeOf is the only place where the caller leaves a context. Without an
// exchange there is nobody, who is refused everywhere.
func exchangeOf(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return &exchange{}
}

package tools

import (
	"cmp"
	"context"
	"fmt"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
)

func userTools() []*tool {
	return []*tool{
		read(spec{name: "search_user", title: "Find people", group: policy.Users, action: policy.Read, listing: true,
			about: "Find people by a part of their name."}, nothing[searchUserIn], searchUser),
		read(spec{name: "get_user", title: "Read a person", group: policy.Users, action: policy.Read,
			about: "One person by id. Without user_id: who you are here, with site, account and profile."},
			func(in getUserIn) target { return target{kind: onUser, id: in.UserID} }, getUser),
		read(spec{name: "get_approval", title: "Read an approval", action: policy.Read,
			about: "State of an approval one of your calls is waiting for."}, nothing[getApprovalIn], getApproval),
	}
}

type searchUserIn struct {
	Query string `json:"query" is:"line,min=1,max=200"`
	Limit int    `json:"limit,omitempty" is:"min=1,max=50"`

	goingOn
}

type getUserIn struct {
	UserID string `json:"user_id,omitempty" is:"user"`

	short
}

type userOut struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Email  string `json:"email,omitempty"`
	Type   string `json:"type,omitempty"`
	Active bool   `json:"active"`
	Guest  bool   `json:"guest,omitempty"`
	Me     *meOut `json:"me,omitempty"`
}

// meOut says under what name and with what rights calls of this client run.
type meOut struct {
	Agent   string `json:"agent"`
	Profile string `json:"profile"`
	Kind    string `json:"kind"`
	Site    string `json:"site"`
	SiteURL string `json:"site_url"`
}

type usersOut struct {
	Users      []userOut `json:"users"`
	NextCursor string    `json:"next_cursor,omitempty"`
}

func showUser(u confluence.User) userOut {
	return userOut{ID: u.ID, Name: line(u.Name), Email: line(u.Email), Type: u.Type, Active: u.Active, Guest: u.Guest}
}

func searchUser(ctx context.Context, k *call, in searchUserIn) (usersOut, string, error) {
	if !hasWords(in.Query) {
		return usersOut{}, "", invalid("query", "query has no letter to look for.", `Send a part of a name, for example "ann".`)
	}
	w, err := list(k, lister[confluence.User]{
		cursor: in.Cursor, maxChars: in.MaxChars,
		fetch: func(upstream string) (confluence.List[confluence.User], error) {
			return k.site.FindUsers(ctx, in.Query, confluence.Paging{Cursor: upstream, Limit: cmp.Or(in.Limit, 20)})
		},
		keep: k.mayMeet,
		show: func(u confluence.User) string { return "- " + showUser(u).text() + "\n" },
	})
	if err != nil {
		return usersOut{}, "", err
	}
	out := usersOut{Users: []userOut{}, NextCursor: w.next}
	for _, u := range w.rows {
		out.Users = append(out.Users, showUser(u))
	}
	return out, w.fenced(k, "people"), nil
}

func (u userOut) text() string {
	s := fmt.Sprintf("%s (%s)", u.Name, u.ID)
	if u.Email != "" {
		s += " <" + u.Email + ">"
	}
	if !u.Active {
		s += ", not active"
	}
	return s
}

func getUser(ctx context.Context, k *call, in getUserIn) (userOut, string, error) {
	if in.UserID != "" {
		u, err := k.site.User(ctx, in.UserID)
		out := showUser(u)
		text, rest := in.cut(out.text())
		return out, fence(k.nonce, text) + rest, err
	}
	c := k.caller
	me := &meOut{Agent: c.Agent, Profile: c.Profile, Kind: string(c.Kind), Site: k.info.Name, SiteURL: k.info.BaseURL}
	u, err := k.me(ctx)
	if err != nil {
		return userOut{}, "", err
	}
	out := showUser(u)
	out.Me = me
	text, rest := in.cut(out.text())
	return out, fmt.Sprintf("You are:\n%s%s\nAgent %s, profile %s, site %s (%s)", fence(k.nonce, text), rest, line(me.Agent), me.Profile, line(me.Site), me.SiteURL), nil
}

// me is the account calls run as. Somebody without an account is nobody.
func (k *call) me(ctx context.Context) (confluence.User, error) {
	if k.caller.AccountID != "" {
		return k.site.User(ctx, k.caller.AccountID)
	}
	if k.caller.Kind == identity.Nobody {
		return confluence.User{Name: "nobody (public content only)", Type: "public", Active: true}, nil
	}
	return k.site.CurrentUser(ctx)
}

package site

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// keyShape is what the key of a space may look like.
var keyShape = regexp.MustCompile(`^~?[A-Za-z0-9]+$`)

const longestKey = 255 // besides the ~ of a personal one

// CreateSpace makes a space from sp's key, name, description and type, with a
// home page of the space's name; the user gets to write in it, and all
// licensed users read and write unless it is private. Licensed users only.
func (e *Edit) CreateSpace(sp Space, private bool) (*Space, error) {
	if e.me == nil || e.me.Account != "user" {
		return nil, refuse(403, "User is not permitted to create spaces")
	}
	if len(strings.TrimPrefix(sp.Key, "~")) > longestKey || !keyShape.MatchString(sp.Key) {
		return nil, refuse(400, fmt.Sprintf("Invalid space key: %s", sp.Key))
	}
	if e.site.spaceKeys[lower(sp.Key)] != "" {
		return nil, refuse(400, fmt.Sprintf("A space already exists with key %s", sp.Key))
	}
	if sp.Name == "" || len(sp.Name) > 200 {
		return nil, refuse(400, "The name of a space has 1 to 200 characters")
	}
	sp.ID, sp.Status, sp.Author, sp.Created = e.site.newID(), "current", e.user, e.stamp()
	if sp.Type == "" {
		sp.Type = "global"
	}
	sp.grants = []Grant{{To: "user:" + e.user, Op: "write"}}
	if !private {
		sp.grants = append(sp.grants, Grant{To: "class:all-licensed-users", Op: "write"})
	}
	e.site.spaces[sp.ID] = &sp
	e.site.spaceKeys[lower(sp.Key)] = sp.ID
	e.forget()
	e.born(&Content{ID: e.site.newID(), Type: "page", Space: sp.Key, Title: sp.Name, Status: "current"}, sp.Created)
	return &sp, nil
}

// SpaceChange is what an update of a space changes; nil fields stay. Home is a
// page id.
type SpaceChange struct {
	Name, Description, Type, Status, Home *string
}

// UpdateSpace changes a space by key; a write grant is the space admin's right
// here. Status archived archives the space.
func (e *Edit) UpdateSpace(key string, ch SpaceChange) (*Space, error) {
	old, err := e.ownSpace(key)
	if err != nil {
		return nil, err
	}
	sp := *old
	for _, f := range []struct{ to, from *string }{
		{&sp.Name, ch.Name}, {&sp.Description, ch.Description}, {&sp.Type, ch.Type}, {&sp.Status, ch.Status},
	} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	if sp.Name == "" || len(sp.Name) > 200 {
		return nil, refuse(400, "The name of a space has 1 to 200 characters")
	}
	if !slices.Contains([]string{"current", "archived"}, sp.Status) {
		return nil, refuse(400, fmt.Sprintf("Invalid status: %s", sp.Status))
	}
	if ch.Home != nil {
		if home, ok := e.Content(*ch.Home); !ok || home.Space != sp.Key || home.Type != "page" {
			return nil, refuse(400, fmt.Sprintf("No page with id [%s] in the space", *ch.Home))
		}
		e.site.homes[sp.Key] = *ch.Home
	}
	e.site.spaces[sp.ID] = &sp
	e.forget()
	return &sp, nil
}

// DeleteSpace removes a space and all it holds, for good. It exists so that
// tests can prove that nothing calls it.
func (e *Edit) DeleteSpace(key string) error {
	sp, err := e.ownSpace(key)
	if err != nil {
		return err
	}
	e.site.dropSpace(sp)
	e.forget()
	return nil
}

func (e *Edit) ownSpace(key string) (*Space, error) {
	sp, ok := e.SpaceByKey(key)
	if !ok {
		return nil, refuse(404, fmt.Sprintf("No space found with key : %s", key))
	}
	if !e.MayCreateIn(sp) {
		return nil, refuse(403, fmt.Sprintf("User is not permitted to administer space [%s]", key))
	}
	return sp, nil
}

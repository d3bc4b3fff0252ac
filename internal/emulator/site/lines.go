package site

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

type siteLine struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	CloudID   string `json:"cloud_id"`
	Anonymous bool   `json:"anonymous"`
	RoleMode  string `json:"role_mode"`
}

func (l *loader) applySite(raw []byte) error {
	s := l.site
	line := siteLine{Name: s.name, CloudID: s.cloudID, Anonymous: s.anonymous, RoleMode: s.roleMode}
	if err := decode(raw, &line); err != nil {
		return err
	}
	if !slices.Contains([]string{"PRE_ROLES", "ROLES_TRANSITION", "ROLES"}, line.RoleMode) {
		return fmt.Errorf("role_mode %q is unknown", line.RoleMode)
	}
	s.name, s.cloudID, s.anonymous, s.roleMode = line.Name, line.CloudID, line.Anonymous, line.RoleMode
	return nil
}

type groupLine struct {
	Kind   string  `json:"kind"`
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Parent *string `json:"parent"`
}

func (l *loader) applyGroup(raw []byte) error {
	var line groupLine
	if err := decode(raw, &line); err != nil {
		return err
	}
	if line.ID == "" {
		line.ID = "g-" + line.Name
	}
	old := l.site.groups[line.ID]
	if line.Name == "" && old != nil {
		line = groupLine{ID: old.ID, Name: old.Name, Parent: &old.Parent}
		if err := decode(raw, &line); err != nil {
			return err
		}
	}
	if line.Name == "" {
		return errors.New("group: name is missing")
	}
	if owner := l.site.groupNames[line.Name]; owner != "" && owner != line.ID {
		if !l.site.groups[owner].implied(owner) {
			return fmt.Errorf("group %s: the name %q belongs to group %s", line.ID, line.Name, owner)
		}
		delete(l.site.groups, owner)
	}
	g := &Group{ID: line.ID, Name: line.Name, Parent: deref(line.Parent)}
	if old != nil && old.Name != g.Name {
		l.site.renameGroup(old.Name, g.Name)
	}
	l.site.groups[g.ID] = g
	l.site.groupNames[g.Name] = g.ID
	return nil
}

// implied says that a group exists only because a user line named it.
func (g *Group) implied(id string) bool { return g != nil && id == "g-"+g.Name && g.Parent == "" }

type userLine struct {
	Kind     string   `json:"kind"`
	ID       string   `json:"id"`
	Username string   `json:"username"`
	Name     string   `json:"name"`
	Email    string   `json:"email"`
	Active   bool     `json:"active"`
	Groups   []string `json:"groups"`
	Admin    bool     `json:"admin"`
	Account  string   `json:"account"`
	Token    string   `json:"token"`
}

func (l *loader) applyUser(raw []byte) error {
	line := userLine{Active: true, Account: "user"}
	if err := decode(raw, &line); err != nil {
		return err
	}
	if old, ok := l.site.users[line.ID]; ok && line.Username == "" {
		line = userLine{ID: old.ID, Username: old.Username, Name: old.Name, Email: old.Email, Active: old.Active,
			Groups: slices.Clone(old.Groups), Admin: old.Admin, Account: old.Account, Token: old.Token}
		if err := decode(raw, &line); err != nil {
			return err
		}
	}
	switch {
	case line.ID == "":
		return errors.New("user: id is missing")
	case !slices.Contains([]string{"user", "guest", "app"}, line.Account):
		return fmt.Errorf("user %s: account %q is unknown", line.ID, line.Account)
	case line.Username == "":
		line.Username = line.ID
	}
	if line.Name == "" {
		line.Name = line.Username
	}
	l.site.setUser(&User{ID: line.ID, Username: line.Username, Name: line.Name, Email: line.Email, Active: line.Active,
		Groups: line.Groups, Admin: line.Admin, Account: line.Account, Token: line.Token})
	for _, name := range line.Groups {
		l.site.implyGroup(name)
	}
	return nil
}

// implyGroup makes the group that a user line names before any group line.
func (s *Site) implyGroup(name string) {
	if s.groupNames[name] == "" {
		s.groups["g-"+name] = &Group{ID: "g-" + name, Name: name}
		s.groupNames[name] = "g-" + name
	}
}

type grantLine struct {
	To string `json:"to"`
	Op string `json:"op"`
}

type spaceLine struct {
	Kind        string      `json:"kind"`
	ID          string      `json:"id"`
	Key         string      `json:"key"`
	Name        string      `json:"name"`
	Type        string      `json:"type"`
	Status      string      `json:"status"`
	Description string      `json:"description"`
	Grants      []grantLine `json:"grants"`
}

func (l *loader) applySpace(raw []byte) error {
	line := spaceLine{Type: "global", Status: "current"}
	if err := decode(raw, &line); err != nil {
		return err
	}
	old := l.site.spaces[line.ID]
	if old != nil && line.Key == "" {
		line = old.line()
		if err := decode(raw, &line); err != nil {
			return err
		}
	}
	if err := line.check(l.site); err != nil {
		return err
	}
	sp := &Space{ID: line.ID, Key: line.Key, Name: line.Name, Type: line.Type, Status: line.Status, Description: line.Description,
		Created: l.site.now().UTC()}
	if old != nil {
		sp.Created, sp.Author = old.Created, old.Author
	}
	if sp.Name == "" {
		sp.Name = sp.Key
	}
	for _, g := range line.Grants {
		sp.grants = append(sp.grants, Grant(g))
	}
	l.site.spaces[sp.ID] = sp
	l.site.spaceKeys[lower(sp.Key)] = sp.ID
	return nil
}

func (sp *Space) line() spaceLine {
	line := spaceLine{ID: sp.ID, Key: sp.Key, Name: sp.Name, Type: sp.Type, Status: sp.Status, Description: sp.Description}
	for _, g := range sp.grants {
		line.Grants = append(line.Grants, grantLine(g))
	}
	return line
}

func (line spaceLine) check(s *Site) error {
	old := s.spaces[line.ID]
	switch {
	case line.ID == "" || line.Key == "":
		return errors.New("space: id and key are needed")
	case s.spaceKeys[lower(line.Key)] != "" && s.spaceKeys[lower(line.Key)] != line.ID:
		return fmt.Errorf("space %s: the key %s belongs to space %s", line.ID, line.Key, s.spaceKeys[lower(line.Key)])
	case old != nil && old.Key != line.Key:
		return fmt.Errorf("space %s: the key cannot change from %s to %s", line.ID, old.Key, line.Key)
	case !slices.Contains([]string{"global", "knowledge_base", "collaboration", "personal", "system", "onboarding", "xflow_sample_space"}, line.Type):
		return fmt.Errorf("space %s: type %q is unknown", line.ID, line.Type)
	case line.Status != "current" && line.Status != "archived":
		return fmt.Errorf("space %s: status %q is unknown", line.ID, line.Status)
	}
	for _, g := range line.Grants {
		if err := g.check(); err != nil {
			return fmt.Errorf("space %s: %w", line.ID, err)
		}
	}
	return nil
}

func (g grantLine) check() error {
	kind, name, _ := strings.Cut(g.To, ":")
	classes := []string{"all-licensed-users", "authenticated-users", "anonymous-users", "all-product-admins", "jsm-project-admins"}
	ok := g.To == "anonymous" || (kind == "user" || kind == "group") && name != "" || kind == "class" && slices.Contains(classes, name)
	switch {
	case !ok:
		return fmt.Errorf("grant to %q is unknown", g.To)
	case g.Op != "read" && g.Op != "write":
		return fmt.Errorf("grant op %q is unknown", g.Op)
	}
	return nil
}

type templateLine struct {
	Kind    string `json:"kind"`
	ID      string `json:"id"`
	Space   string `json:"space"`
	Name    string `json:"name"`
	Storage string `json:"storage"`
}

func (l *loader) applyTemplate(raw []byte) error {
	var line templateLine
	if err := decode(raw, &line); err != nil {
		return err
	}
	if line.ID == "" || line.Name == "" {
		return errors.New("template: id and name are needed")
	}
	l.site.templates[line.ID] = &Template{ID: line.ID, Space: line.Space, Name: line.Name, Storage: line.Storage}
	return nil
}

func (l *loader) applyDelete(raw []byte) error {
	var line struct {
		Kind string `json:"kind"`
		ID   string `json:"id"`
	}
	if err := decode(raw, &line); err != nil {
		return err
	}
	s := l.site
	if c, ok := s.find(line.ID); ok {
		s.drop(c)
		return nil
	}
	if sp, ok := s.spaces[line.ID]; ok {
		s.dropSpace(sp)
		return nil
	}
	if g, ok := s.groups[line.ID]; ok {
		s.dropGroup(g)
		return nil
	}
	if _, ok := s.users[line.ID]; ok {
		s.dropUser(line.ID)
		return nil
	}
	if _, ok := s.templates[line.ID]; ok {
		delete(s.templates, line.ID)
		return nil
	}
	return fmt.Errorf("delete: nothing has the id %q", line.ID)
}

func deref(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

func lower(s string) string { return strings.ToLower(s) }

func lowered(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, lower(s))
	}
	return out
}

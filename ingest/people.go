package ingest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// Bounds of what is read of people.
const (
	callerAge    = 15 * time.Minute // memberships of a caller are never older
	callerMemory = 24 * time.Hour   // how long somebody who asked is one of the callers
	manyGroups   = 100              // with more than these, or
	manyPeople   = 2000             // more than these, members are read by full passes only; groups by all
	mostRechecks = 50
	fewCallers   = 10 // so many are asked about before every batch of changed pages
	mostNames    = 100_000
	usersAtOnce  = 100
)

// roster is one reading of the members of all groups.
type roster struct {
	at      time.Time
	members map[string][]string // groups by user
	users   map[string]confluence.User
	failed  map[string]error // groups whose members could not be read
}

// listGroups reads which groups there are.
func (s *Sync) listGroups(ctx context.Context) (out []confluence.Group, err error) {
	err = everyPage(ctx, func(p confluence.Paging) (string, error) {
		l, err := s.cfg.Source.Groups(ctx, p)
		out = append(out, l.Items...)
		return l.Next, err
	})
	return out, err
}

// readRoster reads who is in groups.
func (s *Sync) readRoster(ctx context.Context, groups []confluence.Group) (*roster, error) {
	r := &roster{at: s.cfg.Now(), members: map[string][]string{}, users: map[string]confluence.User{}, failed: map[string]error{}}
	var mu sync.Mutex
	err := each(ctx, groups, func(ctx context.Context, g confluence.Group) error {
		var members []confluence.User
		err := everyPage(ctx, func(p confluence.Paging) (string, error) {
			l, err := s.cfg.Source.GroupMembers(ctx, g.ID, p)
			members = append(members, l.Items...)
			return l.Next, err
		})
		if fatal(ctx, err) {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			r.failed[g.ID] = err
			return nil
		}
		for _, u := range members {
			r.users[u.ID] = u
			r.members[u.ID] = append(r.members[u.ID], g.ID)
		}
		return nil
	})
	return r, err
}

// taken reports whether what was asked may not be read any more, which does not
// pass by itself.
func taken(err error) bool { return confluence.KindOf(err) == confluence.Denied }

// forgetMemberships makes everybody somebody whose groups nobody knows, who sees
// public content only.
func (s *Sync) forgetMemberships(ctx context.Context) error {
	all, err := s.cfg.Mirror.People(ctx, s.cfg.Integration.ID)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(p Person) bool { return p.CheckedAt.IsZero() })
	for i := range all {
		all[i].Groups, all[i].CheckedAt = nil, time.Time{}
	}
	if len(all) == 0 {
		return nil
	}
	return s.cfg.Mirror.SetPeople(ctx, all)
}

// notice remembers accounts that something names, so that people can be found
// by name or e-mail who are in no group.
func (s *Sync) notice(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if id != "" && len(s.names) < mostNames {
			s.names[id] = true
		}
	}
}

// accounts reads users by id, what groups tell of them being less than that.
func (s *Sync) accounts(ctx context.Context, r *roster, more []string) error {
	ids := sortedUnique(append(slices.Collect(maps.Keys(r.users)), more...))
	for part := range slices.Chunk(ids, usersAtOnce) {
		got, err := s.cfg.Source.UsersByID(ctx, part)
		if err != nil {
			return err
		}
		maps.Copy(r.users, got)
	}
	return nil
}

// census is what a pass does about people: it publishes what got stricter at its
// begin and what got laxer at its end, after the rights were read in between. A
// membership counts only when it was there both times.
type census struct {
	s     *Sync
	me    confluence.User
	known map[string]Person
	first *roster
}

// open reads everybody and takes from each what he lost. Somebody new comes with
// what he has.
func (c *census) open(ctx context.Context, full bool, report *Report) error {
	known, err := c.s.cfg.Mirror.People(ctx, c.s.cfg.Integration.ID)
	if err != nil {
		return err
	}
	c.known = make(map[string]Person, len(known))
	for _, p := range known {
		c.known[p.ID] = p
	}
	groups, err := c.s.listGroups(ctx)
	if err != nil {
		return err
	}
	if err := c.s.registerGroups(ctx, groups); err != nil {
		return err
	}
	report.Groups = len(groups)
	if full = full || len(known) == 0; !full && (len(groups) > manyGroups || len(known) > manyPeople) {
		return c.callers(ctx, true)
	}
	if c.first, err = c.s.readRoster(ctx, groups); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(c.first.failed)) {
		report.problem(Problem{Code: "group", Text: "the members of group " + id + " could not be read: " + c.first.failed[id].Error()})
	}
	if err := c.s.accounts(ctx, c.first, append(slices.Collect(maps.Keys(c.known)), c.me.ID)); err != nil {
		return err
	}
	report.People = len(c.first.users)
	return c.publish(ctx, c.first, func(old Person, known bool, groups []string) []string {
		if !known || old.CheckedAt.IsZero() {
			return groups
		}
		return common(old.Groups, groups)
	})
}

// close reads everybody again and gives to each what he has had all the time.
func (c *census) close(ctx context.Context) error {
	if c.first == nil {
		return c.callers(ctx, false)
	}
	if !c.gains() {
		return c.strangers(ctx)
	}
	groups, err := c.s.listGroups(ctx)
	if err != nil {
		return err
	}
	second, err := c.s.readRoster(ctx, groups)
	if err != nil {
		return err
	}
	if err := c.s.accounts(ctx, second, slices.Collect(maps.Keys(c.known))); err != nil {
		return err
	}
	err = c.publish(ctx, second, func(old Person, _ bool, groups []string) []string {
		return common(c.groupsOf(c.first, old.ID), groups)
	})
	if err != nil {
		return err
	}
	return c.strangers(ctx)
}

// strangers makes those known who are named somewhere and in no group.
func (c *census) strangers(ctx context.Context) error {
	if len(c.first.failed) > 0 {
		return nil // it is not known that they are in no group
	}
	c.s.mu.Lock()
	var ids []string
	for id := range c.s.names {
		if _, known := c.known[id]; !known && c.first.users[id].ID == "" {
			ids = append(ids, id)
		}
	}
	c.s.mu.Unlock()
	rest := &roster{at: c.first.at, users: map[string]confluence.User{}, members: map[string][]string{}}
	if err := c.s.accounts(ctx, rest, ids); err != nil {
		return err
	}
	c.known = nil // the others are published
	return c.publish(ctx, rest, func(Person, bool, []string) []string { return nil })
}

// gains reports whether anybody has more than the mirror says.
func (c *census) gains() bool {
	for id, old := range c.known {
		had := c.groupsOf(c.first, id)
		if len(common(old.Groups, had)) != len(had) || !old.Active && c.first.users[id].Active {
			return true
		}
	}
	return false
}

// groupsOf are somebody's groups: of a group that could not be read for a while,
// what was known of it; nobody is in one that may not be read any more.
func (c *census) groupsOf(r *roster, id string) []string {
	out := slices.Clone(r.members[id])
	for _, g := range c.known[id].Groups {
		if r.failed[g] != nil && !taken(r.failed[g]) {
			out = append(out, g)
		}
	}
	return sortedUnique(out)
}

// publish stores everybody of a reading.
func (c *census) publish(ctx context.Context, r *roster, grant func(old Person, known bool, groups []string) []string) error {
	var out []Person
	for _, id := range slices.Sorted(maps.Keys(r.users)) {
		old, known := c.known[id]
		old.ID = id
		p := c.s.person(r.users[id], grant(old, known, c.groupsOf(r, id)), r.at)
		p.Username = old.Username
		if known && !old.CheckedAt.IsZero() && !old.Active && r == c.first {
			p.Active = false // it comes back with the second reading
		}
		if len(r.failed) > 0 && known && slices.ContainsFunc(old.Groups, func(g string) bool { return r.failed[g] != nil }) {
			p.CheckedAt = old.CheckedAt // a part of it is as old as that
		}
		out = append(out, p)
	}
	for id, old := range c.known {
		if _, there := r.users[id]; !there { // the account is no more
			old.Active, old.Groups, old.CheckedAt = false, nil, r.at
			out = append(out, old)
		}
	}
	for part := range slices.Chunk(out, 1000) {
		if err := c.s.cfg.Mirror.SetPeople(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sync) person(u confluence.User, groups []string, at time.Time) Person {
	return Person{
		Person: guard.Person{Integration: s.cfg.Integration.ID, ID: u.ID, Active: u.Active, Guest: u.Guest, App: u.Type == "app", Groups: groups, CheckedAt: at},
		Name:   u.Name, Email: u.Email,
	}
}

// registerGroups makes groups known before anybody is in them. A group that is
// gone has no members any more; a list that is suddenly empty is not believed.
func (s *Sync) registerGroups(ctx context.Context, groups []confluence.Group) error {
	known, err := s.cfg.Mirror.Groups(ctx, s.cfg.Integration.ID)
	if err != nil {
		return err
	}
	if len(groups) == 0 && len(known) > 0 {
		return &confluence.Error{Kind: confluence.Unavailable, Op: "list groups", Message: "Confluence lists no groups where there were some"}
	}
	names := make(map[string]string, len(known))
	for _, g := range known {
		names[g.ID] = g.Name
	}
	there := make(map[string]bool, len(groups))
	var changed []guard.Membership
	for _, g := range groups {
		there[g.ID] = true
		if name, is := names[g.ID]; !is || name != g.Name {
			changed = append(changed, guard.Membership{Integration: s.cfg.Integration.ID, ID: g.ID, Name: g.Name})
		}
	}
	if len(changed) > 0 {
		if err := s.cfg.Mirror.SetGroups(ctx, changed); err != nil {
			return err
		}
	}
	for id := range names {
		if !there[id] {
			if err := s.cfg.Mirror.DropGroup(ctx, s.cfg.Integration.ID, id); err != nil {
				return err
			}
		}
	}
	s.mu.Lock()
	s.groups = there
	s.mu.Unlock()
	return s.superGroup(ctx, groups)
}

func common(a, b []string) []string {
	out := []string{}
	for _, x := range b {
		if slices.Contains(a, x) {
			out = append(out, x)
		}
	}
	return out
}

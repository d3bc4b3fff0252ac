package guard

import (
	"hash/fnv"
	"maps"
	"slices"
	"time"
)

// Mode says by which rule an integration's content is shown.
type Mode uint8

// The modes.
const (
	OwnerOnly Mode = iota // rights are not synced: the connecting account alone
	Synced                // by the rights of Confluence
	Public                // rights are not synced, the operator shows it to every caller
)

// OpaquePolicy says what a folder or another node whose restrictions cannot be
// read does to what is below it.
type OpaquePolicy uint8

// The policies.
const (
	SealOpaque   OpaquePolicy = iota // hides it
	TrustOpaque                      // counts as unrestricted
	VerifyOpaque                     // [View.Check] answers Verify
)

// Integration is one connected site.
type Integration struct {
	ID         int64 // positive
	Name       string
	Mode       Mode
	Account    string // id of the connecting account
	Anonymous  bool   // the site is open to anonymous use
	Opaque     OpaquePolicy
	SuperGroup string        // id of the group whose members see everything (Data Center); empty: not honoured
	MaxAge     time.Duration // of rights and memberships, after which answers are marked; 0: 24 hours
	HardMaxAge time.Duration // of rights and memberships, after which they admit nobody; 0: 7 days
}

// Person is a user and the groups he is a direct member of.
type Person struct {
	Integration int64
	ID          string
	Active      bool
	Guest       bool // not one of all licensed users
	App         bool // never a caller, but for the connecting account
	Admin       bool // a product admin; only the access class of that name asks
	Groups      []string
	CheckedAt   time.Time // when the memberships were read; a person never checked is unknown
}

// Membership is a group, its name and the groups it is itself a member of.
type Membership struct {
	Integration int64
	ID          string
	Name        string
	Parents     []string
}

type key struct {
	integration int64
	id          string
}

const shards = 256

// directory is who is who. People are in shards, so that one more member costs
// a small map.
type directory struct {
	sites  map[int64]Integration
	people [shards]map[key]Person
	owned  [shards]bool
	groups map[key]Membership
	names  map[key][]string // ids by name
	fresh  bool             // groups and names are nobody else's
	at     stamp
}

func newDirectory() directory {
	return directory{sites: map[int64]Integration{}, groups: map[key]Membership{}, names: map[key][]string{}, fresh: true, at: newStamp()}
}

func shard(k key) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(k.id)) // never fails
	return (h.Sum32() ^ uint32(k.integration)) % shards
}

// share gives a copy that will not change, and gives up ownership.
func (d *directory) share() directory {
	d.owned, d.fresh = [shards]bool{}, false
	out := *d
	out.sites = maps.Clone(d.sites)
	return out
}

func (d *directory) resume() directory {
	out := *d
	out.owned, out.fresh, out.sites = [shards]bool{}, false, maps.Clone(d.sites)
	out.at = newStamp()
	return out
}

// shardOf gives the shard of a person for a change.
func (d *directory) shardOf(k key) map[key]Person {
	d.at.n++
	i := shard(k)
	if !d.owned[i] {
		d.people[i], d.owned[i] = maps.Clone(d.people[i]), true
		if d.people[i] == nil {
			d.people[i] = map[key]Person{}
		}
	}
	return d.people[i]
}

// ownGroups makes the groups ready for a change.
func (d *directory) ownGroups() {
	d.at.n++
	if !d.fresh {
		d.groups, d.names, d.fresh = maps.Clone(d.groups), maps.Clone(d.names), true
	}
}

func (d *directory) person(integration int64, id string) (Person, bool) {
	k := key{integration, id}
	p, ok := d.people[shard(k)][k]
	return p, ok
}

// SetIntegration says what an integration is. One without a positive id is
// ignored; the content of an integration that was never set is hidden.
func (f *Forest) SetIntegration(i Integration) {
	if i.ID > 0 && f.people.sites[i.ID] != i {
		f.people.sites[i.ID] = i
		f.people.at.n++
		f.rights.n++
	}
}

// DropIntegration hides everything of an integration.
func (f *Forest) DropIntegration(id int64) {
	delete(f.people.sites, id)
	f.people.at.n++
	f.rights.n++
}

// SetPerson says who a user is and which groups he is in.
func (f *Forest) SetPerson(p Person) {
	k := key{p.Integration, p.ID}
	f.people.shardOf(k)[k] = p
}

// SetGroup says what a group is. A group that was never set has no members,
// whoever claims to be one.
func (f *Forest) SetGroup(m Membership) {
	f.DropGroup(m.Integration, m.ID)
	d := &f.people
	d.groups[key{m.Integration, m.ID}] = m
	name := key{m.Integration, m.Name}
	d.names[name] = append(slices.Clone(d.names[name]), m.ID)
}

// DropGroup makes a group unknown.
func (f *Forest) DropGroup(integration int64, id string) {
	d := &f.people
	d.ownGroups()
	k := key{integration, id}
	old, known := d.groups[k]
	if !known {
		return
	}
	delete(d.groups, k)
	name := key{integration, old.Name}
	d.names[name] = slices.DeleteFunc(slices.Clone(d.names[name]), func(other string) bool { return other == id })
}

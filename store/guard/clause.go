package guard

import (
	"encoding/binary"
	"slices"
	"sync"

	"confluence-mcp/internal/confluence"
)

// Kind says what a [Principal] is.
type Kind uint8

// The kinds of principals.
const (
	User  Kind = iota + 1 // an account id on Cloud, a user key on Data Center
	Group                 // the id of a group, which is stable over renames
	Class                 // an access class; only spaces grant to classes
)

// The access classes of Confluence that mean something here. A grant to another
// class admits nobody.
const (
	Anonymous      = "anonymous-users"
	Authenticated  = "authenticated-users"
	AllLicensed    = "all-licensed-users"
	AllSiteAdmins  = "all-product-admins"
	defaultAge     = 24     // hours
	defaultHardAge = 7 * 24 // hours
)

// Principal is a user, a group or an access class of one integration. Nothing
// is equal across integrations, whatever it is called.
type Principal struct {
	Integration int64
	Kind        Kind
	ID          string
}

// State says what is known of a node's own read restriction.
type State uint8

// The states. Nothing read, nobody admitted and no restriction are three
// different things; the zero value is the first.
const (
	Sealed State = iota // not known: admits nobody, not even with every right
	Open                // read, and there is no restriction
	Listed              // read: admits those listed; an empty list admits nobody
	Opaque              // of a kind whose restrictions cannot be read (folders on Cloud)
)

// Clause is the own read restriction of one node.
type Clause struct {
	State State
	Of    []Principal // for Listed; access classes in it admit nobody
}

// ClauseOf reads the own restrictions of a node as Confluence lists them. Only
// reading counts. Confluence always names the operation, with empty lists where
// nothing is restricted; an answer without it says nothing and seals.
func ClauseOf(integration int64, own []confluence.Restriction) Clause {
	c := Clause{}
	for _, r := range own {
		if r.Operation != "read" {
			continue
		}
		if c.State == Sealed {
			c.State = Open
		}
		for _, u := range r.UserIDs {
			c.State, c.Of = Listed, append(c.Of, Principal{integration, User, u})
		}
		for _, g := range r.Groups {
			c.State, c.Of = Listed, append(c.Of, Principal{integration, Group, g.ID})
		}
	}
	return c
}

// Clauses are numbered: equal ones have equal numbers.
const (
	noClause uint32 = iota
	sealedClause
	opaqueClause
	firstSet
)

// table numbers principals and clauses. It only grows, so that snapshots may
// share it; a mirror that is opened anew starts with an empty one.
type table struct {
	mu         sync.RWMutex // of principals: callers look them up while the writer adds
	principals map[Principal]uint32
	clauses    map[string]uint32
	sets       [][]uint32 // sorted numbers of principals, by clause
}

func newTable() *table {
	return &table{principals: map[Principal]uint32{}, clauses: map[string]uint32{}, sets: make([][]uint32, firstSet)}
}

// clause gives the number of a node's clause.
func (t *table) clause(c Clause) uint32 {
	switch c.State {
	case Open:
		return noClause
	case Opaque:
		return opaqueClause
	case Listed:
		return t.set(c.Of, false)
	}
	return sealedClause
}

// set gives the number of a list of principals.
func (t *table) set(of []Principal, classes bool) uint32 {
	ids := make([]uint32, 0, len(of))
	for _, p := range of {
		if p.Kind == Class && !classes {
			continue
		}
		ids = append(ids, t.intern(p))
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	key := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		key = binary.LittleEndian.AppendUint32(key, id)
	}
	n, known := t.clauses[string(key)]
	if !known {
		n = uint32(len(t.sets))
		t.sets = append(t.sets, ids)
		t.clauses[string(key)] = n
	}
	return n
}

func (t *table) intern(p Principal) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	id, known := t.principals[p]
	if !known {
		id = uint32(len(t.principals))
		t.principals[p] = id
	}
	return id
}

// numbers looks up those that occur in some clause or grant.
func (t *table) numbers(of []Principal) []uint32 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make([]uint32, 0, len(of))
	for _, p := range of {
		if id, known := t.principals[p]; known {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

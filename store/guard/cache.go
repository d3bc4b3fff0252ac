package guard

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"confluence-mcp/internal/identity"
)

// Cache keeps the verdicts of callers: two callers with equal users, groups and
// classes share them. The zero value is ready and keeps 256 verdicts.
type Cache struct {
	mu      sync.Mutex
	epoch   uint64
	rights  stamp
	entries map[[32]byte]*verdicts
	people  stamp
	known   map[string]recalled // by the caller's name, while nobody's memberships change
}

// recalled are the verdicts of one caller, for as long as his memberships count.
type recalled struct {
	term
	v    *verdicts
	read memberships
}

const cacheSize = 256

// View judges a caller on a snapshot, or remembers: a snapshot that only brings
// more nodes costs nothing.
func (c *Cache) View(s *Snapshot, who identity.Caller, now time.Time) *View {
	name := who.Principal()
	if r := c.recall(s, name); r.v != nil && r.holds(now) && r.v.holds(now) {
		return &View{snapshot: s, verdicts: r.v, read: r.read}
	}
	stand := s.people.standings(who, now)
	k := digest(s, stand)
	r := recalled{term: term{from: now}, v: c.find(s, k), read: membershipsOf(stand)}
	for id, at := range r.read {
		r.until = sooner(r.until, at.Add(s.people.sites[id].hardMaxAge()))
	}
	if r.v == nil || !r.v.holds(now) {
		r.v = s.judge(stand, now)
	}
	c.keep(s, k, name, r)
	return &View{snapshot: s, verdicts: r.v, read: r.read}
}

func (c *Cache) recall(s *Snapshot, name string) recalled {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rights != s.rights || c.people != s.people.at {
		return recalled{}
	}
	return c.known[name]
}

func (c *Cache) find(s *Snapshot, k [32]byte) *verdicts {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rights != s.rights {
		return nil
	}
	return c.entries[k]
}

// keep remembers, unless the snapshot is already the past.
func (c *Cache) keep(s *Snapshot, k [32]byte, name string, r recalled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.epoch < c.epoch {
		return
	}
	c.epoch = s.epoch
	if s.rights != c.rights || len(c.entries) >= cacheSize || c.entries == nil {
		c.rights, c.entries, c.known = s.rights, map[[32]byte]*verdicts{}, nil
	}
	if s.people.at != c.people || len(c.known) >= 4*cacheSize || c.known == nil {
		c.people, c.known = s.people.at, map[string]recalled{}
	}
	c.entries[k], c.known[name] = r.v, r
}

// digest names what decides the verdicts beside the rights themselves.
func digest(s *Snapshot, stand []standing) [32]byte {
	h := sha256.New()
	for _, one := range stand {
		flags := byte(0)
		if one.owner {
			flags |= 1
		}
		if one.super {
			flags |= 2
		}
		ids := s.table.numbers(one.of)
		head := binary.LittleEndian.AppendUint64(nil, uint64(one.site.ID))
		head = append(binary.LittleEndian.AppendUint32(head, uint32(len(ids))), flags)
		_, _ = h.Write(head) // never fails
		_ = binary.Write(h, binary.LittleEndian, ids)
	}
	return [32]byte(h.Sum(nil))
}

package guard

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"confluence-mcp/internal/identity"
)

// Cache keeps the verdicts of callers: two callers with equal users, groups and
// classes share one entry. The zero value is ready and keeps 256 callers.
type Cache struct {
	mu      sync.Mutex
	rights  uint64
	entries map[[32]byte]*verdicts
}

const cacheSize = 256

// View judges a caller on a snapshot, or remembers: a snapshot that only brings
// more nodes costs nothing. Memberships are looked up each time.
func (c *Cache) View(s *Snapshot, who identity.Caller, now time.Time) *View {
	stand := s.people.standings(who, now)
	k := digest(s, stand)
	if v := c.find(s.rights, k); v != nil && (v.until.IsZero() || now.Before(v.until)) {
		return &View{snapshot: s, verdicts: v}
	}
	v := s.judge(stand, now)
	c.keep(s.rights, k, v)
	return &View{snapshot: s, verdicts: v}
}

func (c *Cache) find(rights uint64, k [32]byte) *verdicts {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rights != rights {
		return nil
	}
	return c.entries[k]
}

func (c *Cache) keep(rights uint64, k [32]byte, v *verdicts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rights < c.rights {
		return // of a snapshot that is already the past
	}
	if rights > c.rights || c.entries == nil || len(c.entries) >= cacheSize {
		c.rights, c.entries = rights, map[[32]byte]*verdicts{}
	}
	c.entries[k] = v
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

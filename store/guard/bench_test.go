package guard_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"confluence-mcp/store/guard"
)

// big is n nodes in 2,000 spaces, the first of them one tree of 50,000, depth
// to 10; every tenth node has a clause, half by group, half by user.
func big(n int) *guard.Forest {
	r := rand.New(rand.NewPCG(1, 2))
	f := guard.NewForest()
	f.SetIntegration(site(1, "I1"))
	const spaces = 2000
	for s := range uint32(spaces) {
		f.SetSpace(s+1, guard.Space{Integration: 1, View: []guard.Principal{number("g", r.IntN(200)), class(guard.Authenticated)}, SweptAt: noon()})
	}
	for g := range 20_000 {
		f.SetGroup(guard.Membership{Integration: 1, ID: fmt.Sprintf("g%d", g), Name: fmt.Sprintf("n%d", g)})
	}
	groups := make([]string, 100)
	for i := range groups {
		groups[i] = fmt.Sprintf("g%d", i*7)
	}
	f.SetPerson(guard.Person{Integration: 1, ID: "ann", Active: true, Groups: groups, CheckedAt: noon()})
	for i := 1; i <= n; i++ {
		space, from, to := 0, 1, min(50_000, n)
		if i > 50_000 {
			space = 1 + (i-50_001)*(spaces-1)/max(1, n-50_000)
			size := max(1, n-50_000)/(spaces-1) + 1
			from = 50_001 + (i-50_001)/size*size
			to = i
		}
		node := guard.Node{Space: uint32(space) + 1, Clause: open}
		if i > from {
			node.Parent = uint32(from + r.IntN(min(i, to)-from)/4)
		}
		if r.IntN(10) == 0 && i > 1 {
			node.Clause = only(number("g", r.IntN(20_000)))
			if r.IntN(2) == 0 {
				node.Clause = only(user(fmt.Sprintf("u%d", r.IntN(50_000))), user(fmt.Sprintf("u%d", r.IntN(50_000))))
			}
		}
		f.Put(uint32(i), node)
	}
	return f
}

func number(prefix string, n int) guard.Principal {
	return guard.Principal{Integration: 1, Kind: guard.Group, ID: fmt.Sprintf("%s%d", prefix, n)}
}

func BenchmarkMillion(b *testing.B) {
	const n = 1_000_000
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			big(n).Snapshot(1)
		}
	})
	f := big(n)
	s := f.Snapshot(1)
	b.Run("resume", func(b *testing.B) {
		for b.Loop() {
			guard.ForestOf(s)
		}
	})
	b.Run("caller", func(b *testing.B) {
		for b.Loop() {
			s.View(who("ann"), noon())
		}
	})
	b.Run("caller remembered", func(b *testing.B) {
		var cache guard.Cache
		for b.Loop() {
			cache.View(s, who("ann"), noon())
		}
	})
	v := s.View(who("ann"), noon())
	b.Run("check", func(b *testing.B) {
		seen := 0
		for i := uint32(1); b.Loop(); i = (i + 7919) % n {
			if v.Sees(i) {
				seen++
			}
		}
		require.Positive(b, seen)
	})
	b.Run("restrict a tree of 50,000 and lift it", func(b *testing.B) {
		for b.Loop() {
			f.Put(1, guard.Node{Space: 1, Clause: only(user("ann"))})
			f.Snapshot(2)
			f.Put(1, guard.Node{Space: 1, Clause: open})
			f.Snapshot(3)
		}
	})
	b.Run("one more page", func(b *testing.B) {
		i := uint32(n)
		for b.Loop() {
			i++
			f.Put(i, guard.Node{Space: 1, Parent: 1, Clause: open})
			f.Snapshot(4)
		}
	})
}

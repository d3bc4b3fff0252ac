package index_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

// zipf makes pages of made-up words, as the search facts describe: 200,000
// words of frequency 1/rank, 400 words a page in the mean, log-normal, and a
// title of six. A page is a function of its number alone.
type zipf struct {
	words []string
	upTo  []float64 // running sums
}

const vocabulary = 200_000

func newZipf() *zipf {
	z := &zipf{words: make([]string, vocabulary), upTo: make([]float64, vocabulary)}
	sum := 0.0
	for i := range vocabulary {
		z.words[i] = madeUp(i)
		sum += 1 / float64(i+10)
		z.upTo[i] = sum
	}
	return z
}

// madeUp spells a number in syllables; k at the end keeps endings from being
// taken off.
func madeUp(n int) string {
	const consonants, vowels = "bdfghjklmnprstvwz", "aeiou"
	var b strings.Builder
	for n += 85 * 85; n > 0; n /= len(consonants) * len(vowels) {
		s := n % (len(consonants) * len(vowels))
		b.WriteByte(consonants[s/len(vowels)])
		b.WriteByte(vowels[s%len(vowels)])
	}
	return b.String() + "k"
}

func (z *zipf) word(r *rand.Rand) string {
	want := r.Float64() * z.upTo[len(z.upTo)-1]
	lo, hi := 0, len(z.upTo)
	for lo < hi {
		if mid := (lo + hi) / 2; z.upTo[mid] < want {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return z.words[min(lo, len(z.words)-1)]
}

func (z *zipf) page(idx uint32) mirror.Page {
	r := rand.New(rand.NewPCG(uint64(idx), 1))
	var title, text strings.Builder
	for range 6 {
		title.WriteString(z.word(r) + " ")
	}
	n := int(400 * math.Exp(r.NormFloat64()*0.5-0.125))
	for i := range n {
		if i%120 == 0 {
			text.WriteString("\n\n## " + z.word(r) + "\n\n")
		}
		text.WriteString(z.word(r) + " ")
	}
	p := page(idx, title.String(), text.String(), z.words[idx%200])
	p.SpaceKey = strings.ToUpper(z.words[idx%97])
	return p
}

// question makes questions of a kind: words drawn log-uniformly from ranks 40
// to 40,000, so that many are frequent.
func (z *zipf) question(kind string, r *rand.Rand) string {
	word := func() string { return z.words[int(40*math.Pow(1000, r.Float64()))] }
	frequent := func() string { return z.words[int(40*math.Pow(25, r.Float64()))] }
	switch kind {
	case "term1":
		return word()
	case "term3":
		return word() + " " + word() + " " + word()
	case "and3":
		return "+" + frequent() + " +" + frequent() + " +" + frequent()
	case "phrase":
		return `"` + frequent() + " " + frequent() + `"`
	case "prefix":
		return word()[:4] + "*"
	default: // near
		w := []byte(word())
		w[1] = 'q'
		return string(w)
	}
}

// share gives a view that sees about that share of the pages, in classes: every
// 50th page stands below one of the nodes that have a clause.
func share(t testing.TB, pages int, percent float64) *guard.View {
	t.Helper()
	f := guard.NewForest()
	f.SetIntegration(guard.Integration{ID: 1, Name: "one", Mode: guard.Synced, Account: "boss"})
	f.SetSpace(1, guard.Space{Integration: 1, View: []guard.Principal{{Integration: 1, Kind: guard.User, ID: "ann"}}, SweptAt: noon()})
	f.SetPerson(guard.Person{Integration: 1, ID: "ann", Active: true, CheckedAt: noon()})
	const classes = 2000
	r := rand.New(rand.NewPCG(7, 7))
	for c := range classes {
		c := uint32(pages + 1 + c)
		who := "bob"
		if r.Float64()*100 < percent {
			who = "ann"
		}
		f.Put(c, guard.Node{Space: 1, Clause: guard.Clause{State: guard.Listed, Of: []guard.Principal{{Integration: 1, Kind: guard.User, ID: who}}}})
	}
	for idx := 1; idx <= pages; idx++ {
		f.Put(uint32(idx), guard.Node{Space: 1, Parent: uint32(pages + 1 + r.IntN(classes)), Clause: guard.Clause{State: guard.Open}})
	}
	return f.Snapshot(1).View(identity.Caller{Kind: identity.User, Integration: "one", AccountID: "ann", Subject: "ann", Agent: "a"}, noon())
}

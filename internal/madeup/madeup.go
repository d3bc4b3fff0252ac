package madeup

import (
	"math"
	"math/rand/v2"
	"strings"
)

// vocabulary is how many words there are; word n occurs in proportion to
// 1/(n+10).
const vocabulary = 200_000

// Words are 200,000 made-up words, and the length of the pages made of them.
// They are safe for concurrent use.
type Words struct {
	mean  float64 // words of a page
	words []string
	upTo  []float64 // running sums of frequencies
}

// New makes the words; pages have mean words in the mean, log-normal.
func New(mean float64) *Words {
	w := &Words{mean: mean, words: make([]string, vocabulary), upTo: make([]float64, vocabulary)}
	sum := 0.0
	for i := range vocabulary {
		w.words[i] = Word(i)
		sum += 1 / float64(i+10)
		w.upTo[i] = sum
	}
	return w
}

// Word spells a number in syllables, a different word for each below 40 million;
// k at the end keeps endings from being taken off.
func Word(n int) string {
	const consonants, vowels = "bdfghjklmnprstvwz", "aeiou"
	var b strings.Builder
	for n += 85 * 85; n > 0; n /= len(consonants) * len(vowels) {
		s := n % (len(consonants) * len(vowels))
		b.WriteByte(consonants[s/len(vowels)])
		b.WriteByte(vowels[s%len(vowels)])
	}
	return b.String() + "k"
}

func (w *Words) draw(r *rand.Rand) string {
	want := r.Float64() * w.upTo[len(w.upTo)-1]
	lo, hi := 0, len(w.upTo)
	for lo < hi {
		if mid := (lo + hi) / 2; w.upTo[mid] < want {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return w.words[min(lo, len(w.words)-1)]
}

// Page is a title of six words, a label (one of 200) and sections.
type Page struct {
	Title    string
	Label    string
	Sections []Section
}

// Section is a heading of one word and up to 120 words below it.
type Section struct{ Heading, Text string }

// Page makes page n.
func (w *Words) Page(n uint32) Page {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	var title strings.Builder
	for range 6 {
		title.WriteString(w.draw(r) + " ")
	}
	p := Page{Title: title.String(), Label: w.words[n%200]}
	words := int(w.mean * math.Exp(r.NormFloat64()*0.5-0.125))
	for from := 0; from < words; from += 120 {
		s := Section{Heading: w.draw(r)}
		var text strings.Builder
		for range min(120, words-from) {
			text.WriteString(w.draw(r) + " ")
		}
		s.Text = text.String()
		p.Sections = append(p.Sections, s)
	}
	return p
}

// Text is the page as Markdown, without its title.
func (p Page) Text() string { return p.sections("\n\n## ", "\n\n", "") }

// Storage is the page as Confluence stores it, without its title.
func (p Page) Storage() string { return p.sections("<h2>", "</h2><p>", "</p>") }

func (p Page) sections(before, between, after string) string {
	var b strings.Builder
	for _, s := range p.Sections {
		b.WriteString(before + s.Heading + between + s.Text + after)
	}
	return b.String()
}

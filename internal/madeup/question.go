package madeup

import (
	"math"
	"math/rand/v2"
	"strings"
)

// Kind is a kind of question.
type Kind string

// The kinds of questions, in the language of the product's search.
const (
	Term1  Kind = "term1"  // one word
	Term3  Kind = "term3"  // any of three words
	And3   Kind = "and3"   // three frequent words, all of them
	Phrase Kind = "phrase" // two frequent words side by side
	Prefix Kind = "prefix" // the first four letters of words
	Near   Kind = "near"   // a word with a slip
)

// Kinds lists them all.
func Kinds() []Kind { return []Kind{Term1, Term3, And3, Phrase, Prefix, Near} }

// Questions makes the first n questions of a kind. Their words are drawn
// log-uniformly from ranks 40 to 40,000, frequent ones up to 1,000, so that many
// stand in many pages.
func (w *Words) Questions(kind Kind, n int) []string {
	r := rand.New(rand.NewPCG(3, 3))
	out := make([]string, n)
	for i := range out {
		out[i] = w.question(kind, r)
	}
	return out
}

func (w *Words) question(kind Kind, r *rand.Rand) string {
	word := func() string { return w.words[int(40*math.Pow(1000, r.Float64()))] }
	frequent := func() string { return w.words[int(40*math.Pow(25, r.Float64()))] }
	switch kind {
	case Term1:
		return word()
	case Term3:
		return strings.Join([]string{word(), word(), word()}, " ")
	case And3:
		return "+" + strings.Join([]string{frequent(), frequent(), frequent()}, " +")
	case Phrase:
		return `"` + frequent() + " " + frequent() + `"`
	case Prefix:
		return word()[:4] + "*"
	default: // Near
		letters := []byte(word())
		letters[1] = 'q'
		return string(letters)
	}
}

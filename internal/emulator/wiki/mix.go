package wiki

import "strings"

// mix is SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// fold hashes a word, code point by code point.
func fold(word string) uint64 {
	var h uint64
	for _, c := range word {
		h = mix(h ^ uint64(c))
	}
	return h
}

// invented is the word that replica r puts in place of word: three syllables.
func invented(word string, r int) string {
	const consonants = "bdfgklmnprstvz"
	endings := [...]string{"a", "e", "i", "o", "u", "an", "or", "el"}
	h := mix(fold(word) ^ uint64(r))
	var b strings.Builder
	for range 3 {
		n := int(h & 0xff)
		b.WriteByte(consonants[n%len(consonants)])
		b.WriteString(endings[n/len(consonants)%len(endings)])
		h >>= 8
	}
	return b.String()
}

// dice is the stream of random numbers that one grown page is made with.
type dice uint64

func newDice(seed uint64, k int) *dice {
	d := dice(mix(seed ^ mix(uint64(k))))
	return &d
}

// below tells whether the next throw of 0…99 is below percent.
func (d *dice) below(percent uint64) bool {
	*d = dice(mix(uint64(*d)))
	return uint64(*d)%100 < percent
}

// Chances in percent.
const (
	dropParagraph = 15
	replaceWord   = 5
)

// shortestWord is how many letters a word needs to be replaced.
const shortestWord = 6

// reword goes through the words of text and replaces some.
func (d *dice) reword(b *strings.Builder, text string, r int) {
	for len(text) > 0 {
		n := 0
		for n < len(text) && !isLetter(text[n]) {
			n++
		}
		b.WriteString(text[:n])
		text = text[n:]
		for n = 0; n < len(text) && isLetter(text[n]); {
			n++
		}
		word := text[:n]
		text = text[n:]
		if n >= shortestWord && d.below(replaceWord) {
			word = invented(word, r)
		}
		b.WriteString(word)
	}
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

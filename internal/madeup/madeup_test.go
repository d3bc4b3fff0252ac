package madeup_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/internal/madeup"
)

func TestPagesAreOfTheLengthAskedFor(t *testing.T) {
	w := madeup.New(400)
	words := 0
	for n := range uint32(2000) {
		words += len(strings.Fields(w.Page(n + 1).Text()))
	}
	assert.InDelta(t, 400, float64(words)/2000, 20)
}

func TestTextAndStorageSayTheSame(t *testing.T) {
	p := madeup.New(50).Page(7)
	plain := strings.NewReplacer("<h2>", " ", "</h2><p>", " ", "</p>", " ").Replace(p.Storage())
	assert.Equal(t, strings.Fields(strings.ReplaceAll(p.Text(), "##", "")), strings.Fields(plain))
	assert.Equal(t, p, madeup.New(50).Page(7))
	assert.NotEqual(t, p, madeup.New(50).Page(8))
}

func TestQuestionsAreOfTheirKind(t *testing.T) {
	w := madeup.New(400)
	for kind, shape := range map[madeup.Kind]string{
		madeup.Term1: `^[a-z]+k$`, madeup.Term3: `^[a-z]+k [a-z]+k [a-z]+k$`, madeup.And3: `^\+[a-z]+k \+[a-z]+k \+[a-z]+k$`,
		madeup.Phrase: `^"[a-z]+k [a-z]+k"$`, madeup.Prefix: `^[a-z]{4}\*$`, madeup.Near: `^[a-z]q[a-z]+k$`,
	} {
		asked := w.Questions(kind, 50)
		assert.Len(t, asked, 50)
		assert.Equal(t, asked[:10], w.Questions(kind, 10))
		for _, q := range asked {
			assert.Regexp(t, shape, q)
		}
	}
}

package site_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/internal/emulator/site"
)

// TestReadersAndWritersShareASite is worth its time under -race: contents that
// a reader kept must not change while writers go on.
func TestReadersAndWritersShareASite(t *testing.T) {
	s := desk(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { retitle(s, 50) })
		all.Go(func() {
			for range 50 {
				assert.Len(t, titled(s), 7)
			}
		})
	}
	all.Wait()
	assert.Equal(t, 201, get(t, s, "11").Version, "no update is lost")
}

func retitle(s *site.Site, times int) {
	for i := range times {
		title := fmt.Sprint("Title ", i)
		_ = s.Write("ann", func(e *site.Edit) error { // the version at the end tells whether one failed
			_, err := e.Update("11", site.Change{Title: &title})
			return err
		})
	}
}

// titled reads the titles of what a view held after it has ended.
func titled(s *site.Site) (titles []string) {
	var kept []*site.Content
	s.Read("ann", func(v *site.View) {
		kept = slices.Collect(v.Walk(site.Query{Type: "page", Sort: "title"}))
		for range v.Indexed() {
			continue
		}
	})
	for _, c := range kept {
		titles = append(titles, c.Title)
	}
	return titles
}

// TestOnceIsOfOneStateAndOneUser: a kept list is never older than the site and
// never another user's.
func TestOnceIsOfOneStateAndOneUser(t *testing.T) {
	s := desk(t)
	made := 0
	listed := func(user string) (out []string) {
		s.Read(user, func(v *site.View) {
			out = ids(v.Once("pages", func() []*site.Content {
				made++
				return slices.Collect(v.Walk(site.Query{Type: "page"}))
			}))
		})
		return out
	}
	walked := func(user string) (out []string) {
		s.Read(user, func(v *site.View) { out = ids(slices.Collect(v.Walk(site.Query{Type: "page"}))) })
		return out
	}
	assert.Equal(t, walked("ann"), listed("ann"))
	assert.Equal(t, walked("bob"), listed("bob"))
	assert.Equal(t, walked(""), listed(""))
	listed("ann")
	assert.Equal(t, 3, made, "once for each user")
	assert.NoError(t, s.Apply([]byte(`{"kind":"content","id":"11","read":["user:nobody-else"]}`)))
	assert.NotContains(t, listed("ann"), "11")
	retitle(s, 1)
	listed("ann")
	assert.Equal(t, 5, made, "again after each change")
	assert.Equal(t, []string{"12"}, fewOf(s, "ann", "12", "11", "12", "404"), "of what is named, what may be seen, once")
}

func fewOf(s *site.Site, user string, wanted ...string) (out []string) {
	s.Read(user, func(v *site.View) { out = ids(slices.Collect(v.Walk(site.Query{Type: "page", IDs: wanted}))) })
	return out
}

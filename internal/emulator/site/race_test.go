package site_test

import (
	"fmt"
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
		all.Go(func() {
			for i := range 50 {
				title := fmt.Sprint("Title ", i)
				_ = s.Write("ann", func(e *site.Edit) error { // the version at the end tells whether one failed
					_, err := e.Update("11", site.Change{Title: &title})
					return err
				})
			}
		})
		all.Go(func() {
			for range 50 {
				var kept []*site.Content
				s.Read("ann", func(v *site.View) {
					for c := range v.Walk(site.Query{Type: "page", Sort: "title"}) {
						kept = append(kept, c)
					}
					for range v.Indexed() {
						continue
					}
				})
				assert.Len(t, kept, 7)
				for _, c := range kept {
					assert.NotEmpty(t, c.Title)
				}
			}
		})
	}
	all.Wait()
	assert.Equal(t, 201, get(t, s, "11").Version, "no update is lost")
}

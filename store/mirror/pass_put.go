package mirror

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"confluence-mcp/internal/confluence"
)

// Content is a page, a blog post or a folder with everything the mirror keeps
// of it. Body is storage; Text is what a search finds and an answer shows.
type Content struct {
	confluence.Page
	Labels      []string
	Text        string
	Attachments []confluence.Attachment
}

// Put publishes content of nodes that were observed, as one batch, and where to
// go on (mark, remembered under the name "space:" and the space's id). It gives
// how many were new or different. Kind Invalid before Tighten, and for a node
// that was not observed. One that another pass placed in its space meanwhile is left out.
func (p *Pass) Put(ctx context.Context, pages []Content, mark string) (int, error) {
	if p.phase != tightened {
		return 0, p.order("put")
	}
	for i := range pages {
		if p.seen[pages[i].ID] == nil {
			return 0, invalid("put", fmt.Sprintf("the rights of page %s were not observed", pages[i].ID))
		}
	}
	changed := 0
	err := p.m.commit(ctx, "put", func(b *batch) error {
		var err error
		if changed, err = p.putAll(b, pages); err != nil {
			return err
		}
		if changed > 0 {
			p.news()
		}
		return b.mark(p.space.integration, "space:"+p.space.id, mark)
	})
	return changed, err
}

// putAll puts a batch. A page that comes twice counts once, as it came last.
func (p *Pass) putAll(b *batch, pages []Content) (changed int, err error) {
	read := micros(p.m.now())
	digests, last := make(map[string][]byte, len(pages)), make(map[string]int, len(pages))
	for i := range pages {
		digests[pages[i].ID], last[pages[i].ID] = pages[i].digest(), i
	}
	same, err := b.unchanged(p.space.integration, digests, pages, read)
	if err != nil {
		return 0, err
	}
	for i := range pages {
		c := &pages[i]
		if same[c.ID] || last[c.ID] != i {
			continue
		}
		n, _, err := b.node(p.space.integration, c.ID)
		if err != nil {
			return changed, err
		}
		if n.space != p.space.idx {
			continue // it stands in another space, whose rights are not those these words were read under
		}
		if err := b.putContent(n.idx, c, digests[c.ID], read); err != nil {
			return changed, err
		}
		changed++
	}
	return changed, nil
}

// unchanged gives the ids of a batch whose content of that digest is stored, and
// notes that it was read again. Their rows must still be what was written: the
// digest tells what was put, not what is left of it.
func (b *batch) unchanged(integration int64, digests map[string][]byte, pages []Content, read int64) (map[string]bool, error) {
	ids := map[uint32]string{}
	rows, err := b.QueryContext(b.ctx, "SELECT n.id, n.idx, p.digest FROM node n JOIN page p ON p.node = n.idx WHERE n.integration = ? AND n.id IN (SELECT value FROM json_each(?))",
		integration, text(slices.Collect(maps.Keys(digests))))
	err = eachRow(rows, err, func(r *sql.Rows) error {
		var id string
		var idx uint32
		var digest []byte
		err := r.Scan(&id, &idx, &digest)
		if bytes.Equal(digest, digests[id]) {
			ids[idx] = id
		}
		return err
	})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	whole, err := b.whole(ids, pages)
	if err != nil {
		return nil, err
	}
	same := make(map[string]bool, len(whole))
	for _, idx := range whole {
		same[ids[idx]] = true
	}
	return same, b.exec("UPDATE page SET read = ? WHERE node IN (SELECT value FROM json_each(?))", read, text(whole))
}

// whole gives those of some nodes all of whose rows are there and sound: one of
// the page, one of the body, one of each attachment.
func (b *batch) whole(ids map[uint32]string, pages []Content) ([]uint32, error) {
	files := make(map[string]int, len(pages))
	for i := range pages {
		of := map[string]bool{}
		for _, a := range pages[i].Attachments {
			of[a.ID] = true
		}
		files[pages[i].ID] = len(of)
	}
	left := make(map[uint32]int, len(ids))
	for idx, id := range ids {
		left[idx] = 2 + files[id]
	}
	err := checkContent(b.ctx, b.Tx, text(slices.Collect(maps.Keys(ids))), func(idx uint32, _ string, sound bool) error {
		if left[idx]--; !sound {
			left[idx] = -1 // and never 0 again
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	whole := make([]uint32, 0, len(left))
	for idx, n := range left {
		if n == 0 {
			whole = append(whole, idx)
		}
	}
	return whole, nil
}

// Unread gives the observed nodes whose content the mirror does not have in
// this version. versions names those to ask about.
func (p *Pass) Unread(ctx context.Context, versions map[string]int) ([]string, error) {
	have := map[string]int{}
	rows, err := p.m.read.QueryContext(ctx, "SELECT n.id, p.version FROM node n JOIN page p ON p.node = n.idx WHERE n.space = ?", p.space.idx)
	err = eachRow(rows, err, func(r *sql.Rows) error {
		var id string
		var version int
		err := r.Scan(&id, &version)
		have[id] = version
		return err
	})
	var out []string
	for id, version := range versions {
		if got, known := have[id]; !known || got != version {
			out = append(out, id)
		}
	}
	return out, p.m.failure("compare versions", err)
}

func (b *batch) putContent(idx uint32, c *Content, digest []byte, read int64) error {
	v := c.Version
	labels := c.Labels
	if labels == nil {
		labels = []string{}
	}
	listed := text(labels)
	if err := b.exec(`INSERT OR REPLACE INTO page(node, title, status, position, author, owner, created, version, updated, updated_by, message, minor, parent_type, labels, web_url, digest, read, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		idx, c.Title, c.Status, c.Position, c.AuthorID, c.OwnerID, micros(c.CreatedAt), v.Number, micros(v.CreatedAt), v.AuthorID, v.Message, v.Minor,
		c.ParentType, listed, c.WebURL, digest, read, rowHash(pageFields(idx, &c.Page, listed)...)); err != nil {
		return err
	}
	if err := b.exec("INSERT OR REPLACE INTO body(node, storage, text, hash) VALUES (?, ?, ?, ?)", idx, c.Body, c.Text, rowHash(idx, c.Body, c.Text)); err != nil {
		return err
	}
	if err := b.putLabels(idx, labels); err != nil {
		return err
	}
	if err := b.putAttachments(idx, c.Attachments); err != nil {
		return err
	}
	return b.changed(idx, false)
}

// digest is of everything that is stored but when it was read.
func (c *Content) digest() []byte {
	head := *c
	head.Body, head.Text = "", ""
	all, err := json.Marshal(head)
	return rowHash(string(all), c.Body, c.Text, err)
}

func (b *batch) putLabels(idx uint32, labels []string) error {
	if err := b.exec("DELETE FROM label WHERE node = ?", idx); err != nil {
		return err
	}
	for _, l := range labels {
		if err := b.exec("INSERT OR IGNORE INTO label(name, node) VALUES (?, ?)", l, idx); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) putAttachments(idx uint32, of []confluence.Attachment) error {
	if err := b.exec("DELETE FROM attachment WHERE node = ?", idx); err != nil {
		return err
	}
	for i := range of {
		a := &of[i]
		if err := b.exec("INSERT OR REPLACE INTO attachment(node, id, title, media_type, size, comment, version, updated, updated_by, web_url, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			idx, a.ID, a.Title, a.MediaType, a.Size, a.Comment, a.Version.Number, micros(a.Version.CreatedAt), a.Version.AuthorID, a.WebURL, rowHash(fileFields(idx, a)...)); err != nil {
			return err
		}
	}
	return nil
}

package mirror

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

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
// that was not observed.
func (p *Pass) Put(ctx context.Context, pages []Content, mark string) (int, error) {
	if p.phase != tightened {
		return 0, p.order("put")
	}
	changed := 0
	err := p.m.commit(ctx, "put", func(b *batch) error {
		changed = 0
		for i := range pages {
			if p.seen[pages[i].ID] == nil {
				return invalid("put", fmt.Sprintf("the rights of page %s were not observed", pages[i].ID))
			}
			n, _, err := b.node(p.space.integration, pages[i].ID)
			if err != nil {
				return err
			}
			differs, err := b.putContent(n.idx, &pages[i], micros(p.m.now()))
			if err != nil {
				return err
			}
			if differs {
				changed++
			}
		}
		return b.mark(p.space.integration, "space:"+p.space.id, mark)
	})
	return changed, err
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
	return out, failure("compare versions", err)
}

func (b *batch) putContent(idx uint32, c *Content, read int64) (bool, error) {
	digest := c.digest()
	has, err := b.has(idx, digest)
	if err != nil {
		return false, err
	}
	if has {
		return false, b.exec("UPDATE page SET read = ? WHERE node = ?", read, idx)
	}
	v := c.Version
	labels := c.Labels
	if labels == nil {
		labels = []string{}
	}
	if err := b.exec(`INSERT OR REPLACE INTO page(node, title, status, position, author, owner, created, version, updated, updated_by, message, minor, parent_type, labels, web_url, digest, read)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		idx, c.Title, c.Status, c.Position, c.AuthorID, c.OwnerID, micros(c.CreatedAt), v.Number, micros(v.CreatedAt), v.AuthorID, v.Message, v.Minor,
		c.ParentType, text(labels), c.WebURL, digest, read); err != nil {
		return false, err
	}
	if err := b.exec("INSERT OR REPLACE INTO body(node, storage, text, hash) VALUES (?, ?, ?, ?)", idx, c.Body, c.Text, rowHash(idx, c.Body, c.Text)); err != nil {
		return false, err
	}
	if err := b.putLabels(idx, labels); err != nil {
		return false, err
	}
	if err := b.putAttachments(idx, c.Attachments); err != nil {
		return false, err
	}
	return true, b.changed(idx, false)
}

// has reports whether the content of a digest is stored, and its body still is
// what was written: the digest tells what was put, not what is left of it.
func (b *batch) has(idx uint32, digest []byte) (bool, error) {
	var old, hash []byte
	var storage, body string
	err := b.one("SELECT digest FROM page WHERE node = ?", idx).Scan(&old)
	if err == nil && !bytes.Equal(old, digest) {
		return false, nil
	}
	if err == nil {
		err = b.one("SELECT storage, text, hash FROM body WHERE node = ?", idx).Scan(&storage, &body, &hash)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && sound(hash, idx, storage, body), err
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
	for _, a := range of {
		if err := b.exec("INSERT OR REPLACE INTO attachment(node, id, title, media_type, size, comment, version, updated, updated_by, web_url) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			idx, a.ID, a.Title, a.MediaType, a.Size, a.Comment, a.Version.Number, micros(a.Version.CreatedAt), a.Version.AuthorID, a.WebURL); err != nil {
			return err
		}
	}
	return nil
}

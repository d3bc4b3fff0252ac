package mirror

import (
	"context"
	"database/sql"
	"strconv"

	"confluence-mcp/internal/confluence"
)

// pageFields are what a row of the table page is hashed over: what is shown of
// a page, and the node it is shown of.
func pageFields(node uint32, p *confluence.Page, labels string) []any {
	place, minor := "", int64(0)
	if p.Position != nil {
		place = strconv.Itoa(*p.Position)
	}
	if p.Version.Minor {
		minor = 1
	}
	return []any{node, p.Title, p.Status, place, p.AuthorID, p.OwnerID, micros(p.CreatedAt), int64(p.Version.Number), micros(p.Version.CreatedAt), p.Version.AuthorID,
		p.Version.Message, minor, p.ParentType, labels, p.WebURL}
}

// fileFields are the same of the table attachment.
func fileFields(node uint32, a *confluence.Attachment) []any {
	return []any{node, a.ID, a.Title, a.MediaType, a.Size, a.Comment, int64(a.Version.Number), micros(a.Version.CreatedAt), a.Version.AuthorID, a.WebURL}
}

// allNodes are those of [checkContent] where they are all.
const allNodes = ""

// checkContent tells of every row that is content of nodes, a JSON list, whether
// it is what was written.
func checkContent(ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, nodes string, tell func(node uint32, what string, sound bool) error) error {
	for _, of := range []struct {
		query, node string
		row         func(*sql.Rows) error
	}{
		{"SELECT " + pageColumns + pageTables, "n.idx", func(r *sql.Rows) error {
			var p row
			if err := p.scan(r); err != nil {
				return err
			}
			return tell(p.Index, "row", p.sound())
		}},
		{"SELECT " + attachmentColumns + attachmentTables, "n.idx", func(r *sql.Rows) error {
			var f file
			if err := f.scan(r); err != nil {
				return err
			}
			return tell(f.node, "attachment", f.sound())
		}},
		{"SELECT node, storage, text, hash FROM body ", "node", func(r *sql.Rows) error {
			var node uint32
			var storage, text string
			var hash []byte
			if err := r.Scan(&node, &storage, &text, &hash); err != nil {
				return err
			}
			return tell(node, "body", sound(hash, node, storage, text))
		}},
	} {
		query, args := of.query, []any{}
		if nodes != allNodes {
			query, args = query+"WHERE "+of.node+" IN (SELECT value FROM json_each(?))", []any{nodes}
		}
		rows, err := db.QueryContext(ctx, query, args...)
		if err := eachRow(rows, err, of.row); err != nil {
			return err
		}
	}
	return nil
}

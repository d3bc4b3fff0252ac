package main

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/search/query"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver, which the mirror uses too

	"confluence-mcp/internal/madeup"
)

// otherEngine is what the product is compared with.
type otherEngine interface {
	ask(b *testing.B, text string)
	close(b *testing.B)
}

// others builds each other engine from the same mirror and asks it the same.
func (l *life) others() {
	b := l.b
	for _, o := range []struct {
		name  string
		build func(*testing.B, string, *life)
		open  func(*testing.B, string) otherEngine
	}{{nameBleve, buildBleve, openBleve}, {nameFTS, buildFTS, openFTS}} {
		dir := b.TempDir()
		at := time.Now()
		o.build(b, dir, l)
		l.report.other(o.name, keyIndexing, float64(l.site.pages)/time.Since(at).Seconds())
		l.report.other(o.name, keySize, float64(folderSize(b, dir))/float64(l.report.TextBytes))
		at = time.Now()
		x := o.open(b, dir)
		x.ask(b, madeup.Word(40))
		l.report.other(o.name, keyStart, ms(time.Since(at)))
		for _, kind := range madeup.Kinds() {
			if kind == madeup.Near {
				continue // of slips they know nothing
			}
			p50, p99 := timed(l.questions(kind), func(text string) { x.ask(b, text) })
			l.report.otherSearch(o.name, string(kind), p50, p99)
		}
		x.close(b)
	}
}

func folderSize(b *testing.B, dir string) (size int64) {
	b.Helper()
	require.NoError(b, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		i, err := d.Info()
		if err == nil {
			size += i.Size()
		}
		return err
	}))
	return size
}

// stockBleve is bleve as it comes, with English stems in one field.
type stockBleve struct{ bleve.Index }

func buildBleve(b *testing.B, dir string, l *life) {
	b.Helper()
	m := bleve.NewIndexMapping()
	m.DefaultAnalyzer = "en"
	x, err := bleve.New(filepath.Join(dir, "stock"), m)
	require.NoError(b, err)
	for pages := range l.chunks() {
		batch := x.NewBatch()
		for i := range pages {
			require.NoError(b, batch.Index(strconv.Itoa(int(pages[i].Index)), map[string]any{"body": lifeText(&pages[i])}))
		}
		require.NoError(b, x.Batch(batch))
	}
	require.NoError(b, x.Close())
}

func openBleve(b *testing.B, dir string) otherEngine {
	b.Helper()
	x, err := bleve.Open(filepath.Join(dir, "stock"))
	require.NoError(b, err)
	return stockBleve{x}
}

func (x stockBleve) ask(b *testing.B, text string) {
	b.Helper()
	_, err := x.Search(bleve.NewSearchRequestOptions(bleveQuery(text), 10, 0, false))
	require.NoError(b, err)
}

func (x stockBleve) close(b *testing.B) { require.NoError(b, x.Close()) }

func bleveQuery(text string) query.Query {
	switch {
	case strings.HasPrefix(text, `"`):
		q := bleve.NewMatchPhraseQuery(strings.Trim(text, `"`))
		q.SetField("body")
		return q
	case strings.HasSuffix(text, "*"):
		q := bleve.NewPrefixQuery(strings.TrimSuffix(text, "*"))
		q.SetField("body")
		return q
	}
	q := bleve.NewMatchQuery(strings.ReplaceAll(text, "+", ""))
	q.SetField("body")
	if strings.HasPrefix(text, "+") {
		q.SetOperator(query.MatchQueryOperatorAnd)
	}
	return q
}

// fts5 is SQLite's own full-text search: the words only, without a copy of the
// text.
type fts5 struct{ *sql.DB }

func openFTSFile(b *testing.B, dir string) *sql.DB {
	b.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "fts.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
	require.NoError(b, err)
	return db
}

func buildFTS(b *testing.B, dir string, l *life) {
	b.Helper()
	db := openFTSFile(b, dir)
	_, err := db.Exec(`CREATE VIRTUAL TABLE page USING fts5(title, body, content='', tokenize='porter', prefix='3 4')`)
	require.NoError(b, err)
	for pages := range l.chunks() {
		tx, err := db.Begin()
		require.NoError(b, err)
		for i := range pages {
			_, err := tx.Exec("INSERT INTO page(rowid, title, body) VALUES (?, ?, ?)", pages[i].Index, pages[i].Title, pages[i].Text)
			require.NoError(b, err)
		}
		require.NoError(b, tx.Commit())
	}
	require.NoError(b, db.Close())
}

func openFTS(b *testing.B, dir string) otherEngine {
	b.Helper()
	return fts5{openFTSFile(b, dir)}
}

func (x fts5) ask(b *testing.B, text string) {
	b.Helper()
	rows, err := x.Query("SELECT rowid FROM page WHERE page MATCH ? ORDER BY bm25(page, 5.0, 1.0) LIMIT 10", ftsQuery(text))
	require.NoError(b, err)
	for rows.Next() {
		var id int64
		require.NoError(b, rows.Scan(&id))
	}
	require.NoError(b, rows.Err())
	require.NoError(b, rows.Close())
}

func (x fts5) close(b *testing.B) { require.NoError(b, x.Close()) }

func ftsQuery(text string) string {
	switch {
	case strings.HasPrefix(text, "+"):
		return strings.Join(strings.Fields(strings.ReplaceAll(text, "+", "")), " AND ")
	case strings.HasPrefix(text, `"`), strings.HasSuffix(text, "*"):
		return text
	}
	return strings.Join(strings.Fields(text), " OR ")
}

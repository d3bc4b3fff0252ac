package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

func (p program) relevanceCommand() *cobra.Command {
	var split string
	var asJSON bool
	c := &cobra.Command{Use: "relevance DIR", Short: "Measure how well search ranks, on a folder of judged questions",
		Long: `relevance puts the documents of a folder into a mirror of its own, asks every
judged question as any caller would, and prints nDCG@10 and Recall@100.

The folder holds docs.jsonl or docs.jsonl.gz (id, title, body), queries.jsonl
(id, text) and qrels.tsv (query_id, doc_id, gain); another half of it, named by
--split, has the name at the end: queries-train.jsonl, qrels-train.tsv.`,
		Example: `  confluence-mcp relevance scifact --json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if split != "" {
				split = "-" + split
			}
			r, err := p.judge(c.Context(), args[0], split)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(p.out).Encode(r)
			}
			_, err = fmt.Fprintf(p.out, "documents   %d\nquestions   %d\nnDCG@10     %.4f\nRecall@100  %.4f\n", r.Documents, r.Questions, r.NDCG, r.Recall)
			return err
		}}
	c.Flags().StringVar(&split, "split", "", "`name` of another half of the folder, such as train")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// relevance is what judging a folder gives.
type relevance struct {
	Documents int     `json:"documents"`
	Questions int     `json:"questions"`
	NDCG      float64 `json:"ndcg_at_10"`
	Recall    float64 `json:"recall_at_100"`
}

// How deep the two measures look.
const (
	ndcgDepth   = 10
	recallDepth = 100
)

// judge answers every question of a folder through the product's own mirror,
// index and passages, with default settings.
func (p program) judge(ctx context.Context, dir, half string) (r relevance, err error) {
	gains, err := readGains(filepath.Join(dir, "qrels"+half+".tsv"))
	if err != nil {
		return r, err
	}
	temp, err := os.MkdirTemp("", "confluence-mcp-relevance-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	m, err := mirror.Open(ctx, mirror.Config{Dir: temp, Now: p.now})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	x, err := index.Open(ctx, index.Config{Dir: temp, Now: p.now, Log: m.Follower()})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	site := guard.Integration{ID: 1, Name: "judged", Mode: guard.Public}
	if r.Documents, err = p.fillJudged(ctx, m, site, dir); err != nil {
		return r, err
	}
	if err := x.Follow(ctx); err != nil {
		return r, err
	}
	engine, err := retrieve.New(retrieve.Config{Mirror: m, Index: x, Now: p.now,
		Integrations: func() []retrieve.Integration {
			return []retrieve.Integration{{Integration: site, Edition: confluence.Cloud}}
		}})
	if err != nil {
		return r, err
	}
	return r, r.ask(ctx, engine, filepath.Join(dir, "queries"+half+".jsonl"), gains)
}

// fillJudged makes every document a page of one space that everybody sees.
func (p program) fillJudged(ctx context.Context, m *mirror.Mirror, site guard.Integration, dir string) (int, error) {
	var all []mirror.Content
	var nodes []mirror.Node
	err := eachJudged(dir, "docs.jsonl", func(line []byte) error {
		var d struct{ ID, Title, Body string }
		if err := json.Unmarshal(line, &d); err != nil {
			return err
		}
		nodes = append(nodes, mirror.Node{ID: d.ID, Type: confluence.TypePage, Clause: guard.Clause{State: guard.Open}})
		all = append(all, mirror.Content{Text: d.Body, Page: confluence.Page{ID: d.ID, Type: confluence.TypePage, Status: confluence.StatusCurrent,
			Title: d.Title, Body: "<p>" + html.EscapeString(d.Body) + "</p>", Version: confluence.Version{Number: 1, CreatedAt: p.now()}}})
		return nil
	})
	if err != nil {
		return 0, err
	}
	w := m.Writer()
	if err := w.SetIntegration(ctx, site); err != nil {
		return 0, err
	}
	pass, err := w.Begin(ctx, site.ID, confluence.Space{ID: "1", Key: "JUDGED", Name: "Judged", Type: "global", Status: confluence.StatusCurrent})
	if err != nil {
		return 0, err
	}
	if err := errors.Join(pass.Grants(nil, false), pass.Observe(nodes...)); err != nil {
		return 0, err
	}
	if _, err := pass.Tighten(ctx, true); err != nil {
		return 0, err
	}
	for batch := range slices.Chunk(all, 500) {
		if _, err := pass.Put(ctx, batch, ""); err != nil {
			return 0, err
		}
	}
	return len(all), errors.Join(pass.Loosen(ctx), pass.End(ctx, "{}"))
}

// ask adds up both measures over the questions that have judgements.
func (r *relevance) ask(ctx context.Context, engine *retrieve.Engine, path string, gains map[string]map[string]float64) error {
	err := eachJudged(filepath.Dir(path), filepath.Base(path), func(line []byte) error {
		var q struct{ ID, Text string }
		if err := json.Unmarshal(line, &q); err != nil {
			return err
		}
		if len(gains[q.ID]) == 0 {
			return nil
		}
		a, err := engine.Query(ctx, identity.Public("relevance", "", identity.Stdio), retrieve.Question{Text: q.Text, Limit: recallDepth})
		if err != nil {
			return err
		}
		ndcg, recall := measure(a.Results, gains[q.ID])
		r.NDCG, r.Recall, r.Questions = r.NDCG+ndcg, r.Recall+recall, r.Questions+1
		return nil
	})
	if r.Questions > 0 {
		r.NDCG, r.Recall = r.NDCG/float64(r.Questions), r.Recall/float64(r.Questions)
	}
	return err
}

// measure gives nDCG@10, with gains as they are, and Recall@100 of one answer.
func measure(results []retrieve.Result, gains map[string]float64) (ndcg, recall float64) {
	discount := func(place int) float64 { return 1 / math.Log2(float64(place)+2) }
	var ideal []float64
	relevant := 0
	for _, g := range gains {
		if g > 0 {
			ideal = append(ideal, g)
			relevant++
		}
	}
	if relevant == 0 {
		return 0, 0
	}
	slices.Sort(ideal)
	slices.Reverse(ideal)
	var got, best float64
	for place, g := range ideal[:min(ndcgDepth, len(ideal))] {
		best += g * discount(place)
	}
	for place, one := range results[:min(recallDepth, len(results))] {
		g := gains[one.PageID]
		if g > 0 {
			recall += 1 / float64(relevant)
		}
		if place < ndcgDepth {
			got += g * discount(place)
		}
	}
	return got / best, recall
}

func readGains(path string) (map[string]map[string]float64, error) {
	out := map[string]map[string]float64{}
	err := eachJudged(filepath.Dir(path), filepath.Base(path), func(line []byte) error {
		f := strings.Split(string(line), "\t")
		if len(f) != 3 {
			return fmt.Errorf("%s: a line has %d columns, not 3", path, len(f))
		}
		gain, err := strconv.ParseFloat(strings.TrimSpace(f[2]), 64)
		if err != nil {
			return nil //nolint:nilerr // the line of names
		}
		if out[f[0]] == nil {
			out[f[0]] = map[string]float64{}
		}
		out[f[0]][f[1]] = gain
		return nil
	})
	return out, err
}

// eachJudged calls for every line of a file, which may be gzipped.
func eachJudged(dir, name string, each func([]byte) error) error {
	f, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		if zipped, second := os.Open(filepath.Join(dir, name+".gz")); second == nil {
			f, err = zipped, nil
		}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var from io.Reader = f
	if strings.HasSuffix(f.Name(), ".gz") {
		if from, err = gzip.NewReader(f); err != nil {
			return fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if len(lines.Bytes()) > 0 {
			if err := each(lines.Bytes()); err != nil {
				return fmt.Errorf("%s: %w", f.Name(), err)
			}
		}
	}
	return lines.Err()
}

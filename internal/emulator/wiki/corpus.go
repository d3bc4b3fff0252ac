package wiki

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
)

// corpus is the folder, read.
type corpus struct {
	spaces []corpusSpace
	pages  []corpusPage
	byID   map[string]int // position of a page
	first  map[string]int // position of a space's first page
}

type corpusSpace struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

type corpusPage struct {
	ID     string   `json:"id"`
	Parent *string  `json:"parent"`
	Space  string   `json:"space"`
	Title  string   `json:"title"`
	Labels []string `json:"labels"`
	Body   string   `json:"body"`
	num    uint64
}

func readCorpus(dir fs.FS) (*corpus, error) {
	c := &corpus{byID: map[string]int{}, first: map[string]int{}}
	raw, err := fs.ReadFile(dir, "spaces.json")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &c.spaces); err != nil {
		return nil, fmt.Errorf("spaces.json: %w", err)
	}
	f, err := dir.Open("pages.jsonl.gz")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	unzipped, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("pages.jsonl.gz: %w", err)
	}
	for dec := json.NewDecoder(unzipped); ; {
		var p corpusPage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err == nil {
			err = c.add(p)
		}
		if err != nil {
			return nil, fmt.Errorf("pages.jsonl.gz, page %d: %w", len(c.pages)+1, err)
		}
	}
}

func (c *corpus) add(p corpusPage) error {
	n, err := strconv.ParseUint(p.ID, 10, 64)
	if err != nil {
		return fmt.Errorf("id %q: %w", p.ID, err)
	}
	if p.Parent != nil {
		if _, ok := c.byID[*p.Parent]; !ok {
			return fmt.Errorf("id %s: parent %s does not come before it", p.ID, *p.Parent)
		}
	}
	p.num = n
	if _, ok := c.first[p.Space]; !ok {
		c.first[p.Space] = len(c.pages)
	}
	c.byID[p.ID] = len(c.pages)
	c.pages = append(c.pages, p)
	return nil
}

// place is page k of the grown site: which base page in which replica.
type place struct{ k, r, b int }

func (c *corpus) place(k int) place { return place{k, k / len(c.pages), k % len(c.pages)} }

// at is the same base page in replica r.
func (c *corpus) at(r, b int) place { return place{r*len(c.pages) + b, r, b} }

func (c *corpus) id(p place) uint64 {
	if p.r == 0 {
		return c.pages[p.b].num
	}
	return firstGrownID + uint64(p.k)
}

func (c *corpus) title(p place) string { return replica(c.pages[p.b].Title, " ", p.r) }

func (c *corpus) spaceKey(p place) string { return replica(c.pages[p.b].Space, "", p.r) }

// replica names the r-th copy; copy 0 is the base itself.
func replica(base, sep string, r int) string {
	if r == 0 {
		return base
	}
	return base + sep + strconv.Itoa(r)
}

// firstGrownID is the id of k = 0 if it were a copy.
const firstGrownID = 1_000_000

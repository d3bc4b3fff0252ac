package ingest_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/connections"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// doom kills the process at one named point: "put:after:3".
type doom struct {
	point string
	mu    sync.Mutex
	count map[string]int
}

func (d *doom) at(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.count == nil {
		d.count = map[string]int{}
	}
	d.count[name]++
	if d.point == name+":"+strconv.Itoa(d.count[name]) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (d *doom) around(name string, do func() error) error {
	d.at(name + ":before")
	err := do()
	d.at(name + ":after")
	return err
}

// doomed is a mirror that may kill the process.
type doomed struct {
	connections.Filling
	*doom
}

func (d *doomed) Begin(ctx context.Context, integration int64, sp confluence.Space) (p ingest.Pass, err error) {
	err = d.around("begin", func() (err error) { p, err = d.Filling.Begin(ctx, integration, sp); return err })
	return &doomedPass{p, d.doom}, err
}

func (d *doomed) SetPeople(ctx context.Context, people []ingest.Person) error {
	return d.around("people", func() error { return d.Filling.SetPeople(ctx, people) })
}

func (d *doomed) SetGroups(ctx context.Context, groups []guard.Membership) error {
	return d.around("groups", func() error { return d.Filling.SetGroups(ctx, groups) })
}

func (d *doomed) SetIntegration(ctx context.Context, i guard.Integration) error {
	return d.around("integration", func() error { return d.Filling.SetIntegration(ctx, i) })
}

func (d *doomed) SetMark(ctx context.Context, integration int64, name, v string) error {
	return d.around("mark", func() error { return d.Filling.SetMark(ctx, integration, name, v) })
}

type doomedPass struct {
	ingest.Pass
	d *doom
}

func (p *doomedPass) Tighten(ctx context.Context, complete bool) (v ingest.Vanished, err error) {
	err = p.d.around("tighten", func() (err error) { v, err = p.Pass.Tighten(ctx, complete); return err })
	return v, err
}

func (p *doomedPass) Again(ctx context.Context, nodes ...ingest.Node) error {
	return p.d.around("again", func() error { return p.Pass.Again(ctx, nodes...) })
}

func (p *doomedPass) Put(ctx context.Context, pages []ingest.Content, mark string) (n int, err error) {
	err = p.d.around("put", func() (err error) { n, err = p.Pass.Put(ctx, pages, mark); return err })
	return n, err
}

func (p *doomedPass) Loosen(ctx context.Context) error {
	return p.d.around("loosen", func() error { return p.Pass.Loosen(ctx) })
}

func (p *doomedPass) End(ctx context.Context, report string) error {
	return p.d.around("end", func() error { return p.Pass.End(ctx, report) })
}

// doomedLog is what an index follows, and may kill the process.
type doomedLog struct {
	*mirror.Follower
	d *doom
}

func (l doomedLog) Changes(ctx context.Context, after int64, limit int) (out []mirror.Change, err error) {
	err = l.d.around("log-changes", func() (err error) { out, err = l.Follower.Changes(ctx, after, limit); return err })
	return out, err
}

func (l doomedLog) Page(ctx context.Context, idx uint32) (p mirror.Page, there bool, err error) {
	err = l.d.around("log-page", func() (err error) { p, there, err = l.Follower.Page(ctx, idx); return err })
	return p, there, err
}

func (l doomedLog) All(ctx context.Context, after uint32, limit int) (out []mirror.Page, err error) {
	err = l.d.around("log-all", func() (err error) { out, err = l.Follower.All(ctx, after, limit); return err })
	return out, err
}

func (l doomedLog) Range(ctx context.Context) (before, last int64, err error) {
	err = l.d.around("log-range", func() (err error) { before, last, err = l.Follower.Range(ctx); return err })
	return before, last, err
}

// follow keeps an index up with the mirror, as the program does, until it is killed.
func follow(ctx context.Context, x *index.Index, changed <-chan struct{}) {
	for range changed {
		if err := x.Follow(ctx); err != nil {
			fmt.Println("failed", err)
		}
	}
}

func wake(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}

// moments are the named ones to die at: before and after each of some
// operations, the first times it comes.
func moments(times int, operations ...string) []string {
	var out []string
	for _, name := range operations {
		for _, when := range []string{"before", "after"} {
			for n := 1; n <= times; n++ {
				out = append(out, name+":"+when+":"+strconv.Itoa(n))
			}
		}
	}
	return out
}

// ofAPass are the operations of a mirror during a pass.
func ofAPass() []string {
	return []string{"integration", "groups", "people", "begin", "tighten", "put", "again", "loosen", "end", "mark"}
}

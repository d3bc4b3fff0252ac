package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"confluence-mcp/internal/emulator"
	"confluence-mcp/internal/emulator/wiki"
)

// drain is how long open requests may go on after a stop signal.
const drain = 5 * time.Second

// serving is the emulator as the flags describe it.
type serving struct {
	program
	sites     []string
	listen    string
	edition   string
	dcVersion string
	growth    wiki.Growth
}

// ready is the one line on stdout.
type ready struct {
	URL     string             `json:"url"` // of the first site
	Gateway string             `json:"gateway"`
	Media   string             `json:"media"`
	Sites   []emulator.Address `json:"sites"`
}

func (s *serving) run(ctx context.Context) error {
	if err := s.check(); err != nil {
		return err
	}
	e, err := s.load()
	if err != nil {
		return err
	}
	if err := e.Listen(s.listen); err != nil {
		return err
	}
	sites := e.Addresses()
	line := ready{URL: sites[0].URL, Gateway: e.Gateway(), Media: e.Media(), Sites: sites}
	if err := json.NewEncoder(s.stdout).Encode(line); err != nil {
		return fmt.Errorf("writing the ready line: %w", err)
	}
	<-ctx.Done()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	return e.Close(closing)
}

func (s *serving) check() error {
	switch s.edition {
	case "cloud":
	case "datacenter":
		return usageError{errors.New("--edition datacenter is not available yet")}
	default:
		return usageError{fmt.Errorf("--edition %q: there are cloud and datacenter", s.edition)}
	}
	switch {
	case s.dcVersion != "":
		return usageError{errors.New("--dc-version goes with --edition datacenter only")}
	case len(s.sites) == 0:
		return usageError{errors.New("at least one --site FILE is needed")}
	}
	return checkGrowth(s.growth)
}

func (s *serving) load() (*emulator.Emulator, error) {
	cfg := emulator.Config{Now: s.now}
	for _, name := range s.sites {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // read only
		lines := s.grown(f)
		defer func() { _ = lines.Close() }() // ends the growth when loading has failed
		cfg.Sites = append(cfg.Sites, emulator.Source{Name: name, Lines: lines})
	}
	return emulator.New(cfg)
}

// grown is the site file after growth, made while it is read.
func (s *serving) grown(file io.ReadCloser) io.ReadCloser {
	if s.growth.Pages == 0 && s.growth.Cut == 0 {
		return file
	}
	out, in := io.Pipe()
	go func() {
		plain, err := unzipped(file)
		if err == nil {
			err = wiki.Grow(in, plain, s.growth)
		}
		_ = in.CloseWithError(err) // nil is the end of the file
	}()
	return out
}

func unzipped(file io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(file, 1<<16)
	if magic, err := b.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return b, nil // a short file is judged by the loader
	}
	return gzip.NewReader(b)
}

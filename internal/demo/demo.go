// Package demo is the sample site of `confluence-mcp demo`: a small company
// that does not exist, written for this project. It is a site file in the
// vocabulary the emulator reads, one file a subject under site/, read in order
// of name.
//
// People who try the product meet it first, so it has what real wikis have:
// trees, tables, macros, tasks, mentions, attachments, blog posts, three
// languages, and restrictions that let two people see different things.
package demo

import (
	"bufio"
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
)

//go:embed site/*.jsonl
var files embed.FS

// Person is somebody of the sample company who can be asked as.
type Person struct {
	ID       string `json:"id"`
	Username string `json:"username"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Token    string `json:"token"`
}

// Site gives the site file: JSON lines.
func Site() (io.Reader, error) {
	names, err := fs.Glob(files, "site/*.jsonl")
	if err != nil {
		return nil, err
	}
	var all bytes.Buffer
	for _, name := range names {
		b, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all.Write(bytes.TrimRight(b, "\n"))
		all.WriteByte('\n')
	}
	return &all, nil
}

// People lists everybody with a token.
func People() ([]Person, error) {
	site, err := Site()
	if err != nil {
		return nil, err
	}
	var out []Person
	lines := bufio.NewScanner(site)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var l struct {
			Kind string `json:"kind"`
			Person
		}
		if !bytes.HasPrefix(lines.Bytes(), []byte(`{"kind":"user"`)) {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("demo site: %w", err)
		}
		if l.Token != "" {
			out = append(out, l.Person)
		}
	}
	return out, lines.Err()
}

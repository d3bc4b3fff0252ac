// Command leaks runs the tests and searches everything they print for the
// secrets that tests plant. It is no part of the product.
//
//	go run ./testdata/leaks go test -race ./...
//
// runs the command with -json behind "test", shows what go test would show, and
// ends with 1 when a test failed or a planted secret was printed by any of them,
// by one that passed too. Another runner is asked for the same with the
// environment variable GOTESTSUM_JSONFILE. When nothing could be searched it
// ends with 1 as well: a search that saw nothing proves nothing.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"confluence-mcp/internal/emulator/planted"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: leaks COMMAND ARGS…")
		os.Exit(2)
	}
	failed := run(os.Args[1:])
	if failed != nil {
		fmt.Fprintln(os.Stderr, "leaks:", failed)
		os.Exit(1)
	}
}

func run(command []string) error {
	dir, err := os.MkdirTemp("", "leaks")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is a temporary folder
	events := filepath.Join(dir, "events.json")
	c := exec.Command(command[0], command[1:]...)
	c.Stderr = os.Stderr
	c.Env = append(os.Environ(), "GOTESTSUM_JSONFILE="+events)
	var ended error
	if at := slices.Index(command, "test"); at == 1 {
		c.Args = slices.Insert(slices.Clone(command), 2, "-json")
		ended = record(c, events)
	} else {
		c.Stdout = os.Stdout
		ended = c.Run()
	}
	said, err := os.Open(events)
	if err != nil {
		return fmt.Errorf("nothing to search: %w", err)
	}
	defer func() { _ = said.Close() }() // only read
	found, err := search(said)
	if err != nil {
		return err
	}
	fmt.Printf("leaks: %s\n", found)
	switch {
	case found.leaks > 0:
		return fmt.Errorf("%s", found)
	case ended == nil && found.tests == 0:
		return fmt.Errorf("nothing was searched")
	}
	return ended
}

// event is one of test2json.
type event struct{ Action, Package, Test, Output string }

// record runs go test -json into a file and shows what go test would.
func record(c *exec.Cmd, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	said := map[[2]string]*strings.Builder{} // by package and test, until it has ended
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			_, _ = f.WriteString(line) // Close tells
			show(line, said)
		}
		if err != nil {
			break
		}
	}
	ended := c.Wait()
	if err := f.Close(); err != nil {
		return err
	}
	return ended
}

// show prints the lines of packages, and what failed tests said.
func show(line string, said map[[2]string]*strings.Builder) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		fmt.Print(line)
		return
	}
	name := [2]string{e.Package, e.Test}
	switch {
	case e.Action == "output" && e.Test == "":
		if strings.HasPrefix(e.Output, "ok") || strings.HasPrefix(e.Output, "FAIL") || strings.HasPrefix(e.Output, "LEAK") || strings.HasPrefix(e.Output, "panic") {
			fmt.Print(e.Output)
		}
	case e.Action == "build-output":
		fmt.Print(e.Output)
	case e.Action == "output":
		if said[name] == nil {
			said[name] = &strings.Builder{}
		}
		said[name].WriteString(e.Output)
	case e.Action == "fail" && said[name] != nil:
		fmt.Print(said[name])
		delete(said, name)
	case e.Action == "pass" || e.Action == "skip":
		delete(said, name)
	}
}

// finding is what a search came to.
type finding struct{ tests, bytes, leaks int }

// String is one line for a log.
func (f finding) String() string {
	return fmt.Sprintf("%d planted secrets in %d bytes that %d tests printed", f.leaks, f.bytes, f.tests)
}

// search goes over the events. The lines in which a story repeats its own
// commands are the test's words, not the product's, and a leak that was found in
// memory has ended the tests already.
func search(events io.Reader) (finding, error) {
	var found finding
	lines := bufio.NewReaderSize(events, 1<<20)
	for {
		line, err := lines.ReadString('\n')
		var e event
		if json.Unmarshal([]byte(line), &e) == nil {
			found.add(e)
		}
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return found, err
		}
	}
}

func (f *finding) add(e event) {
	if e.Action == "pass" && e.Test != "" {
		f.tests++
	}
	if e.Action != "output" {
		return
	}
	f.bytes += len(e.Output)
	said := strings.TrimSpace(e.Output)
	if strings.HasPrefix(said, "> ") || strings.HasPrefix(said, "LEAK: ") {
		return
	}
	for _, secret := range planted.Find(e.Output) {
		f.leaks++
		fmt.Printf("LEAK: %s %s printed %s: %s", e.Package, e.Test, secret, e.Output)
	}
}

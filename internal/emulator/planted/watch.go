package planted

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
)

// Runner runs the tests of a package; *testing.M is one.
type Runner interface{ Run() int }

// Watch gives tests that fail when anything was found: in what [See] and
// [Writer] were told, and in what is answered to http.DefaultTransport, which
// tests ask by. What the emulator's sign-in service answers is left out: tokens
// are what it is for.
func Watch(tests Runner) Runner { return watched{tests} }

type watched struct{ Runner }

// Run implements [Runner].
func (w watched) Run() int {
	http.DefaultTransport = listening{http.DefaultTransport}
	code := w.Runner.Run()
	found, heard := seen().end()
	for _, leak := range found {
		fmt.Fprintln(os.Stderr, "LEAK: a planted secret is in", leak)
	}
	if len(found) > 0 {
		return 1
	}
	fmt.Fprintf(os.Stderr, "planted: no secret in %d bytes of what was said\n", heard)
	return code
}

// See searches a part of what the product said somewhere.
func See(where string, said []byte) { seen().look(where, string(said)) }

// Writer searches what is written to it.
func Writer(where string) io.Writer { return writer(where) }

type writer string

// Write implements io.Writer.
func (w writer) Write(b []byte) (int, error) {
	See(string(w), b)
	return len(b), nil
}

// Log keeps what many goroutines write, for a test to read meanwhile, and has
// it searched. The zero Log is ready.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer; it never fails.
func (l *Log) Write(p []byte) (int, error) {
	See("a log that a test reads", p)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all that was written until now.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// sink remembers what was found.
type sink struct {
	mu    sync.Mutex
	heard int
	found []string
}

var seen = sync.OnceValue(func() *sink { return &sink{} })

// mostFound bounds the list: one leak is often in every line of a log.
const mostFound = 20

func (s *sink) look(where, text string) {
	leaks := Find(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard += len(text)
	for _, leak := range leaks {
		if len(s.found) < mostFound {
			s.found = append(s.found, where+": "+leak+" in "+around(text, leak))
		}
	}
}

func (s *sink) end() (found []string, heard int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.found, s.heard
}

// around is a leak with what stands beside it.
func around(text, leak string) string {
	at := strings.Index(text, leak)
	if at < 0 {
		return "base64"
	}
	return fmt.Sprintf("%q", text[max(0, at-120):min(len(text), at+len(leak)+60)])
}

// listening searches answers on their way to a test.
type listening struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (l listening) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.RoundTripper.RoundTrip(r)
	if err != nil || signIn(r.URL.Path) {
		return res, err
	}
	where := r.Method + " " + r.URL.Path
	var header strings.Builder
	_ = res.Header.Write(&header) // a builder takes everything
	See("headers of "+where, []byte(header.String()))
	res.Body = &overheard{ReadCloser: res.Body, where: "the answer to " + where}
	return res, nil
}

// signIn are routes of the emulator that give out what it has planted.
func signIn(path string) bool {
	return path == "/authorize" || path == "/oauth/token" || strings.HasPrefix(path, "/__emulator/")
}

// overheard searches a body as it is read. The end of each part is kept, so that
// a secret across two parts is found.
type overheard struct {
	io.ReadCloser
	where string
	tail  []byte
}

const longestSecret = 256

// Read implements io.Reader.
func (o *overheard) Read(b []byte) (int, error) {
	n, err := o.ReadCloser.Read(b)
	if n > 0 {
		part := append(o.tail, b[:n]...)
		See(o.where, part)
		o.tail = append([]byte(nil), part[max(0, len(part)-longestSecret):]...)
		if leaks := Find(string(o.tail)); leaks != nil {
			o.tail = nil // it was told of
		}
	}
	return n, err
}

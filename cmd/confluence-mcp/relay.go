package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// maxRelayedLine is the longest message carried to another process, in bytes;
// a little over what a server takes, so that the server says what is wrong.
const maxRelayedLine = 101 << 20

// stdioClient is the MCP client at the other end of this process's standard
// streams, through changes of the server behind it. Messages are lines.
//
// As long as this process serves the client itself, the streams are handed
// over as they are. Once messages have gone to another process, it remembers
// how the client opened the conversation and which requests are unanswered.
type stdioClient struct {
	in  io.Reader
	out io.Writer

	lines chan []byte // nil until the first relay; closed when the client ends

	mu      sync.Mutex
	opening [][]byte                   // initialize and its notification, as sent
	pending map[string]json.RawMessage // ids of unanswered requests
}

// envelope is what of a message the relay looks at.
type envelope struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
}

// attach gives the streams for serving the client in this process.
func (c *stdioClient) attach(ctx context.Context) (io.Reader, io.Writer) {
	if c.lines == nil {
		return c.in, c.out
	}
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(c.feed(ctx, w)) // a nil error reads as the end of input
	}()
	return r, &openingFilter{out: c.out, drop: c.openingID()}
}

// feed replays the opening of the conversation, then passes lines on.
func (c *stdioClient) feed(ctx context.Context, w io.Writer) error {
	for _, line := range c.opening {
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line, ok := <-c.lines:
			if !ok {
				return nil
			}
			if _, err := w.Write(line); err != nil {
				return err
			}
		}
	}
}

func (c *stdioClient) openingID() json.RawMessage {
	if len(c.opening) == 0 {
		return nil
	}
	var e envelope
	_ = json.Unmarshal(c.opening[0], &e) // it was parsed when it was remembered
	return e.ID
}

// openingFilter drops the answer to a replayed initialize: the client has had
// one already.
type openingFilter struct {
	out  io.Writer
	drop json.RawMessage
	line []byte
}

// Write passes everything on but the one line.
func (f *openingFilter) Write(b []byte) (int, error) {
	if f.drop == nil {
		return f.out.Write(b)
	}
	f.line = append(f.line, b...)
	end := bytes.IndexByte(f.line, '\n')
	if end < 0 {
		return len(b), nil
	}
	var e envelope
	rest := f.line
	if json.Unmarshal(f.line[:end], &e) == nil && e.Method == "" && bytes.Equal(e.ID, f.drop) {
		rest, f.drop = f.line[end+1:], nil
	}
	f.line = nil
	if _, err := f.out.Write(rest); err != nil {
		return 0, err
	}
	return len(b), nil
}

// relay carries messages between the client and another process until one of
// them ends, and reports whether it was the client. Requests the other process
// left unanswered are answered with an error.
func (c *stdioClient) relay(ctx context.Context, conn io.ReadWriteCloser) (clientEnded bool) {
	if c.lines == nil {
		c.lines, c.pending = make(chan []byte), map[string]json.RawMessage{}
		go c.read()
	}
	for _, line := range c.opening { // an earlier owner had them
		if _, err := conn.Write(line); err != nil {
			return false
		}
	}
	gone := make(chan struct{})
	shown := &openingFilter{out: c.out, drop: c.openingID()} // before the client says more
	go func() {
		defer close(gone)
		c.answers(conn, shown)
	}()
	clientEnded = c.requests(ctx, conn, gone)
	if half, ok := conn.(interface{ CloseWrite() error }); ok && clientEnded && half.CloseWrite() == nil {
		<-gone // let the last answers out
	}
	_ = conn.Close() // both directions are done
	<-gone
	if !clientEnded {
		c.failPending()
	}
	return clientEnded
}

func (c *stdioClient) read() {
	defer close(c.lines)
	s := bufio.NewScanner(c.in)
	s.Buffer(make([]byte, 64<<10), maxRelayedLine)
	for s.Scan() {
		c.lines <- append(bytes.Clone(s.Bytes()), '\n')
	}
}

// requests sends the client's lines until the client ends (true), or the other
// side or ctx does (false).
func (c *stdioClient) requests(ctx context.Context, to io.Writer, gone <-chan struct{}) bool {
	for {
		select {
		case <-gone:
			return false
		case <-ctx.Done():
			return true
		case line, ok := <-c.lines:
			if !ok {
				return true
			}
			c.remember(line)
			if _, err := to.Write(line); err != nil {
				return false
			}
		}
	}
}

func (c *stdioClient) remember(line []byte) {
	var e envelope
	if json.Unmarshal(line, &e) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Method == "initialize" || e.Method == "notifications/initialized" {
		c.opening = append(c.opening, line)
	}
	if e.Method != "" && e.ID != nil {
		c.pending[string(e.ID)] = e.ID
	}
}

// answers passes the other side's lines on until it ends.
func (c *stdioClient) answers(from io.Reader, to io.Writer) {
	s := bufio.NewScanner(from)
	s.Buffer(make([]byte, 64<<10), maxRelayedLine)
	for s.Scan() {
		var e envelope
		if json.Unmarshal(s.Bytes(), &e) == nil && e.Method == "" {
			c.mu.Lock()
			delete(c.pending, string(e.ID))
			c.mu.Unlock()
		}
		if _, err := to.Write(append(s.Bytes(), '\n')); err != nil {
			return
		}
	}
}

// failPending answers what the other process can't answer any more. Whether a
// write among it has happened is not known, and the client is told so.
func (c *stdioClient) failPending() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.pending {
		fmt.Fprintf(c.out, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32603,"message":"The serving process ended before it answered. Read the page again before you repeat a write."}}`+"\n", id)
	}
	clear(c.pending)
}

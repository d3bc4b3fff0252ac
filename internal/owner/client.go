package owner

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// Command is a command line and what it is given on standard input. Config
// stands for the configuration it is meant for; empty: any.
type Command struct {
	Args   []string
	In     []byte
	Config string
}

// Away says that no owner answered, as one that is just starting or just ending
// does not, or that it does other things and will end. Nothing was begun, so it
// can be tried again.
type Away struct{ Err error }

// Error says whom could not be reached, and why.
func (a *Away) Error() string { return a.Err.Error() }

// Unwrap gives why.
func (a *Away) Unwrap() error { return a.Err }

// Run sends a command to the owner of dir and copies what it prints. The answer
// is the command's exit code. Cancelling ctx ends the command. The error is an
// [Away] when the command did not begin.
func Run(ctx context.Context, dir string, c Command, out, errOut io.Writer) (int, error) {
	n, err := read(dir)
	if err != nil {
		return 1, &Away{fmt.Errorf("reach the owner of %s: %w", dir, err)}
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", n.Socket)
	}}}
	body, err := json.Marshal(request(c))
	if err != nil {
		return 1, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://owner/run", bytes.NewReader(body))
	if err != nil {
		return 1, err
	}
	res, err := client.Do(req)
	if err != nil && ctx.Err() != nil {
		return 1, ctx.Err()
	}
	if err != nil {
		return 1, &Away{fmt.Errorf("reach the owner of %s (process %d): %w", dir, n.PID, err)}
	}
	defer func() { _ = res.Body.Close() }() // read to its end below
	if res.StatusCode == http.StatusServiceUnavailable {
		return 1, &Away{errors.New(reason(res))}
	}
	return copyFrames(res.Body, out, errOut)
}

func copyFrames(body io.Reader, out, errOut io.Writer) (int, error) {
	dec := json.NewDecoder(body)
	for {
		var f frame
		if err := dec.Decode(&f); err != nil {
			return 1, fmt.Errorf("the owner ended before the command did: %w", err)
		}
		if f.Exit != nil {
			return *f.Exit, nil
		}
		if _, err := out.Write(f.Out); err != nil {
			return 1, err
		}
		if _, err := errOut.Write(f.Err); err != nil {
			return 1, err
		}
	}
}

// reason is why an owner does not do what it is asked for.
func reason(res *http.Response) string {
	said, err := io.ReadAll(io.LimitReader(res.Body, maxReason))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(said))
}

// Refused says that the owner will not serve a stream, and why.
type Refused struct{ Reason string }

// Error is the owner's reason.
func (r *Refused) Error() string { return r.Reason }

// Stream connects to the owner of dir and asks it to serve the connection. The
// error is a [Refused] when the owner answered and declined.
func Stream(ctx context.Context, dir string, args []string) (io.ReadWriteCloser, error) {
	n, err := read(dir)
	if err != nil {
		return nil, fmt.Errorf("reach the owner of %s: %w", dir, err)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", n.Socket)
	if err != nil {
		return nil, fmt.Errorf("reach the owner of %s (process %d): %w", dir, n.PID, err)
	}
	reader, err := upgrade(ctx, conn, args)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return stream{reader, conn}, nil
}

func upgrade(ctx context.Context, conn net.Conn, args []string) (*bufio.Reader, error) {
	body, err := json.Marshal(request{Args: args})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://owner/stream", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	res, err := http.ReadResponse(reader, req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusServiceUnavailable {
		return nil, &Away{errors.New(reason(res))}
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return nil, &Refused{Reason: reason(res)}
	}
	return reader, nil
}

// maxReason is how much of a refusal is read, in bytes.
const maxReason = 4 << 10

type stream struct {
	*bufio.Reader
	net.Conn
}

// CloseWrite tells the owner that nothing more will come.
func (s stream) CloseWrite() error {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return s.Close()
}

func (s stream) Read(p []byte) (int, error)  { return s.Reader.Read(p) }
func (s stream) Write(p []byte) (int, error) { return s.Conn.Write(p) }

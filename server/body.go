package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// What reading bodies costs at most, whatever clients send.
const (
	bodyStep   = 64 << 10        // bytes asked for at once; each step has a deadline
	bodyStall  = 4 * time.Second // to send a step: with the time for headers under 10 s
	namePrefix = 64 << 10        // bytes in which the name of a tool is looked for
	smallBody  = 4 << 10         // what nearly every message fits in
	keptBytes  = 1<<20 + bodyStep
	keptBodies = 4
)

// body is a request body in a buffer that is used again.
type body struct{ bytes []byte }

// bodies keeps a few buffers, so that reading one body after the other makes
// no garbage. Large ones are left to the collector.
type bodies chan *body

func (b bodies) take() *body {
	select {
	case kept := <-b:
		return kept
	default:
		return &body{}
	}
}

// put takes a buffer back; nobody may read what was in it any more.
func (b bodies) put(used *body) {
	if cap(used.bytes) > keptBytes {
		return
	}
	used.bytes = used.bytes[:0]
	select {
	case b <- used:
	default:
	}
}

// readBody reads a request body within its cap. Every step of it has a
// deadline and every MiB another, so that neither size nor patience of a
// client costs much. A declared length over every cap is refused unread. The
// deadline of a body that was refused stands: net/http goes on reading it for
// a while, and must not do so for ever.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, into *body) *refusal {
	limit, largest := s.bodyCap(r.Header.Get("Mcp-Name")), s.largestBody()
	if r.ContentLength > largest {
		return tooLarge()
	}
	conn := http.NewResponseController(w)
	stall := min(bodyStall, s.cfg.BodyTimeout)
	var due time.Time // of the MiB being read
	for mebibytes := 0; ; {
		now := s.cfg.Now()
		if len(into.bytes)>>20 >= mebibytes {
			mebibytes, due = mebibytes+1, now.Add(s.cfg.BodyTimeout)
		}
		_ = conn.SetReadDeadline(earlier(now.Add(stall), due)) // a recorder in a test has none
		end, err := into.step(r.Body)
		switch {
		case err != nil:
			return refuse(http.StatusRequestTimeout, "slow", "input.slow", "The body did not arrive in time, or not whole.", "Send it again.")
		case int64(len(into.bytes)) > limit && limit < largest:
			if limit = s.bodyCap(toolOf(into.bytes)); int64(len(into.bytes)) > limit {
				return tooLarge()
			}
		case int64(len(into.bytes)) > limit:
			return tooLarge()
		}
		if end {
			_ = conn.SetReadDeadline(time.Time{}) // the answer may take its time
			return nil
		}
	}
}

// step reads one step, or what is left, and tells whether that was the end.
func (b *body) step(r io.Reader) (end bool, err error) {
	b.makeRoom()
	room := b.bytes[len(b.bytes):min(cap(b.bytes), len(b.bytes)+bodyStep)]
	n := 0
	for n < len(room) && err == nil {
		var got int
		got, err = r.Read(room[n:])
		n += got
	}
	b.bytes = b.bytes[:len(b.bytes)+n]
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}

// makeRoom grows a full buffer to the next of few sizes: what has come, not
// what was announced, decides what a body costs.
func (b *body) makeRoom() {
	size := cap(b.bytes)
	switch {
	case len(b.bytes) < size:
		return
	case size == 0:
		size = smallBody
	case size == smallBody:
		size = bodyStep
	case size == bodyStep:
		size = keptBytes
	default:
		size *= 2
	}
	b.bytes = append(make([]byte, 0, size), b.bytes...)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// toolOf finds the tool in the beginning of a message that is still being
// read; "" when its name comes later. Clients send the name first, and those
// of 2026-07-28 also as a header.
func toolOf(begin []byte) string {
	dec := json.NewDecoder(bytes.NewReader(begin[:min(len(begin), namePrefix)]))
	depth, params, key := 0, false, ""
	for depth <= maxDepth {
		token, err := dec.Token()
		if err != nil {
			return ""
		}
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
				params = params || depth == 2 && key == "params"
			} else {
				depth--
				params = params && depth >= 2
			}
			key = ""
		case string:
			switch {
			case key == "":
				key = t
				continue
			case params && depth == 2 && key == "name":
				return t
			}
			key = ""
		default:
			key = ""
		}
	}
	return ""
}

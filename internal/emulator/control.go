package emulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"confluence-mcp/internal/emulator/oauth"
	"confluence-mcp/internal/emulator/wire"
)

// controlPrefix is the switch board: no credentials, not journalled, not
// reachable through the gateway.
const controlPrefix = "/__emulator/"

func (e *Emulator) control(h *host, w http.ResponseWriter, r *http.Request) {
	_, name, _ := strings.Cut(r.URL.Path, controlPrefix)
	switch r.Method + " " + name {
	case "POST apply":
		n, err := e.apply(h, r.Body)
		if err != nil {
			wire.JSON(w, http.StatusBadRequest, map[string]any{"applied": n, "error": err.Error()})
			return
		}
		wire.JSON(w, http.StatusOK, map[string]any{"applied": n})
	case "GET requests":
		since, err := strconv.Atoi(r.URL.Query().Get("since"))
		if err != nil && r.URL.Query().Has("since") {
			wire.JSON(w, http.StatusBadRequest, map[string]any{"error": "since must be a number"})
			return
		}
		wire.JSON(w, http.StatusOK, map[string]any{"requests": e.requestsAt(h, since)})
	default:
		wire.JSON(w, http.StatusNotFound, map[string]any{"error": "there are POST apply and GET requests?since=N"})
	}
}

// requestsAt lists the journal: all of it on the main listener, else what
// concerned the listener's own site.
func (e *Emulator) requestsAt(h *host, since int) []Request {
	id := h.site.CloudID()
	return e.journal.since(since, func(r *Request) bool { return h.main() || r.Site == id })
}

// apply takes JSON lines one after the other and stops at the first bad one;
// the lines before it stay applied, and their number is the answer.
func (e *Emulator) apply(h *host, lines io.Reader) (int, error) {
	dec := json.NewDecoder(lines)
	for n := 0; ; n++ {
		var raw json.RawMessage
		err := dec.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err == nil {
			err = e.applyLine(h, raw)
		}
		if err != nil {
			return n, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
}

func (e *Emulator) applyLine(h *host, raw []byte) error {
	var head struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return err
	}
	switch head.Kind {
	case "fault":
		return with(raw, func(l faultLine) error { return e.faults.add(h, l) })
	case "clock":
		return with(raw, e.applyClock)
	case "oauth":
		return with(raw, func(l oauthLine) error { e.oauth.Apply(l.Settings); return nil })
	case "cql_lag":
		return with(raw, func(l lagLine) error {
			h.site.SetSearchLag(time.Duration(l.Seconds * float64(time.Second)))
			return nil
		})
	case "token":
		return with(raw, func(l tokenLine) error { h.addToken(l); return nil })
	case "rate_limit":
		return with(raw, func(l rateLine) error { h.limit.set(l); return nil })
	case "legacy_v1":
		return with(raw, func(l legacyLine) error { h.gone.Store(int64(l.Status)); return nil })
	}
	return h.site.Apply(raw)
}

// with decodes a line strictly and runs apply on it.
func with[T any](raw []byte, apply func(T) error) error {
	var line T
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&line); err != nil {
		return err
	}
	return apply(line)
}

type clockLine struct {
	Kind    string `json:"kind"`
	Advance string `json:"advance"` // a Go duration, also a negative one
}

type oauthLine struct {
	Kind string `json:"kind"`
	oauth.Settings
}

type lagLine struct {
	Kind    string  `json:"kind"`
	Seconds float64 `json:"seconds"`
}

// legacyLine is {"kind":"legacy_v1","status":404}: operations that left the
// published document answer with that status; 0 brings them back.
type legacyLine struct {
	Kind   string `json:"kind"`
	Status int    `json:"status"`
}

func (e *Emulator) applyClock(l clockLine) error {
	d, err := time.ParseDuration(l.Advance)
	if err != nil {
		return fmt.Errorf("clock: %w", err)
	}
	e.clock.advance(d)
	return nil
}

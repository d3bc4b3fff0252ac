package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/server"
	"confluence-mcp/store"
)

// anchorTrailer follows the lines of an export: the anchor of the last.
const anchorTrailer = "X-Audit-Anchor"

// auditAPI is /api/audit, for administrators: what audit list, verify and
// export give on the command line.
type auditAPI struct{ *approvalAPI }

// routes are the handlers by pattern of http.ServeMux.
func (api auditAPI) routes() map[string]http.Handler {
	return map[string]http.Handler{
		"GET /api/audit":        api.answer(admins(api.list)),
		"GET /api/audit/verify": api.answer(admins(api.verify)),
		"GET /api/audit/export": api.guarded(api.export),
	}
}

// admins refuses agents without the right.
func admins(h func(*http.Request, server.Agent) (any, error)) func(*http.Request, server.Agent) (any, error) {
	return func(r *http.Request, a server.Agent) (any, error) {
		if !a.Admin {
			return nil, noAdmin()
		}
		return h(r, a)
	}
}

func noAdmin() error {
	return &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Message: "This needs an agent with admin rights.", Next: "Use the key of one."}
}

// knownQuery refuses parameters nobody reads: a mistyped filter would give more
// than was asked for.
func knownQuery(r *http.Request, known ...string) error {
	for name, values := range r.URL.Query() {
		if !strings.Contains(" "+strings.Join(known, " ")+" ", " "+name+" ") || len(values) > 1 && name != "anchor" {
			return badQuery(fmt.Sprintf("the parameter %q is unknown or given twice", name), "known are "+strings.Join(known, ", "))
		}
	}
	return nil
}

func badQuery(what, next string) error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.query", Op: "audit", Message: what + ".", Next: next + "."}
}

func (api auditAPI) list(r *http.Request, _ server.Agent) (any, error) {
	if err := knownQuery(r, "since", "until", "tool", "agent", "principal", "effect", "resource", "space", "trace", "writes", "limit"); err != nil {
		return nil, err
	}
	q := r.URL.Query()
	f := store.AuditFilter{Tool: q.Get("tool"), Agent: q.Get("agent"), Principal: q.Get("principal"), Effect: q.Get("effect"),
		Resource: q.Get("resource"), Space: q.Get("space"), Trace: q.Get("trace"), Writes: q.Get("writes") == "true", Limit: 50}
	if l := q.Get("limit"); l != "" {
		f.Limit, _ = strconv.Atoi(l) // what is no number is refused as 0
	}
	if err := (program{now: api.now}).fillFilter(&f, q.Get("since"), q.Get("until")); err != nil {
		return nil, badQuery(strings.TrimPrefix(err.Error(), "--"), "Send for example since=24h, effect=deny, writes=true, limit=100")
	}
	found, err := api.e.precious.Audit(r.Context(), f)
	if err != nil {
		return nil, err
	}
	out := make([]auditAnswer, len(found))
	for i, one := range found {
		out[i] = answerRecorded(one)
	}
	return map[string]any{"entries": out}, nil
}

// verify answers 200 either way: that the log is broken is an answer.
func (api auditAPI) verify(r *http.Request, _ server.Agent) (any, error) {
	if err := knownQuery(r, "anchor"); err != nil {
		return nil, err
	}
	anchors, err := parseAnchors(r.URL.Query()["anchor"])
	if err != nil {
		return nil, badQuery(strings.TrimPrefix(err.Error(), "--"), "Send anchor=NUMBER:HASH as verify or export gave it")
	}
	head, err := api.e.precious.VerifyAudit(r.Context(), anchors)
	var broken *audit.Broken
	if errors.As(err, &broken) {
		return map[string]any{"ok": false, "line": broken.Seq, "reason": broken.Reason}, nil
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"ok": true, "lines": head.Seq, "anchor": head.String()}, nil
}

// export streams the lines as they are kept. The trailer is missing when the
// log could not be read to its end.
func (api auditAPI) export(w http.ResponseWriter, r *http.Request, a server.Agent) error {
	if !a.Admin {
		return noAdmin()
	}
	if err := knownQuery(r, "after"); err != nil {
		return err
	}
	after := int64(0)
	if text := r.URL.Query().Get("after"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return badQuery("after is not the number of a line", "Send for example after=1400")
		}
		after = n
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Trailer", anchorTrailer)
	out := bufio.NewWriter(w)
	var last audit.Head
	err := api.e.precious.AuditLines(r.Context(), after, func(seq int64, line string) error {
		l, _, _ := audit.Parse(line) // verify says what is wrong with a line
		last = audit.Head{Seq: seq, Hash: l.Hash}
		_, err := io.WriteString(out, line+"\n")
		return err
	})
	if err := errors.Join(err, out.Flush()); err != nil {
		api.e.logger.ErrorContext(r.Context(), "the audit log was not exported whole", "err", err)
		return nil // the answer has begun
	}
	w.Header().Set(anchorTrailer, last.String())
	return nil
}

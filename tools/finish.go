package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
)

// finishTimeout bounds the completion of a record after the call itself ended,
// even when it ended by running out of time.
const finishTimeout = 5 * time.Second

const panicCode = "internal.panic"

// finish completes the record and shapes the answer. It also records what was
// refused before it came to a record.
func (k *call) finish(ctx context.Context, out answer, err error) Result {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	if !k.recorded {
		_ = k.begin(ctx) // logged there; a refusal stays a refusal
	}
	result := k.shape(out, err)
	if !k.recorded {
		return result
	}
	done := audit.Outcome{Result: audit.OK, Version: out.version, Bytes: len(result.Text), Duration: k.catalog.cfg.Now().Sub(k.started)}
	done.UpstreamRequests, done.UpstreamStatus, done.UpstreamIDs = k.trail.Seen()
	if err != nil {
		e := public(err)
		done.Result, done.ErrorCode = audit.Failed, e.StableCode()
		if !k.ran {
			done.Result = audit.NotExecuted
		}
	}
	if ferr := k.catalog.cfg.Log.Finish(ctx, k.entry, done); ferr != nil {
		k.catalog.cfg.Logger.ErrorContext(ctx, "call not completed in the record", "tool", k.tool.Name, "entry", k.entry, "err", ferr)
	}
	return result
}

// shape encodes the structured part and caps the text.
func (k *call) shape(out answer, err error) Result {
	if err != nil {
		k.logFailure(err)
		return Failure(err)
	}
	structured, encErr := encode(out.structured)
	if encErr != nil {
		return Failure(fmt.Errorf("encode answer: %w", encErr))
	}
	most := k.catalog.cfg.Limits.ResultBytes
	if len(structured) > 2*most {
		return Failure(&confluence.Error{Kind: confluence.Limited, Code: "limit.too_large",
			Message: "The answer is larger than this server gives out.", Next: "Ask for less: a smaller limit or max_chars."})
	}
	text := out.text
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "\n[cut: the answer is longer than this server gives out; ask for less]"
	}
	return Result{Text: text, Structured: structured}
}

// logFailure keeps the cause of what a caller is told nothing about.
func (k *call) logFailure(err error) {
	var e *confluence.Error
	if errors.As(err, &e) && e.Kind != confluence.Internal {
		return
	}
	k.catalog.cfg.Logger.Error("call failed", "tool", k.tool.Name, "caller", k.caller.Principal(), "err", err)
}

// panicked turns a panic into an error that shows nothing but a reference. The
// log learns where it happened, and not what it said, which may hold anything.
func (k *call) panicked(cause any) error {
	ref := "none"
	if id, err := k.catalog.newNonce(); err == nil {
		ref = id[:12]
	}
	k.catalog.cfg.Logger.Error("handler panicked", "tool", k.tool.Name, "caller", k.caller.Principal(), "ref", ref,
		"type", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
	return &confluence.Error{Kind: confluence.Internal, Code: panicCode, Ref: ref}
}

// encode is v as compact JSON that keeps <, > and & readable.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

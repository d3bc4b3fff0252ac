package tools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
)

// Changes remembers the writes that were made here, with what undoing them
// needs.
type Changes interface {
	NoteChange(ctx context.Context, c audit.Change) error
	// Change finds one of the principal's own, ChangeThatMade the one that made
	// a version; MarkUndone has it undone once.
	Change(ctx context.Context, principal, site, id string) (c audit.Change, ok bool, err error)
	ChangeThatMade(ctx context.Context, v audit.Version) (c audit.Change, ok bool, err error)
	MarkUndone(ctx context.Context, id string, at time.Time) error
}

// journal is Changes in memory, for a catalogue that has nothing better.
type journal struct {
	mu      sync.Mutex
	changes map[string]audit.Change
}

// maxChanges bounds the memory of a [journal].
const maxChanges = 20_000

func newJournal() *journal { return &journal{changes: map[string]audit.Change{}} }

func (j *journal) NoteChange(_ context.Context, c audit.Change) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.changes) >= maxChanges {
		clear(j.changes)
	}
	j.changes[c.ID] = c
	return nil
}

func (j *journal) Change(_ context.Context, principal, site, id string) (audit.Change, bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c, ok := j.changes[id]
	if !ok || c.Principal != principal || c.Site != site {
		return audit.Change{}, false, nil
	}
	return c, true, nil
}

func (j *journal) ChangeThatMade(_ context.Context, v audit.Version) (audit.Change, bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var last audit.Change
	ok := false
	for _, c := range j.changes {
		if v == (audit.Version{Principal: c.Principal, Site: c.Site, Tool: c.Tool, On: c.On, Number: c.Version}) && !c.Time.Before(last.Time) {
			last, ok = c, true
		}
	}
	return last, ok, nil
}

func (j *journal) MarkUndone(_ context.Context, id string, at time.Time) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if c, ok := j.changes[id]; ok && c.Undone.IsZero() {
		c.Undone = at
		j.changes[id] = c
	}
	return nil
}

// undoVersion goes back to what was there before the caller's own last change.
func (k *call) undoVersion(ctx context.Context, in updatePageIn, now confluence.Page, u *confluence.PageUpdate, out *plan) error {
	c, ok, err := k.catalog.cfg.Changes.ChangeThatMade(ctx, audit.Version{Principal: k.caller.Principal(), Site: k.info.ID, Tool: k.tool.Name,
		On: u.Type + " " + now.ID, Number: now.Version.Number})
	if err != nil {
		return fmt.Errorf("undo: %w", err)
	}
	var was inverse
	if ok {
		if err := json.Unmarshal(c.Undo, &was); err != nil {
			return fmt.Errorf("read the change: %w", err)
		}
	}
	if !ok || !was.left(now.Version) {
		return nothingToUndo("The current version was not made by your last change here, so there is nothing of yours to undo.")
	}
	out.summary = fmt.Sprintf("undo version %d of page %s", c.Version, now.ID)
	if err := k.oldVersion(ctx, in, was.Before, now, u, out); err != nil {
		return err
	}
	if bodySum(u.Body) != was.SHA256 {
		return nothingToUndo(fmt.Sprintf("Version %d is no longer what it was when you changed the page: its history was changed since.", was.Before))
	}
	return nil
}

func nothingToUndo(message string) error {
	return &confluence.Error{Kind: confluence.Conflict, Code: "conflict.undo", Message: message,
		Next: "Use restore_version with a number from confluence_get_page_history."}
}

func bodySum(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

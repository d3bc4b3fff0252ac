package tools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
)

// Deeds remembers per principal, site and page the last change that was made
// here, so that it can be undone while nobody else edited since.
type Deeds interface {
	NoteDeed(ctx context.Context, d audit.Deed) error
	LastDeed(ctx context.Context, principal, site, pageID string) (d audit.Deed, ok bool, err error)
}

// journal is Deeds in memory, for a catalogue that has nothing better.
type journal struct {
	mu sync.Mutex
	of map[[3]string]audit.Deed
}

// maxDeeds bounds the memory of a [journal].
const maxDeeds = 20_000

func newJournal() *journal { return &journal{of: map[[3]string]audit.Deed{}} }

func (j *journal) NoteDeed(_ context.Context, d audit.Deed) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.of) >= maxDeeds {
		clear(j.of)
	}
	j.of[[3]string{d.Principal, d.Site, d.PageID}] = d
	return nil
}

func (j *journal) LastDeed(_ context.Context, principal, site, pageID string) (audit.Deed, bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	d, ok := j.of[[3]string{principal, site, pageID}]
	return d, ok, nil
}

// note remembers a change that was made. It never fails the change: without
// the note there is no undo, and the history of the page serves instead.
func (k *call) note(ctx context.Context, was confluence.Page, made int) {
	d := audit.Deed{Principal: k.caller.Principal(), Site: k.info.ID, PageID: was.ID, Before: was.Version.Number, Made: made,
		BaseSHA256: bodySum(was.Body), Time: k.started}
	if err := k.catalog.cfg.Deeds.NoteDeed(context.WithoutCancel(ctx), d); err != nil {
		k.catalog.cfg.Logger.WarnContext(ctx, "change cannot be undone by undo", "page", was.ID, "err", err)
	}
}

// undoVersion goes back to what was there before the caller's own last change.
func (k *call) undoVersion(ctx context.Context, in updatePageIn, now confluence.Page, u *confluence.PageUpdate, out *plan) error {
	d, ok, err := k.catalog.cfg.Deeds.LastDeed(ctx, k.caller.Principal(), k.info.ID, now.ID)
	if err != nil {
		return fmt.Errorf("undo: %w", err)
	}
	if !ok || d.Made != now.Version.Number {
		return nothingToUndo("The current version was not made by your last change here, so there is nothing of yours to undo.")
	}
	out.summary = fmt.Sprintf("undo version %d of page %s", d.Made, now.ID)
	if err := k.oldVersion(ctx, in, d.Before, now, u, out); err != nil {
		return err
	}
	if bodySum(u.Body) != d.BaseSHA256 {
		return nothingToUndo(fmt.Sprintf("Version %d is no longer what it was when you changed the page: its history was changed since.", d.Before))
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

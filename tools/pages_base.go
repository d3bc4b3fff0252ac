package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/markup"
)

// carries reports whether a change can be carried over to a page that moved on:
// what it does is known block by block.
func (in updatePageIn) carries() bool { return in.Edits != nil || in.Body != nil }

// moved is the conflict of a stale base version.
func moved(id string, base, current int) error {
	next := fmt.Sprintf("Look at what changed with confluence_get_page_diff (from_version %d), then repeat the change with base_version %d.", base, current)
	if base > current {
		next = fmt.Sprintf("There is no version %d yet. Read the page with confluence_get_page, then make the change with base_version %d.", base, current)
	}
	return &confluence.Error{Kind: confluence.Conflict, Op: "update page", Ref: id, Next: next,
		Message: fmt.Sprintf("Page %s is at version %d, not at %d.", id, current, base)}
}

// baseOf is the page as the caller read it: now, or the version it names when
// the page moved on since and the change can be carried over.
func (k *call) baseOf(ctx context.Context, in updatePageIn, now confluence.Page) (confluence.Page, error) {
	stale := moved(now.ID, in.BaseVersion, now.Version.Number)
	switch {
	case in.BaseVersion == now.Version.Number:
		return now, nil
	case in.BaseVersion > now.Version.Number || !in.carries():
		return confluence.Page{}, stale
	}
	base, err := k.site.Page(ctx, now.ID, confluence.PageOptions{Format: confluence.Storage, Version: in.BaseVersion})
	switch {
	case err != nil && confluence.KindOf(err) == confluence.NotFound:
		return confluence.Page{}, stale
	case err != nil:
		return confluence.Page{}, err
	case in.Title != "" && base.Title != now.Title && in.Title != now.Title:
		return confluence.Page{}, stale // renamed on both sides
	}
	return base, nil
}

// changeBody works out the new body and what kind of change it is.
func (k *call) changeBody(ctx context.Context, in updatePageIn, base, now confluence.Page, u *confluence.PageUpdate, out *plan) error {
	switch {
	case in.carries():
		k.meetNamed(ctx, base.Body, in.Edits)
		if n := len(in.Edits); n > 1 {
			out.summary = fmt.Sprintf("change page %s by %d edits", now.ID, n)
		}
		return k.edited(in, base, now, u, out)
	case in.RestoreVersion > 0:
		out.summary = fmt.Sprintf("restore version %d of page %s", in.RestoreVersion, now.ID)
		return k.oldVersion(ctx, in, in.RestoreVersion, now, u, out)
	case in.Undo:
		return k.undoVersion(ctx, in, now, u, out)
	}
	u.Body, out.summary = now.Body, "rename page "+now.ID
	return nil
}

// edited makes the change on the base and carries it over to the page of now.
func (k *call) edited(in updatePageIn, base, now confluence.Page, u *confluence.PageUpdate, out *plan) error {
	var r markup.Result
	var err error
	if in.Body != nil {
		r, err = k.writeMarkdown(base.Body, *in.Body, now.SpaceKey, in.AllowLoss)
	} else {
		r, err = k.applyEdits(base.Body, in.Edits, now.SpaceKey, in.AllowLoss)
	}
	if err != nil {
		return err
	}
	if u.Body, err = rebased(base.Body, r.Storage, now); err != nil {
		return err
	}
	if base.Version.Number != now.Version.Number {
		out.notes = append(out.notes, fmt.Sprintf("The page moved on from version %d to %d meanwhile; the change was carried over.", base.Version.Number, now.Version.Number))
	}
	out.tell(r)
	return forbiddenAdded(now.Body, u.Body)
}

// rebased is what a change from base to edited makes of the page of now. Only
// a block that both sides changed is a conflict.
func rebased(base, edited string, now confluence.Page) (string, error) {
	if base == now.Body {
		return edited, nil
	}
	merged, err := markup.Rebase(base, edited, now.Body)
	if err != nil {
		return "", carriedError(err, now)
	}
	if more := beyond(markup.Losses(now.Body, merged), markup.Losses(base, edited)); len(more) > 0 {
		return "", carriedError(&markup.Error{Code: "markup.conflict", Message: "the change would take away what was added meanwhile", Candidates: more}, now)
	}
	return merged, nil
}

// beyond lists losses that were not in the change as it was made.
func beyond(losses, known []markup.Loss) []string {
	var out []string
	for _, l := range losses {
		covered := false
		for _, was := range known {
			covered = covered || was.Kind == l.Kind && was.Name == l.Name && was.Count >= l.Count
		}
		if !covered {
			out = append(out, l.String())
		}
	}
	return out
}

// carriedError is an error of carrying over, with the version to go on from.
func carriedError(err error, now confluence.Page) error {
	var e *confluence.Error
	if err = markupError(err); errors.As(err, &e) && e.Kind == confluence.Conflict {
		e.Op, e.Ref = "update page", now.ID
		e.Next = fmt.Sprintf("Nothing was changed. Read page %s again (it is at version %d now) and repeat the change with that base_version.", now.ID, now.Version.Number)
	}
	return err
}

// maxSaves is how often a write is carried over when others keep saving.
const maxSaves = 4

// save writes the planned page onto what Confluence holds at this moment: an
// inline comment changes the body without a new version, and somebody may have
// saved since the plan was made. An approved change goes onto the version it
// was approved for, or not at all. was is what it went over.
func (k *call) save(ctx context.Context, in updatePageIn, now confluence.Page, u confluence.PageUpdate) (made receipt, was confluence.Page, err error) {
	for try := 1; ; try++ {
		fresh, err := k.site.Page(ctx, u.ID, confluence.PageOptions{Format: confluence.Storage})
		if err != nil {
			return receipt{}, fresh, err
		}
		next, err := k.onto(in, now, fresh, u)
		if err != nil {
			return receipt{}, fresh, err
		}
		p, err := k.site.UpdatePage(ctx, next)
		if err == nil {
			r := pageReceipt(p)
			r.SpaceKey, r.URL = cmp.Or(r.SpaceKey, now.SpaceKey), cmp.Or(r.URL, now.WebURL)
			return r, fresh, nil
		}
		if !outrun(err) || !in.carries() || k.approved != nil || try == maxSaves {
			return receipt{}, fresh, err
		}
	}
}

// outrun reports whether a write failed because somebody else saved first. A
// conflict with a code of its own is another matter.
func outrun(err error) bool {
	var e *confluence.Error
	return errors.As(err, &e) && e.Kind == confluence.Conflict && e.Code == ""
}

// onto is the update u, planned on now, for the page as it is at this moment.
func (k *call) onto(in updatePageIn, now, fresh confluence.Page, u confluence.PageUpdate) (confluence.PageUpdate, error) {
	if fresh.Status != "" && fresh.Status != confluence.StatusCurrent {
		return u, k.forbidStatus(fresh.Status)
	}
	if fresh.Version.Number != now.Version.Number {
		renamed := in.Title != "" && fresh.Title != now.Title && fresh.Title != in.Title
		if !in.carries() || k.approved != nil || renamed {
			return u, moved(now.ID, in.BaseVersion, fresh.Version.Number)
		}
		u.Title = cmp.Or(in.Title, fresh.Title)
	}
	u.Version = fresh.Version.Number + 1
	var err error
	u.Body, err = rebased(now.Body, u.Body, fresh)
	return u, err
}

// oldVersion takes title and body of an earlier version. That everything added
// since goes is what was asked for; open comments on the text stay unless
// allow_loss names them.
func (k *call) oldVersion(ctx context.Context, in updatePageIn, version int, now confluence.Page, u *confluence.PageUpdate, out *plan) error {
	if version >= now.Version.Number {
		return invalid("version", fmt.Sprintf("Version %d is not older than the current version %d.", version, now.Version.Number), "Send a number from confluence_get_page_history.")
	}
	old, err := k.site.Page(ctx, now.ID, confluence.PageOptions{Format: confluence.Storage, Version: version})
	if err != nil {
		return err
	}
	u.Body, u.Title = old.Body, cmp.Or(old.Title, u.Title)
	u.Message = cmp.Or(u.Message, fmt.Sprintf("Restored from version %d", version))
	losses := markup.Losses(now.Body, old.Body)
	if err := keepComments(losses, in.AllowLoss); err != nil {
		return err
	}
	out.tell(markup.Result{Losses: losses})
	return forbiddenAdded(now.Body, old.Body)
}

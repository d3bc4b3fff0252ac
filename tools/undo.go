package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
)

// undoTool is the one tool whose group and action depend on what it is asked
// for: the gate takes the call on as the write that puts back what the change
// did (see [call.become]), so rules, approvals, budgets and the record see that
// write.
func undoTool() *tool {
	t := write(spec{name: "undo", title: "Undo a change", group: policy.Pages, action: policy.Update,
		about: "Undo one of your own changes, by the change_id its answer gave, while nobody changed the same thing since. What Confluence cannot put back is refused with the reason."},
		nothing[undoIn], func(context.Context, *call, undoIn) (*plan, error) {
			return nil, noChange("") // become puts another tool in its place
		})
	t.reverts = true
	return t
}

type undoIn struct {
	ChangeID string `json:"change_id" is:"user,min=1,max=64" next:"Take change_id from the answer of the write."`
	DryRun   bool   `json:"dry_run,omitempty"`
}

// inverse is what undoing a write needs, as the journal keeps it.
type inverse struct {
	Final   string `json:"final,omitempty"` // why it cannot be undone; everything else is empty then
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`    // of a label, a file, the key of a space
	Version int    `json:"version,omitempty"` // as the write left it: anything later is somebody's edit
	Before  int    `json:"before,omitempty"`  // version to go back to
	SHA256  string `json:"sha256,omitempty"`  // of the stored body of version Before
	By      string `json:"by,omitempty"`      // account that saved version Version of a page, as Confluence told it
	Below   string `json:"below,omitempty"`   // a move: what it was put under
	Parent  string `json:"parent,omitempty"`  // a move: what it stood under
	Target  string `json:"target,omitempty"`  // a move: the page it stood beside, or the parent
	Where   string `json:"where,omitempty"`
	New     bool   `json:"new,omitempty"` // a file that was not there before

	Saved time.Time `json:"saved,omitzero"` // when it was saved, as Confluence told it

	Body     *string        `json:"body,omitempty"` // of a comment, as it was
	Resolved *bool          `json:"resolved,omitempty"`
	Was      *updateSpaceIn `json:"was,omitempty"` // of a space
	Made     *updateSpaceIn `json:"made,omitempty"`
}

// oneMoment is how far apart two answers may tell the time of one version.
const oneMoment = 10 * time.Second

// left reports whether a version of a page is the one the write left. Its number
// alone does not tell: later ones move down when one of the history is deleted.
func (v inverse) left(now confluence.Version) bool {
	return now.Number == v.Version && (v.By == "" || now.AuthorID == "" || now.AuthorID == v.By) &&
		(v.Saved.IsZero() || now.CreatedAt.IsZero() || now.CreatedAt.Sub(v.Saved).Abs() <= oneMoment)
}

// keepUndo writes down how a change that was just made can be undone. It never
// fails the change.
func (k *call) keepUndo(ctx context.Context, r *receipt) {
	if k.plan.inverse == nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	inv := k.plan.inverse(ctx, *r)
	raw, err := json.Marshal(inv)
	id := ""
	if err == nil {
		id, err = k.catalog.newNonce()
	}
	if err == nil {
		err = k.catalog.cfg.Changes.NoteChange(ctx, audit.Change{ID: id, Principal: k.caller.Principal(), Site: k.info.ID, Tool: k.tool.Name,
			On: r.Type + " " + cmp.Or(r.ID, r.SpaceKey), Version: r.Version, Undo: raw, Time: k.started})
	}
	if err != nil {
		k.catalog.cfg.Logger.WarnContext(ctx, "change is not in the undo journal", "tool", k.tool.Name, "id", r.ID, "err", err)
		return
	}
	r.ChangeID = id
}

// become takes an undo on as the write that puts the change back.
func (k *call) become(ctx context.Context) error {
	in, ok := k.in.(undoIn)
	if !ok || k.undoing != nil {
		return nil
	}
	c, found, err := k.catalog.cfg.Changes.Change(ctx, k.caller.Principal(), k.info.ID, in.ChangeID)
	switch {
	case err != nil:
		return fmt.Errorf("find the change: %w", err)
	case !found:
		return noChange(in.ChangeID)
	case !c.Undone.IsZero() && !k.looking:
		return undoneAlready(c)
	}
	if err := json.Unmarshal(c.Undo, &k.inverse); err != nil {
		return fmt.Errorf("read the change: %w", err)
	}
	if k.inverse.Final != "" {
		return notUndone(k.inverse.Final)
	}
	t, back := k.catalog.wayBack(c.Tool, k.inverse)
	if t == nil {
		return notUndone("This kind of change cannot be undone.")
	}
	if !k.catalog.allows(k.caller, t) {
		return &confluence.Error{Kind: confluence.Denied, Code: "policy.denied", Message: "The profile " + line(k.caller.Profile) + " does not allow what undoing this change takes: " + string(t.Action) + " in " + string(t.Group) + "."}
	}
	if m, ok := back.(movePageIn); ok {
		back = k.stillBeside(ctx, m)
	}
	k.tool, k.in, k.undoing = t, back, &c
	return nil
}

// stillBeside is a move back beside the old neighbour, where that is still
// there, else under the old parent.
func (k *call) stillBeside(ctx context.Context, in movePageIn) movePageIn {
	if in.Position != confluence.MoveAppend {
		p, err := k.site.Page(ctx, in.TargetID, confluence.PageOptions{})
		if err != nil || p.ParentID != k.inverse.Parent || p.Status != "" && p.Status != confluence.StatusCurrent {
			return movePageIn{PageID: in.PageID, TargetID: k.inverse.Parent, Position: confluence.MoveAppend}
		}
	}
	return in
}

// wayBack is the tool that undoes a change, and its arguments.
func (c *Catalog) wayBack(name string, v inverse) (*tool, any) {
	by := func(name string, in any) (*tool, any) { return c.byName[Prefix+name], in }
	switch name {
	case Prefix + "create_page":
		return by("delete_page", deletePageIn{PageID: v.ID})
	case Prefix + "update_page":
		return by("update_page", updatePageIn{PageID: v.ID, BaseVersion: v.Version, RestoreVersion: v.Before})
	case Prefix + "move_page":
		return by("move_page", movePageIn{PageID: v.ID, TargetID: v.Target, Position: v.Where})
	case Prefix + "delete_page":
		return restoreTool(), pageBackIn{PageID: v.ID}
	case Prefix + "add_label":
		return by("remove_label", labelIn{PageID: v.ID, Name: v.Name})
	case Prefix + "remove_label":
		return by("add_label", labelIn{PageID: v.ID, Name: v.Name})
	case Prefix + "add_comment":
		return by("delete_comment", deleteCommentIn{CommentID: v.ID})
	case Prefix + "update_comment":
		return commentBackTool(), commentBackIn{CommentID: v.ID}
	case Prefix + "upload_attachment":
		if v.New {
			return by("delete_attachment", deleteAttachmentIn{AttachmentID: v.ID})
		}
		return fileBackTool(), fileBackIn{AttachmentID: v.ID}
	case Prefix + "update_space":
		return by("update_space", *v.Was)
	}
	return nil, nil
}

// allows reports whether the caller's profile could allow him a tool, one that
// is in no list too.
func (c *Catalog) allows(who identity.Caller, t *tool) bool {
	return (t.Action == policy.Read || !who.ReadOnly) && c.cfg.Policy.Visible(who.Profile, t.Group, t.Action)
}

// asLeft refuses an undo when what was changed is not as the change left it.
// It is asked when the undo is planned and once more right before it is made.
func (k *call) asLeft(ctx context.Context) error {
	switch k.in.(type) {
	case deletePageIn, updatePageIn, movePageIn:
		return k.pageAsLeft(ctx)
	case labelIn: // a label is there or not; putting it back is the same whoever did it
		return nil
	case deleteCommentIn, commentBackIn:
		return k.commentAsLeft(ctx)
	case deleteAttachmentIn, fileBackIn:
		a, err := k.site.Attachment(ctx, attachmentID(k.inverse.ID))
		if err == nil && a.Version.Number != k.inverse.Version {
			err = edited("file", k.inverse.Version, a.Version.Number)
		}
		return err
	case pageBackIn:
		return k.inTrash(ctx)
	case updateSpaceIn:
		return k.spaceAsLeft(ctx)
	}
	return notUndone("This kind of change cannot be undone.")
}

func (k *call) pageAsLeft(ctx context.Context) error {
	p, err := k.site.Page(ctx, k.inverse.ID, confluence.PageOptions{})
	switch {
	case err != nil:
		return err
	case p.Status != "" && p.Status != confluence.StatusCurrent:
		return notUndone("The page is " + line(p.Status) + " now.")
	case p.Version.Number != k.inverse.Version:
		return edited("page", k.inverse.Version, p.Version.Number)
	case !k.inverse.left(p.Version):
		return notUndone(fmt.Sprintf("Version %d of the page is another one than your change made: its history was changed since.", p.Version.Number))
	}
	switch k.in.(type) {
	case movePageIn:
		if p.ParentID != k.inverse.Below {
			return notUndone("Somebody moved the page again since.")
		}
	case deletePageIn:
		return k.nothingHangsOn(ctx, p)
	}
	return nil
}

// nothingHangsOn refuses to take away a page that others have built on.
func (k *call) nothingHangsOn(ctx context.Context, p confluence.Page) error {
	kind, one := cmp.Or(p.Type, onPage), confluence.Paging{Limit: 1}
	if kind != confluence.TypeBlogPost {
		below, err := k.site.Children(ctx, p.ID, kind, one)
		if err != nil {
			return err
		}
		if len(below.Items) > 0 {
			return notUndone("There are pages below it now.")
		}
	}
	for _, of := range []string{confluence.CommentFooter, confluence.CommentInline} {
		said, err := k.site.Comments(ctx, p.ID, kind, of, one)
		if err != nil {
			return err
		}
		if len(said.Items) > 0 {
			return notUndone("There are comments on it now.")
		}
	}
	return k.noFilesOfOthers(ctx, p)
}

// noFilesOfOthers refuses to take away files that somebody else put on a page.
// Those it was made with are its author's.
func (k *call) noFilesOfOthers(ctx context.Context, p confluence.Page) error {
	for cursor := ""; ; {
		files, err := k.site.Attachments(ctx, p.ID, cmp.Or(p.Type, onPage), confluence.Paging{Cursor: cursor, Limit: 250})
		if err != nil {
			return err
		}
		for _, a := range files.Items {
			if a.Version.AuthorID != p.AuthorID {
				return notUndone("There are files of others on it now.")
			}
		}
		if cursor = files.Next; cursor == "" {
			return nil
		}
	}
}

func (k *call) commentAsLeft(ctx context.Context) error {
	c, err := k.site.Comment(ctx, k.inverse.ID)
	if err != nil {
		return err
	}
	if c.Version.Number != k.inverse.Version {
		return edited("comment", k.inverse.Version, c.Version.Number)
	}
	if _, deletes := k.in.(deleteCommentIn); !deletes {
		return nil
	}
	replies, err := k.site.Replies(ctx, c.ID, c.Kind, confluence.Paging{Limit: 1})
	if err == nil && len(replies.Items) > 0 {
		err = notUndone("It was answered since, and the answers would go with it.")
	}
	return err
}

// spaceAsLeft compares the fields the change set with what they are.
func (k *call) spaceAsLeft(ctx context.Context) error {
	s, err := k.findSpace(ctx, k.inverse.Name)
	if err != nil {
		return err
	}
	made := *s
	apply(&made.Name, k.inverse.Made.Name)
	apply(&made.Description, k.inverse.Made.Description)
	apply(&made.HomepageID, k.inverse.Made.HomepageID)
	if made != *s {
		return notUndone("Somebody changed the space again since.")
	}
	return nil
}

// guardUndo has the plan of an undo look again right before it is made.
func (k *call) guardUndo() error {
	if k.undoing == nil {
		return nil
	}
	if k.inverse.SHA256 != "" && bodySum(k.plan.is) != k.inverse.SHA256 {
		return notUndone(fmt.Sprintf("Version %d is no longer what it was when you changed the page: its history was changed since.", k.inverse.Before))
	}
	k.plan.summary = "undo: " + k.plan.summary
	commit := k.plan.commit
	k.plan.commit = func(ctx context.Context) (receipt, error) { return k.undoOnce(ctx, commit) }
	return nil
}

// undoOnce makes an undo that nobody else has made or is making, while what was
// changed is as the change left it.
func (k *call) undoOnce(ctx context.Context, commit func(context.Context) (receipt, error)) (receipt, error) {
	changes, id := k.catalog.cfg.Changes, k.undoing.ID
	if _, busy := k.catalog.undos.LoadOrStore(id, true); busy {
		return receipt{}, notUndone("This change is being undone at this moment.")
	}
	defer k.catalog.undos.Delete(id)
	switch c, _, err := changes.Change(ctx, k.caller.Principal(), k.info.ID, id); {
	case err != nil:
		return receipt{}, fmt.Errorf("find the change: %w", err)
	case !c.Undone.IsZero():
		return receipt{}, undoneAlready(c)
	}
	if err := k.asLeft(ctx); err != nil {
		return receipt{}, err
	}
	r, err := commit(ctx)
	if err != nil {
		return r, err
	}
	if err := changes.MarkUndone(context.WithoutCancel(ctx), id, k.started); err != nil {
		k.catalog.cfg.Logger.WarnContext(ctx, "change does not count as undone", "tool", k.tool.Name, "id", r.ID, "err", err)
	}
	return r, nil
}

func undoneAlready(c audit.Change) error {
	return notUndone("This change was undone already, on " + stamp(c.Undone) + ".")
}

func noChange(id string) error {
	return &confluence.Error{Kind: confluence.NotFound, Op: "find change", Ref: id, Message: "You made no change with this id on this site.",
		Next: "Take change_id from the answer of the write. Changes of more than 90 days ago are forgotten."}
}

func edited(what string, left, now int) error {
	return notUndone(fmt.Sprintf("Somebody changed the %s since: it is at version %d, and your change left it at %d.", what, now, left))
}

func notUndone(message string) error {
	return &confluence.Error{Kind: confluence.Conflict, Code: "conflict.undo", Message: message,
		Next: "Nothing was changed. Look at what is there now, and make a change of your own if it is still wanted."}
}

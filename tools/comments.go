package tools

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

func commentTools() []*tool {
	return []*tool{
		read(spec{name: "get_comments", title: "Read comments", group: policy.Pages, action: policy.Read,
			about: "Comments of a page as threads, footer comments first, then inline ones with the text they hang on."},
			func(in getCommentsIn) target { return target{kind: onPage, id: in.PageID} }, getComments),
		write(spec{name: "add_comment", title: "Comment", group: policy.Pages, action: policy.Create,
			about: "Comment on a page in Markdown, answer a comment (parent_id), or comment on a passage (inline_text: exact visible text that occurs once)."},
			func(in addCommentIn) target { return target{kind: onPage, id: in.PageID} }, addComment),
		write(spec{name: "update_comment", title: "Change a comment", group: policy.Pages, action: policy.Update, idempotent: true,
			about: "Change the text of a comment, or resolve or reopen an inline comment."},
			func(in updateCommentIn) target { return target{kind: onComment, id: in.CommentID} }, updateComment),
		write(spec{name: "delete_comment", title: "Delete a comment", group: policy.Pages, action: policy.Delete,
			about: "Delete a comment for good; comments have no trash."},
			func(in deleteCommentIn) target { return target{kind: onComment, id: in.CommentID} }, deleteComment),
	}
}

type getCommentsIn struct {
	PageID string `json:"page_id" is:"id"`
	Limit  int    `json:"limit,omitempty" is:"min=1,max=50"`

	goingOn
}

type commentRow struct {
	CommentID  string     `json:"comment_id"`
	Kind       string     `json:"kind"`
	AuthorID   string     `json:"author_id"` // of the last edit
	Author     string     `json:"author,omitempty"`
	Updated    string     `json:"updated"`
	Version    int        `json:"version"`
	Resolution string     `json:"resolution,omitempty"`
	On         string     `json:"on,omitempty"` // the text an inline comment hangs on
	Body       string     `json:"body"`
	Answers    []replyRow `json:"replies"`
	URL        string     `json:"url,omitempty"`

	stored  string
	guarded guarded
}

// replyRow is an answer in a thread; level counts from 1 below the root.
type replyRow struct {
	CommentID string `json:"comment_id"`
	Level     int    `json:"level"`
	AuthorID  string `json:"author_id"`
	Author    string `json:"author,omitempty"`
	Updated   string `json:"updated"`
	Version   int    `json:"version"`
	Body      string `json:"body"`

	stored string
}

type commentsOut struct {
	PageID     string       `json:"page_id"`
	Comments   []commentRow `json:"comments"`
	NextCursor string       `json:"next_cursor,omitempty"`
	Untrusted  untrusted    `json:"untrusted"`
}

// Bounds of a thread that is shown.
const (
	maxReplies    = 50
	maxReplyLevel = 5
)

func getComments(ctx context.Context, k *call, in getCommentsIn) (commentsOut, string, error) {
	if _, err := k.open(in.Cursor); err != nil {
		return commentsOut{}, "", err
	}
	kind, err := k.typeOf(ctx, in.PageID)
	if err != nil {
		return commentsOut{}, "", err
	}
	w, err := list(k, lister[commentRow]{
		cursor: in.Cursor, maxChars: in.MaxChars,
		fetch: func(upstream string) (confluence.List[commentRow], error) {
			rows, err := k.threads(ctx, in.PageID, kind, upstream, cmp.Or(in.Limit, 20))
			if err := k.showThreads(ctx, rows.Items); err != nil {
				return rows, err
			}
			return rows, err
		},
		show: func(c commentRow) string { return c.text(k) },
	})
	if err != nil {
		return commentsOut{}, "", err
	}
	out := commentsOut{PageID: in.PageID, Comments: w.rows, NextCursor: w.next, Untrusted: k.newUntrusted()}
	for _, c := range w.rows {
		out.Untrusted.add(c.guarded)
	}
	return out, w.fenced(k, "comment threads") + out.Untrusted.notes(), nil
}

// threads gives one page of root comments with their replies. The upstream
// position is "kind,cursor": all footer comments come before the inline ones.
func (k *call) threads(ctx context.Context, pageID, pageType, position string, limit int) (confluence.List[commentRow], error) {
	kind, cursor, _ := strings.Cut(position, ",")
	kind = cmp.Or(kind, confluence.CommentFooter)
	rows := confluence.List[commentRow]{Total: -1}
	for {
		roots, err := k.site.Comments(ctx, pageID, pageType, kind, confluence.Paging{Cursor: cursor, Limit: limit - len(rows.Items)})
		if err != nil {
			return rows, err
		}
		if err := k.addThreads(ctx, &rows, roots.Items); err != nil {
			return rows, err
		}
		switch {
		case roots.Next != "":
			rows.Next = kind + "," + roots.Next
			return rows, nil
		case kind == confluence.CommentInline:
			return rows, nil
		case len(rows.Items) >= limit:
			rows.Next = confluence.CommentInline + ","
			return rows, nil
		}
		kind, cursor = confluence.CommentInline, ""
	}
}

func (k *call) addThreads(ctx context.Context, rows *confluence.List[commentRow], roots []confluence.Comment) error {
	for i, c := range roots {
		row := commentRowOf(c)
		if err := k.replies(ctx, &row, c.ID, c.Kind, 1); err != nil {
			return err
		}
		rows.Items = append(rows.Items, row)
		k.tell(float64(i+1), float64(len(roots)), "reading comments")
	}
	return nil
}

func (k *call) replies(ctx context.Context, root *commentRow, id, kind string, level int) error {
	if level > maxReplyLevel {
		return nil
	}
	cursor := ""
	for {
		list, err := k.site.Replies(ctx, id, kind, confluence.Paging{Cursor: cursor, Limit: maxReplies})
		if err != nil {
			return err
		}
		for _, c := range list.Items {
			if len(root.Answers) >= maxReplies {
				return nil
			}
			root.Answers = append(root.Answers, replyRow{CommentID: c.ID, Level: level, AuthorID: c.Version.AuthorID, Updated: stamp(c.Version.CreatedAt), Version: c.Version.Number, stored: c.Body})
			if err := k.replies(ctx, root, c.ID, kind, level+1); err != nil {
				return err
			}
		}
		if cursor = list.Next; cursor == "" {
			return nil
		}
	}
}

func commentRowOf(c confluence.Comment) commentRow {
	return commentRow{CommentID: c.ID, Kind: c.Kind, AuthorID: c.Version.AuthorID, Updated: stamp(c.Version.CreatedAt), Version: c.Version.Number,
		Resolution: c.Resolution, On: line(c.Selection), Answers: []replyRow{}, URL: c.WebURL, stored: c.Body}
}

// showThreads names who wrote the threads and who is mentioned in them, and
// renders what they say.
func (k *call) showThreads(ctx context.Context, rows []commentRow) error {
	var wrote, ids []string
	for _, c := range rows {
		wrote, ids = append(wrote, c.AuthorID), append(ids, mentions(c.stored)...)
		for _, r := range c.Answers {
			wrote, ids = append(wrote, r.AuthorID), append(ids, mentions(r.stored)...)
		}
	}
	if k.needsResource() {
		if err := k.noteAuthors(ctx, wrote...); err != nil {
			return err
		}
	}
	k.meet(ctx, append(wrote, ids...)...)
	show := func(root *commentRow, stored string) string {
		g := guard(strings.TrimSpace(document(stored).Markdown(k.named(k.request.Resource.SpaceKey)).Text), k.home())
		root.guarded.merge(g)
		return g.Text
	}
	for i := range rows {
		root := &rows[i]
		root.Author, root.Body = k.nameOf(root.AuthorID), show(root, root.stored)
		for j := range root.Answers {
			r := &root.Answers[j]
			r.Author, r.Body = k.nameOf(r.AuthorID), show(root, r.stored)
		}
	}
	return nil
}

func (c commentRow) text(k *call) string {
	var b strings.Builder
	fmt.Fprintf(&b, "- %s comment %s by %s, %s", c.Kind, c.CommentID, k.called(c.AuthorID), c.Updated)
	if c.Resolution != "" {
		b.WriteString(", " + c.Resolution)
	}
	if c.On != "" {
		fmt.Fprintf(&b, ", on %q", c.On)
	}
	fmt.Fprintf(&b, "\n  %s\n", indent(c.Body, 2))
	for _, r := range c.Answers {
		pad := strings.Repeat("  ", r.Level)
		fmt.Fprintf(&b, "%s- reply %s by %s, %s\n%s  %s\n", pad, r.CommentID, k.called(r.AuthorID), r.Updated, pad, indent(r.Body, 2*r.Level+2))
	}
	return b.String()
}

func indent(s string, n int) string { return strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", n)) }

type addCommentIn struct {
	PageID     string `json:"page_id" is:"id"`
	Body       string `json:"body" is:"min=1,max=50000"`
	ParentID   string `json:"parent_id,omitempty" is:"id"`
	InlineText string `json:"inline_text,omitempty" is:"line,max=500"`
	DryRun     bool   `json:"dry_run,omitempty"`
}

func (in addCommentIn) validate() error {
	if in.ParentID != "" && in.InlineText != "" {
		return invalid("invalid", "parent_id and inline_text exclude each other.", "An answer takes its place from the comment it answers; leave inline_text out.")
	}
	return nil
}

func addComment(ctx context.Context, k *call, in addCommentIn) (*plan, error) {
	body, err := k.newBodyFrom(in.Body, "markdown", k.on.page.SpaceKey)
	if err != nil {
		return nil, err
	}
	p := k.on.page
	n := confluence.NewComment{PageID: p.ID, PageType: cmp.Or(p.Type, onPage), ParentID: in.ParentID, Body: body, Selection: in.InlineText, Kind: confluence.CommentFooter}
	summary := "comment on page " + p.ID
	switch {
	case in.ParentID != "":
		parent, err := k.site.Comment(ctx, in.ParentID)
		if err != nil {
			return nil, err
		}
		if parent.PageID != p.ID {
			return nil, notFound("Comment", in.ParentID)
		}
		n.Kind, summary = parent.Kind, "answer comment "+in.ParentID
	case in.InlineText != "":
		if n.MatchCount, err = k.countText(ctx, p.ID, in.InlineText); err != nil {
			return nil, err
		}
		n.Kind, summary = confluence.CommentInline, "comment on a passage of page "+p.ID
	}
	out := &plan{target: pageReceipt(*p), summary: summary, after: in.Body}
	out.target.Version = 0
	out.bodyChange("", body, k.home())
	out.change.TargetSpaceKey = p.SpaceKey
	out.inverse = func(_ context.Context, r receipt) inverse { return inverse{ID: r.ID, Version: max(1, r.Version)} }
	out.commit = func(ctx context.Context) (receipt, error) {
		c, err := k.site.CreateComment(ctx, n)
		return k.commentReceipt(c), err
	}
	return out, nil
}

func (k *call) commentReceipt(c confluence.Comment) receipt {
	return receipt{ID: c.ID, Type: onComment, SpaceKey: k.request.Resource.SpaceKey, Version: c.Version.Number, URL: cmp.Or(c.WebURL, k.on.page.WebURL)}
}

// countText finds out how often a passage occurs in what readers see. Only one
// occurrence is unambiguous.
func (k *call) countText(ctx context.Context, id, text string) (int, error) {
	p, err := k.site.Page(ctx, id, confluence.PageOptions{Format: confluence.Storage})
	if err != nil {
		return 0, err
	}
	switch n := strings.Count(k.visibleText(p.Body), text); n {
	case 1:
		return n, nil
	case 0:
		return 0, invalid("inline_text", "The page does not have this text.", "Send a passage exactly as readers see it, from one paragraph.")
	default:
		return 0, invalid("inline_text", fmt.Sprintf("The text occurs %d times on the page.", n), "Send a longer passage that occurs once.")
	}
}

type updateCommentIn struct {
	CommentID string `json:"comment_id" is:"id"`
	Body      string `json:"body,omitempty" is:"min=1,max=50000"`
	Resolved  *bool  `json:"resolved,omitempty"`
	DryRun    bool   `json:"dry_run,omitempty"`
}

func (in updateCommentIn) validate() error {
	if in.Body == "" && in.Resolved == nil {
		return invalid("missing", "There is nothing to change.", "Send body or resolved.")
	}
	return nil
}

func updateComment(_ context.Context, k *call, in updateCommentIn) (*plan, error) {
	c := k.on.comment
	if in.Resolved != nil && (c.Kind != confluence.CommentInline || c.ParentID != "") {
		return nil, invalid("invalid", "Only the first comment of an inline thread can be resolved.", "Leave resolved out.")
	}
	if in.Resolved != nil && c.Resolution == "dangling" {
		return nil, invalid("invalid", "The text this comment hung on is gone, so it cannot be resolved or reopened.", "Leave resolved out.")
	}
	u := confluence.CommentUpdate{ID: c.ID, Kind: c.Kind, Body: c.Body, Version: c.Version.Number + 1, Resolved: in.Resolved}
	out := &plan{summary: "change comment " + c.ID, base: c.Body, before: k.markdown(c.Body, k.request.Resource.SpaceKey)}
	out.after = out.before
	if in.Body != "" {
		r, err := k.writeMarkdown(c.Body, in.Body, k.on.page.SpaceKey, []string{"elision"}) // a comment may become short
		if err != nil {
			return nil, err
		}
		if err := forbiddenAdded(c.Body, r.Storage); err != nil {
			return nil, err
		}
		out.tell(r)
		u.Body, out.after = r.Storage, k.markdown(r.Storage, k.request.Resource.SpaceKey)
	}
	out.target = k.commentReceipt(*c)
	out.bodyChange(c.Body, u.Body, k.home())
	out.inverse = func(_ context.Context, r receipt) inverse { return commentInverse(in, *c, r) }
	out.commit = func(ctx context.Context) (receipt, error) {
		made := u
		made.Message = k.marked("")
		done, err := k.site.UpdateComment(ctx, made)
		return k.commentReceipt(done), err
	}
	return out, nil
}

// commentInverse keeps of a comment what its change took away.
func commentInverse(in updateCommentIn, was confluence.Comment, made receipt) inverse {
	inv := inverse{ID: was.ID, Version: made.Version}
	if in.Body != "" {
		inv.Body = &was.Body
	}
	if in.Resolved != nil {
		resolved := was.Resolution == "resolved"
		inv.Resolved = &resolved
	}
	return inv
}

type deleteCommentIn struct {
	CommentID string `json:"comment_id" is:"id"`
	DryRun    bool   `json:"dry_run,omitempty"`
}

func deleteComment(_ context.Context, k *call, _ deleteCommentIn) (*plan, error) {
	c := k.on.comment
	out := &plan{target: k.commentReceipt(*c), summary: "delete comment " + c.ID + " for good", base: c.Body, before: k.markdown(c.Body, k.request.Resource.SpaceKey)}
	out.bodyChange(c.Body, "", k.home())
	out.inverse = func(context.Context, receipt) inverse {
		return inverse{Final: "A comment has no trash: deleting one is final, and its answers went with it."}
	}
	out.commit = func(ctx context.Context) (receipt, error) {
		return k.commentReceipt(*c), k.site.DeleteComment(ctx, c.ID, c.Kind)
	}
	return out, nil
}

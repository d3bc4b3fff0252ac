package tools

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

func attachmentTools() []*tool {
	return []*tool{
		read(spec{name: "get_attachments", title: "List attachments", group: policy.Attachments, action: policy.Read,
			about: "Files on a page: id, name, media type, size."},
			func(in getAttachmentsIn) target { return target{kind: onPage, id: in.PageID} }, getAttachments),
		read(spec{name: "download_attachment", title: "Read an attachment", group: policy.Attachments, action: policy.Read,
			about: "Content of a file: text as text, everything else as base64. range picks bytes: first-last from 0, or 5- for the rest."},
			func(in downloadIn) target { return target{kind: onAttachment, id: in.AttachmentID} }, download),
		write(spec{name: "upload_attachment", title: "Attach a file", group: policy.Attachments, action: policy.Create,
			about: "Attach a file given as text or base64. A file of the same name gets a new version; the old one is kept."},
			func(in uploadIn) target { return target{kind: onPage, id: in.PageID} }, upload),
		write(spec{name: "delete_attachment", title: "Delete an attachment", group: policy.Attachments, action: policy.Delete,
			about: "Move a file to the trash."},
			func(in deleteAttachmentIn) target { return target{kind: onAttachment, id: in.AttachmentID} }, deleteAttachment),
	}
}

type getAttachmentsIn struct {
	PageID string `json:"page_id" is:"id"`
	Limit  int    `json:"limit,omitempty" is:"min=1,max=100"`

	goingOn
}

type fileOut struct {
	AttachmentID string `json:"attachment_id"`
	FileName     string `json:"filename"`
	MediaType    string `json:"media_type"`
	Size         int64  `json:"size"`
	Version      int    `json:"version"`
	Comment      string `json:"comment,omitempty"`
	URL          string `json:"url,omitempty"`
}

type filesOut struct {
	PageID      string    `json:"page_id"`
	Attachments []fileOut `json:"attachments"`
	AgeSeconds  int64     `json:"age_seconds"`
	Stale       bool      `json:"stale,omitempty"`
	NextCursor  string    `json:"next_cursor,omitempty"`
}

func showFile(a confluence.Attachment) fileOut {
	return fileOut{AttachmentID: a.ID, FileName: line(a.Title), MediaType: line(a.MediaType), Size: a.Size, Version: a.Version.Number, Comment: line(a.Comment), URL: a.WebURL}
}

func getAttachments(ctx context.Context, k *call, in getAttachmentsIn) (filesOut, string, error) {
	if _, err := k.open(in.Cursor); err != nil {
		return filesOut{}, "", err
	}
	kind, err := k.typeOf(ctx, in.PageID)
	if err != nil {
		return filesOut{}, "", err
	}
	w, err := list(k, lister[confluence.Attachment]{
		cursor: in.Cursor, maxChars: in.MaxChars,
		fetch: func(upstream string) (confluence.List[confluence.Attachment], error) {
			return k.site.Attachments(ctx, in.PageID, kind, confluence.Paging{Cursor: upstream, Limit: cmp.Or(in.Limit, 50)})
		},
		show: func(a confluence.Attachment) string {
			f := showFile(a)
			return fmt.Sprintf("- %s (%s, %s, %d bytes, version %d)\n", f.FileName, f.AttachmentID, f.MediaType, f.Size, f.Version)
		},
	})
	if err != nil {
		return filesOut{}, "", err
	}
	out := filesOut{PageID: in.PageID, Attachments: []fileOut{}, NextCursor: w.next, AgeSeconds: k.ageOf(w.readAt), Stale: w.stale}
	for _, a := range w.rows {
		out.Attachments = append(out.Attachments, showFile(a))
	}
	return out, w.fenced(k, "attachments"), nil
}

type downloadIn struct {
	AttachmentID string `json:"attachment_id" is:"attachment"`
	Range        string `json:"range,omitempty" is:"range" jsonschema:"for example 0-65535"`
	MaxChars     int    `json:"max_chars,omitempty" is:"min=200,max=100000"`
}

type downloadOut struct {
	fileOut

	Encoding  string    `json:"encoding"` // text or base64
	Content   string    `json:"content"`
	First     int64     `json:"first_byte"`
	Last      int64     `json:"last_byte"`
	NextRange string    `json:"next_range,omitempty"`
	Untrusted untrusted `json:"untrusted"`
}

// maxBase64Bytes is how many bytes of a file one answer holds as base64.
const maxBase64Bytes = 96 << 10

func download(ctx context.Context, k *call, in downloadIn) (downloadOut, string, error) {
	a := k.on.attachment
	if a == nil {
		found, err := k.site.Attachment(ctx, attachmentID(in.AttachmentID))
		if err != nil {
			return downloadOut{}, "", err
		}
		a = &found
	}
	first, last, ranged := parseRange(in.Range)
	if first >= max(a.Size, 1) {
		return downloadOut{}, "", invalid("range", fmt.Sprintf("The file has %d bytes; the range begins behind them.", a.Size), `Send for example range: "0-65535".`)
	}
	most := int64(maxBase64Bytes)
	if shownAsText(a.MediaType, a.Title) {
		most = int64(cmp.Or(in.MaxChars, defaultChars))
	}
	if ranged {
		most = min(maxBase64Bytes-1, last-first) + 1
	}
	body, err := k.site.Download(ctx, *a, first, most)
	if err != nil {
		return downloadOut{}, "", err
	}
	defer func() { _ = body.Close() }() // only read from
	content, err := io.ReadAll(io.LimitReader(body, most))
	if err != nil {
		return downloadOut{}, "", &confluence.Error{Kind: confluence.Unavailable, Op: "download", Ref: a.ID, Message: "The file broke off while it was read.", Err: err}
	}
	return k.showDownload(*a, first, content)
}

func (k *call) showDownload(a confluence.Attachment, first int64, content []byte) (downloadOut, string, error) {
	out := downloadOut{fileOut: showFile(a), Encoding: "base64", First: first, Untrusted: k.newUntrusted()}
	text := wholeRunes(content)
	if shownAsText(a.MediaType, a.Title) && text != nil && !bytes.ContainsRune(text, 0) {
		content = text
		g := guard(string(text), k.home())
		out.Untrusted.add(g)
		out.Encoding, out.Content = "text", fence(k.nonce, g.Text)
	} else {
		out.Content = base64.StdEncoding.EncodeToString(content)
	}
	out.Last = first + max(0, int64(len(content))-1)
	head := fmt.Sprintf("%s (%s, %s, %d bytes)", out.FileName, out.AttachmentID, out.MediaType, a.Size)
	if next := first + int64(len(content)); next < a.Size && len(content) > 0 {
		out.NextRange = fmt.Sprintf("%d-%d", next, min(a.Size, next+maxBase64Bytes)-1)
		head += fmt.Sprintf("\n[bytes %d to %d; %d left out] Go on with range %s", first, out.Last, a.Size-next, out.NextRange)
	}
	return out, head + "\n" + out.Encoding + ":\n" + out.Content + out.Untrusted.notes(), nil
}

// wholeRunes leaves out a character that was cut at the end; nil: not UTF-8.
func wholeRunes(b []byte) []byte {
	for cut := range min(utf8.UTFMax, len(b)) {
		if utf8.Valid(b[:len(b)-cut]) {
			return b[:len(b)-cut]
		}
	}
	if len(b) == 0 {
		return b
	}
	return nil
}

func shownAsText(mediaType, name string) bool {
	kind, _, err := mime.ParseMediaType(mediaType)
	if err != nil {
		kind = ""
	}
	if strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml") {
		return true
	}
	if slices.Contains([]string{"application/json", "application/xml", "application/yaml", "application/x-yaml", "application/toml", "application/sql"}, kind) {
		return true
	}
	return slices.Contains([]string{".txt", ".md", ".csv", ".log", ".json", ".yaml", ".yml", ".xml", ".toml", ".ini", ".sql"}, strings.ToLower(path.Ext(name)))
}

type uploadIn struct {
	PageID   string `json:"page_id" is:"id"`
	FileName string `json:"filename" is:"file"`
	Content  string `json:"content" is:"max=14000000"`
	Encoding string `json:"encoding,omitempty" is:"enum=text|base64"`
	Comment  string `json:"comment,omitempty" is:"line,max=255"`
	DryRun   bool   `json:"dry_run,omitempty"`
}

// maxShownFile is the largest file an approver is shown, in bytes; of others its
// size and sum are.
const maxShownFile = 64 << 10

func upload(ctx context.Context, k *call, in uploadIn) (*plan, error) {
	content := []byte(in.Content)
	if in.Encoding == "base64" {
		var err error
		if content, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(in.Content), "")); err != nil {
			return nil, invalid("content", "content is not valid base64.", "Send standard base64 with padding, or leave encoding out for text.")
		}
	}
	if int64(len(content)) > k.catalog.cfg.Limits.UploadBytes {
		return nil, &confluence.Error{Kind: confluence.Limited, Code: "limit.too_large",
			Message: fmt.Sprintf("The file has %d bytes; at most %d are taken.", len(content), k.catalog.cfg.Limits.UploadBytes), Next: "Send a smaller file. Nothing was changed."}
	}
	media := mediaTypeOf(in.FileName)
	if err := refuseExecutable(in.FileName, content); err != nil {
		return nil, err
	}
	p := k.on.page
	old, err := k.fileNamed(ctx, in.FileName)
	if err != nil {
		return nil, err
	}
	u := confluence.Upload{PageID: p.ID, FileName: in.FileName, MediaType: media, Comment: in.Comment, Size: int64(len(content)), Content: bytes.NewReader(content)}
	out := &plan{worded: true, summary: "attach " + in.FileName + " to page " + p.ID, after: fmt.Sprintf("%s (%d bytes, %s, sha256 %s)", in.FileName, len(content), media, bodySum(string(content)))}
	if len(content) <= maxShownFile && shownAsText(media, in.FileName) && utf8.Valid(content) && !bytes.ContainsRune(content, 0) {
		out.content = string(content)
	}
	out.target = receipt{Type: onAttachment, Title: in.FileName, SpaceKey: p.SpaceKey, URL: p.WebURL}
	out.change = policy.Change{TargetSpaceKey: p.SpaceKey, TargetParentID: p.ID, Title: in.FileName, MediaType: media, BodyBytes: u.Size, AddedBytes: u.Size}
	if old != nil {
		u.AttachmentID, out.action = old.ID, policy.Update
		out.base, out.before = baseOfFile(*old), fileInWords(*old)
		out.summary, out.target.ID = "make a new version of "+in.FileName+" on page "+p.ID, old.ID
		k.request.Resource.AttachmentBytes = old.Size
	}
	out.inverse = func(_ context.Context, r receipt) inverse {
		inv := inverse{ID: r.ID, Name: in.FileName, Version: r.Version, New: old == nil}
		if old != nil {
			inv.Before = old.Version.Number
		}
		return inv
	}
	out.commit = func(ctx context.Context) (receipt, error) {
		made := u
		made.Comment = k.marked(u.Comment)
		a, err := k.site.Upload(ctx, made)
		return receipt{ID: a.ID, Type: onAttachment, Title: line(a.Title), SpaceKey: p.SpaceKey, Version: a.Version.Number, URL: cmp.Or(a.WebURL, p.WebURL)}, err
	}
	return out, nil
}

// baseOfFile is what a change of a file starts from: a new version of it makes
// an approval stale, and does not move the version of its page.
func baseOfFile(a confluence.Attachment) string { return fmt.Sprint(a.Version.Number) }

// fileInWords is a file as it is, for a diff.
func fileInWords(a confluence.Attachment) string {
	return fmt.Sprintf("%s (version %d, %d bytes, %s)", line(a.Title), a.Version.Number, a.Size, a.MediaType)
}

// fileNamed finds the attachment of the page with that name, nil for none.
func (k *call) fileNamed(ctx context.Context, name string) (*confluence.Attachment, error) {
	p, cursor := k.on.page, ""
	for {
		files, err := k.site.Attachments(ctx, p.ID, cmp.Or(p.Type, onPage), confluence.Paging{Cursor: cursor, Limit: 250})
		if err != nil {
			return nil, err
		}
		for _, a := range files.Items {
			if strings.EqualFold(a.Title, name) {
				return &a, nil
			}
		}
		if cursor = files.Next; cursor == "" {
			return nil, nil
		}
	}
}

func mediaTypeOf(name string) string {
	return cmp.Or(mime.TypeByExtension(strings.ToLower(path.Ext(name))), "application/octet-stream")
}

// refuseExecutable refuses what runs on a double click or in a browser: by any
// of the name's extensions, and by what the bytes are.
func refuseExecutable(name string, content []byte) error {
	refused := []string{"exe", "com", "scr", "pif", "bat", "cmd", "msi", "msp", "msc", "dll", "cpl", "hta", "js", "jse", "vbs", "vbe", "wsf", "wsh",
		"ps1", "psm1", "lnk", "reg", "jar", "jnlp", "app", "dmg", "pkg", "deb", "rpm", "apk", "sh", "bash", "elf", "so", "html", "htm", "xhtml", "shtml", "svg", "swf", "iso", "vhd", "scf", "url"}
	for _, ext := range strings.Split(strings.ToLower(name), ".")[1:] {
		if slices.Contains(refused, strings.TrimSpace(ext)) {
			return executable("." + ext)
		}
	}
	kind := http.DetectContentType(content)
	for _, magic := range []string{"MZ", "\x7fELF", "#!", "\xca\xfe\xba\xbe", "\xcf\xfa\xed\xfe"} {
		if bytes.HasPrefix(content, []byte(magic)) {
			return executable("executable content")
		}
	}
	if strings.HasPrefix(kind, "text/html") {
		return executable("HTML content")
	}
	return nil
}

func executable(what string) error {
	return &confluence.Error{Kind: confluence.Denied, Code: "policy.file_type", Message: "Files of this type are not attached: " + what + ".",
		Next: "Nothing was changed. Attach it as a document, an archive or plain text instead."}
}

type deleteAttachmentIn struct {
	AttachmentID string `json:"attachment_id" is:"attachment"`
	DryRun       bool   `json:"dry_run,omitempty"`
}

func deleteAttachment(_ context.Context, k *call, _ deleteAttachmentIn) (*plan, error) {
	a, p := k.on.attachment, k.on.page
	out := &plan{target: receipt{ID: a.ID, Type: onAttachment, Title: line(a.Title), SpaceKey: p.SpaceKey, Version: a.Version.Number, URL: cmp.Or(a.WebURL, p.WebURL)},
		worded: true, summary: "move " + line(a.Title) + " to the trash", base: baseOfFile(*a), before: fileInWords(*a)}
	out.change = policy.Change{TargetSpaceKey: p.SpaceKey, Title: a.Title, MediaType: a.MediaType, RemovedBytes: a.Size, RemovedRatio: 1}
	out.inverse = func(context.Context, receipt) inverse {
		return inverse{Final: "Confluence lets no program take a file out of the trash. A person can, in the trash of the space."}
	}
	out.commit = func(ctx context.Context) (receipt, error) {
		return out.target, k.site.DeleteAttachment(ctx, a.ID)
	}
	return out, nil
}

package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"unicode"
	"unicode/utf8"

	"confluence-mcp/internal/confluence"
)

// maxFileName is Confluence's bound, in bytes.
const maxFileName = 255

// upload is a multipart body that streams: head and tail are made up front, so
// that the length is known, and the file passes through.
type upload struct {
	head, tail  []byte
	contentType string
	content     io.Reader
	size        int64
	used        bool
}

func (u *upload) attach(req *http.Request) {
	u.used = true
	file := &exactly{r: u.content, left: u.size}
	req.Body = io.NopCloser(io.MultiReader(bytes.NewReader(u.head), file, bytes.NewReader(u.tail)))
	req.ContentLength = int64(len(u.head)) + u.size + int64(len(u.tail))
	req.Header.Set("Content-Type", u.contentType)
	req.Header.Set("X-Atlassian-Token", "no-check")
}

// rewind prepares a second attempt, where the content can be read again.
func (u *upload) rewind() bool {
	if !u.used {
		return true
	}
	s, ok := u.content.(io.Seeker)
	if !ok {
		return false
	}
	_, err := s.Seek(0, io.SeekStart)
	return err == nil
}

// exactly gives the announced number of bytes or an error.
type exactly struct {
	r    io.Reader
	left int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) && e.left > 0 {
		return n, &confluence.Error{Kind: confluence.Invalid, Message: "the content is shorter than its announced size", Next: "Send the file again."}
	}
	return n, err
}

// Upload attaches a file, or saves a new version of one when AttachmentID is
// set. The file name must not be a path; a name that is taken is kind
// Conflict, code conflict.file_name; more than MaxUpload bytes is kind
// Limited, code limit.too_large.
func (c *Client) Upload(ctx context.Context, u confluence.Upload) (confluence.Attachment, error) {
	req, err := c.uploadCall(u)
	if err != nil {
		return confluence.Attachment{}, err
	}
	w, err := fetch[uploadAnswer](ctx, c.w, req)
	if err != nil {
		return confluence.Attachment{}, c.judged(ctx, uploadRefused(err))
	}
	a := w.shape()
	if a.ID == "" {
		return a, outward(netFailure(ctx, req, errors.New("the answer names no attachment")))
	}
	a.PageID = u.PageID
	return a, nil
}

func (c *Client) uploadCall(u confluence.Upload) (*call, error) {
	const op = "upload attachment"
	if err := needID(op, u.PageID); err != nil {
		return nil, err
	}
	if err := needFileName(op, u.FileName); err != nil {
		return nil, err
	}
	req := write(http.MethodPost, op, "to page "+u.PageID, "/wiki/rest/api/content/{id}/child/attachment", u.PageID)
	if u.AttachmentID != "" {
		if err := needAttachment(op, u.AttachmentID); err != nil {
			return nil, err
		}
		req = write(http.MethodPost, op, u.AttachmentID, "/wiki/rest/api/content/{id}/child/attachment/{att}/data", u.PageID, u.AttachmentID)
	}
	if u.Size < 0 || u.Size > c.w.cfg.MaxUpload {
		return nil, outward(tooLarge(req, fmt.Sprintf("the file is larger than %d bytes", c.w.cfg.MaxUpload)))
	}
	var err error
	req.upload, err = newUpload(u)
	if err != nil {
		return nil, &confluence.Error{Kind: confluence.Internal, Op: op, Err: err}
	}
	return req, nil
}

// needFileName refuses names that a server or a person could take for a path
// or that would break the header they travel in.
func needFileName(op, name string) error {
	e := &confluence.Error{Kind: confluence.Invalid, Code: "input.file_name", Op: op, Next: "Give a plain file name such as report.pdf."}
	switch {
	case name == "" || name == "." || name == "..":
		e.Message = "the file has no name"
	case len(name) > maxFileName:
		e.Message = "the file name is longer than 255 bytes"
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unsafeRune):
		e.Message = "the file name holds a control or direction character"
	case strings.ContainsAny(name, `/\`):
		e.Message = "a file name holds no path"
	default:
		return nil
	}
	return e
}

// unsafeRune reports control characters and those that turn the direction of
// text, which make a name look like another one.
func unsafeRune(r rune) bool {
	return unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r)
}

func newUpload(u confluence.Upload) (*upload, error) {
	var buf bytes.Buffer
	form := multipart.NewWriter(&buf)
	err := textPart(form, "minorEdit", fmt.Sprint(u.Minor))
	if err == nil && u.Comment != "" {
		err = textPart(form, "comment", u.Comment)
	}
	if err != nil {
		return nil, err
	}
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", `form-data; name="file"; filename="`+strings.ReplaceAll(u.FileName, `"`, `%22`)+`"`)
	header.Set("Content-Type", mediaType(u.MediaType))
	if _, err := form.CreatePart(header); err != nil {
		return nil, err
	}
	head := bytes.Clone(buf.Bytes())
	if err := form.Close(); err != nil {
		return nil, err
	}
	return &upload{head: head, tail: buf.Bytes()[len(head):], contentType: form.FormDataContentType(), content: u.Content, size: u.Size}, nil
}

// textPart labels its text as UTF-8; without the label Confluence reads it as
// Latin-1.
func textPart(form *multipart.Writer, name, value string) error {
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", `form-data; name="`+name+`"`)
	header.Set("Content-Type", "text/plain; charset=UTF-8")
	part, err := form.CreatePart(header)
	if err != nil {
		return err
	}
	_, err = io.WriteString(part, value)
	return err
}

func mediaType(s string) string {
	for _, r := range s {
		if r <= ' ' && r != ' ' || r >= 0x7f {
			return "application/octet-stream"
		}
	}
	return orElse(s, "application/octet-stream")
}

// uploadRefused explains the two answers of an upload that say little.
func uploadRefused(err error) error {
	f := asFailure(err)
	if f == nil {
		return err
	}
	switch {
	case f.status == http.StatusBadRequest && strings.Contains(f.upstream, "same file name"):
		f.Kind = confluence.Conflict
		f.say("conflict.file_name", "the page already has a file with this name", "Upload a new version of that attachment, or choose another name.")
	case f.status == http.StatusNotFound:
		f.Message = "the page does not exist or is not visible to this account, or the file is larger than the site allows"
	}
	return err
}

type wireFile struct {
	ID      text `json:"id"`
	Title   text `json:"title"`
	Version struct {
		Number  whole `json:"number"`
		When    stamp `json:"when"`
		Message text  `json:"message"`
		Minor   bool  `json:"minorEdit"`
		By      struct {
			AccountID text `json:"accountId"`
		} `json:"by"`
	} `json:"version"`
	Extensions struct {
		MediaType text  `json:"mediaType"`
		FileSize  whole `json:"fileSize"`
		Comment   text  `json:"comment"`
	} `json:"extensions"`
}

// uploadAnswer is a list for a new file and one object for a new version.
type uploadAnswer struct {
	wireFile
	Results []wireFile `json:"results"`
}

func (u uploadAnswer) shape() confluence.Attachment {
	f := u.wireFile
	if len(u.Results) > 0 {
		f = u.Results[0]
	}
	return confluence.Attachment{
		ID: string(f.ID), Title: string(f.Title), MediaType: string(f.Extensions.MediaType), Size: int64(f.Extensions.FileSize),
		Comment: string(f.Extensions.Comment),
		Version: confluence.Version{
			Number: int(f.Version.Number), CreatedAt: f.Version.When.Time, Message: string(f.Version.Message),
			Minor: f.Version.Minor, AuthorID: string(f.Version.By.AccountID),
		},
	}
}

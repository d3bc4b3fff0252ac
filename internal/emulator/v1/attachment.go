package v1

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// maxUpload is the site's limit for one request. Beyond it the real server
// answers 404, not 413.
const maxUpload = 100 << 20

func attachmentRoutes() []wire.Route {
	write := alternatives("write:confluence-file", "read:content-details:confluence write:attachment:confluence")
	props := alternatives("write:confluence-file write:confluence-props", "read:content-details:confluence write:attachment:confluence")
	const path = "content/{id}/child/attachment"
	return []wire.Route{
		route(http.MethodPost, path, write, uploading(attachNew)),
		route(http.MethodPut, path, write, uploading(attachOrReplace)),
		route(http.MethodPost, path+"/{att}/data", write, uploading(replaceFile)),
		route(http.MethodPut, path+"/{att}", props, writing(updateAttachment)),
		get(path+"/{att}/download", anyOf("readonly:content.attachment:confluence", "read:attachment:confluence"), reading(download)),
		{Method: http.MethodGet, Pattern: "/wiki/download/attachments/{id}/{name}", Handle: browserDownload},
	}
}

// browserDownload is where the download links point: it takes a browser's
// session and no token.
func browserDownload(w http.ResponseWriter, _ *http.Request, _ wire.Call) {
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte("<html><body><h1>401 Unauthorized</h1></body></html>")) // the client is gone; there is nobody to tell
}

// upload is a parsed multipart body.
type upload struct {
	files    []site.Draft
	comments []string
	minor    bool
}

// comment of the i-th file: one each, or none at all.
func (u upload) draft(i int) site.Draft {
	d := u.files[i]
	if len(u.comments) == len(u.files) {
		d.Comment = u.comments[i]
	}
	return d
}

// uploading reads the body before the site is locked.
func uploading(fn func(*site.Edit, request, upload) (any, error)) handler {
	return func(w http.ResponseWriter, r *http.Request, c wire.Call) {
		if token := r.Header.Get("X-Atlassian-Token"); token != "nocheck" && token != "no-check" {
			fail(w, refuse(http.StatusForbidden, "XSRF check failed"))
			return
		}
		u, err := readUpload(w, r)
		if err != nil {
			fail(w, err)
			return
		}
		writing(func(e *site.Edit, q request) (any, error) { return fn(e, q, u) })(w, r, c)
	}
}

func readUpload(w http.ResponseWriter, r *http.Request) (upload, error) {
	var u upload
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	parts, err := r.MultipartReader()
	if err != nil {
		return u, refuse(http.StatusBadRequest, "The request is no multipart/form-data")
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = u.take(part)
		}
		if err != nil {
			return u, uploadRefusal(err)
		}
	}
	if len(u.files) == 0 {
		return u, refuse(http.StatusBadRequest, "At least one attachment file is required")
	}
	if len(u.comments) > 0 && len(u.comments) != len(u.files) {
		return u, refuse(http.StatusBadRequest, "There must be one comment for each file or none")
	}
	return u, nil
}

func uploadRefusal(err error) error {
	var tooLarge *http.MaxBytesError
	var no *site.Refusal
	switch {
	case errors.As(err, &tooLarge):
		return refuse(http.StatusNotFound, "The attachment is larger than this site allows")
	case errors.As(err, &no):
		return err
	}
	return refuse(http.StatusBadRequest, "Could not read the multipart body")
}

func (u *upload) take(part *multipart.Part) error {
	raw, err := io.ReadAll(part)
	if err != nil {
		return err
	}
	switch part.FormName() {
	case "file":
		if part.FileName() == "" {
			return refuse(http.StatusBadRequest, "The file part has no file name")
		}
		u.files = append(u.files, site.Draft{Title: rawFileName(part), MediaType: part.Header.Get("Content-Type"), Data: raw})
	case "comment":
		u.comments = append(u.comments, decodeText(part, raw))
	case "minorEdit":
		u.minor = string(raw) == "true"
	}
	return nil
}

// rawFileName is the name as sent: FileName cuts everything before a slash off,
// which here is an illegal name and not a folder.
func rawFileName(part *multipart.Part) string {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil || params["filename"] == "" {
		return part.FileName()
	}
	return params["filename"]
}

// decodeText reads a text part the way the real server does: Latin-1 unless
// the part says otherwise.
func decodeText(part *multipart.Part, raw []byte) string {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
	if err == nil && strings.EqualFold(params["charset"], "utf-8") {
		return string(raw)
	}
	runes := make([]rune, len(raw))
	for i, b := range raw {
		runes[i] = rune(b)
	}
	return string(runes)
}

func attachNew(e *site.Edit, q request, u upload) (any, error) { return q.attach(e, u, false) }

func attachOrReplace(e *site.Edit, q request, u upload) (any, error) { return q.attach(e, u, true) }

// attach stores all files of an upload or none.
func (q request) attach(e *site.Edit, u upload, replace bool) (any, error) {
	on, err := q.find(&e.View, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	for i, f := range u.files {
		_, taken := e.AttachmentByName(on.ID, f.Title)
		twice := slices.ContainsFunc(u.files[:i], func(g site.Draft) bool { return g.Title == f.Title })
		if (taken || twice) && !replace {
			return nil, refuse(http.StatusBadRequest, "Cannot add a new attachment with same file name as an existing attachment: %s", f.Title)
		}
		if strings.Contains(f.Title, "/") {
			return nil, refuse(http.StatusBadRequest, "The file name [%s] is not valid", f.Title)
		}
	}
	list := []any{}
	for i := range u.files {
		a, err := e.Attach(on.ID, u.draft(i), replace, u.minor)
		if err != nil {
			return nil, err
		}
		body, err := q.attachment(e, a)
		if err != nil {
			return nil, err
		}
		list = append(list, body)
	}
	return q.page(list, window{0, len(list)}, len(list)), nil
}

func (q request) attachment(e *site.Edit, a *site.Content) (object, error) {
	return q.content(&e.View, a, expansion{"version": {}, "container": {}})
}

// file finds an attachment by the path, which names its container as well.
func (q request) file(v *site.View) (*site.Content, error) {
	on, err := q.find(v, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	a, err := q.find(v, q.PathValue("att"))
	if err != nil {
		return nil, err
	}
	if a.Type != "attachment" || a.Parent != on.ID {
		return nil, missing(q.PathValue("att"))
	}
	return a, nil
}

func replaceFile(e *site.Edit, q request, u upload) (any, error) {
	a, err := q.file(&e.View)
	if err != nil {
		return nil, err
	}
	if len(u.files) != 1 {
		return nil, refuse(http.StatusBadRequest, "Exactly one file is required")
	}
	d := u.draft(0)
	d.Title = a.Title // the new bytes keep the old name
	if a, err = e.Replace(a.ID, d, u.minor); err != nil {
		return nil, err
	}
	return q.attachment(e, a)
}

type attachmentBody struct {
	ID       string
	Type     string
	Title    string
	Version  struct{ Number int }
	Metadata struct{ MediaType, Comment string }
	// Container moves the file to another page.
	Container *struct{ ID string }
}

// updateAttachment renames, retypes or moves a file. The version sent may be
// the current one or the next.
func updateAttachment(e *site.Edit, q request) (any, error) {
	a, err := q.file(&e.View)
	if err != nil {
		return nil, err
	}
	var b attachmentBody
	if err := q.decode(&b); err != nil {
		return nil, err
	}
	switch {
	case b.Type != "attachment" || strings.TrimPrefix(b.ID, "att") != strings.TrimPrefix(a.ID, "att"):
		return nil, refuse(http.StatusBadRequest, "The id and type of the body must be those of the attachment")
	case b.Version.Number != a.Version && b.Version.Number != a.Version+1:
		return nil, refuse(http.StatusConflict, "Version must be incremented on update. Current version is: %d", a.Version)
	case strings.Contains(b.Title, "/"):
		return nil, refuse(http.StatusBadRequest, "The file name [%s] is not valid", b.Title)
	}
	if other, taken := e.AttachmentByName(a.Parent, b.Title); taken && other.ID != a.ID {
		return nil, refuse(http.StatusBadRequest, "There is an attachment with this name already: %s", b.Title)
	}
	if b.Container != nil && b.Container.ID != a.Parent {
		if a, err = e.Rehang(a.ID, b.Container.ID); err != nil {
			return nil, err
		}
	}
	if a, err = e.Replace(a.ID, site.Draft{Title: b.Title, MediaType: b.Metadata.MediaType, Comment: b.Metadata.Comment}, true); err != nil {
		return nil, err
	}
	return q.attachment(e, a)
}

// download sends the client to the media host, with a token that opens just
// this file.
func download(v *site.View, q request) (any, error) {
	a, err := q.file(v)
	if err != nil {
		return nil, err
	}
	if a.Status != "current" {
		return nil, missing(a.ID)
	}
	number := a.Version
	if text := q.query("version"); text != "" {
		if number, err = strconv.Atoi(text); err != nil {
			return nil, refuse(http.StatusBadRequest, "Bad version: %s", text)
		}
	}
	if _, ok := v.Version(a, number); !ok {
		return nil, refuse(http.StatusNotFound, "No version %d of attachment %s", number, a.ID)
	}
	ticket := ticket{Cloud: q.call.Site.CloudID(), User: q.call.User, ID: a.ID, Version: number, Until: v.Now().Add(ticketLife).Unix()}
	return reply{status: http.StatusFound, location: q.call.Media + "/file/" + wire.FileID(a) + "/binary?token=" + ticket.sign()}, nil
}

package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"confluence-mcp/internal/confluence"
)

// maxHops bounds the redirects of one download.
const maxHops = 3

// Download gives the bytes of a file from offset on, at most limit of them;
// limit 0 means all, and then more than the configured MaxDownload ends the
// stream with kind Limited, code limit.too_large. The answer of Confluence is
// a redirect to a media host, which is asked without credentials and only when
// it is a known one; anything else is kind Denied, code net.redirect_blocked.
// A pinned attachment is read at its version. The caller closes the stream.
func (c *Client) Download(ctx context.Context, a confluence.Attachment, offset, limit int64) (io.ReadCloser, error) {
	const op = "download attachment"
	if err := needAttachment(op, a.ID); err != nil {
		return nil, err
	}
	if a.PageID == "" {
		found, err := c.Attachment(ctx, a.ID)
		if err != nil {
			return nil, err
		}
		a.PageID = found.PageID
	}
	if err := needID(op, a.PageID); err != nil {
		return nil, err
	}
	req := read(op, "attachment "+a.ID, "/wiki/rest/api/content/{id}/child/attachment/{att}/download", a.PageID, a.ID)
	if a.Pinned {
		req.set("version", itoa(a.Version.Number))
	}
	if offset < 0 || limit < 0 || limit > c.w.cfg.MaxDownload {
		return nil, outward(tooLarge(req, fmt.Sprintf("a range is within the file and at most %d bytes", c.w.cfg.MaxDownload)))
	}
	stream := &download{call: req, ctx: ctx, left: limit, most: c.w.cfg.MaxDownload, ranged: limit > 0}
	err := c.w.openDownload(ctx, req, stream, offset)
	if err != nil {
		return nil, c.judged(ctx, err)
	}
	return stream, nil
}

// openDownload asks for the file with the retry rules of any other call.
func (w *wire) openDownload(ctx context.Context, c *call, d *download, offset int64) error {
	open := w.through(func(ctx context.Context, c *call) (*answer, error) {
		res, err := w.send(ctx, c)
		if err != nil {
			return nil, netFailure(ctx, c, err)
		}
		if res, err = w.follow(ctx, c, res, d.span(offset)); err != nil {
			return nil, err
		}
		return nil, d.take(res, w, offset)
	})
	_, err := open(ctx, c)
	return err
}

// follow judges and follows redirects from Confluence to the media host.
func (w *wire) follow(ctx context.Context, c *call, res *http.Response, span string) (*http.Response, error) {
	for hop := 0; ; hop++ {
		if res.StatusCode < 300 || res.StatusCode >= 400 {
			return res, w.judgeStatus(c, res, hop > 0)
		}
		_ = res.Body.Close() // a redirect's body says nothing
		if hop == maxHops {
			return nil, c.blocked("the download was redirected too often")
		}
		target, err := res.Request.URL.Parse(res.Header.Get("Location"))
		if err != nil || !w.mediaHost(target) {
			return nil, c.blocked("the download was redirected to a host that is not a known media host")
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
		if err != nil {
			return nil, c.blocked("the download was redirected to an address that cannot be read")
		}
		req.Header.Set("User-Agent", w.cfg.UserAgent)
		if span != "" {
			req.Header.Set("Range", span)
		}
		if res, err = w.media.Do(req); err != nil {
			return nil, netFailure(ctx, c, err)
		}
	}
}

func (w *wire) judgeStatus(c *call, res *http.Response, media bool) error {
	if res.StatusCode < 300 {
		return nil
	}
	raw, _ := io.ReadAll(io.LimitReader(res.Body, maxError)) // what came is enough to judge
	_ = res.Body.Close()
	if media {
		return mediaFailure(c, res.StatusCode)
	}
	return statusFailure(c, res, raw, w.cfg.Now())
}

// mediaFailure translates a refusal of the media host, whose statuses say
// nothing about the credential of the site.
func mediaFailure(c *call, status int) error {
	f := &failure{problem: &confluence.Error{Kind: confluence.Unavailable, Op: c.op, Ref: c.ref}, passing: status >= 500}
	f.say("net.unavailable", "the media host did not give the file (status "+itoa(status)+")", "Try again.")
	if status == http.StatusRequestedRangeNotSatisfiable {
		f.Kind = confluence.Invalid
		f.say("input.range", "the range begins behind the end of the file", "Ask for a range within the size of the file.")
	}
	return f
}

func (c *call) blocked(message string) error {
	e := redirectBlocked(message)
	e.Op, e.Ref = c.op, c.ref
	return &failure{problem: e, unsent: true}
}

// mediaHost reports an address a download may be redirected to. For a loopback
// site that is another loopback address, which is how the emulator does it.
func (w *wire) mediaHost(u *url.URL) bool {
	if u.User != nil || u.Opaque != "" || u.Host == "" || strings.EqualFold(u.Host, w.base.host) {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if w.base.loopback() {
		return (u.Scheme == "http" || u.Scheme == "https") && loopbackHost(host)
	}
	if u.Scheme != "https" || u.Port() != "" && u.Port() != "443" {
		return false
	}
	return host == "api.media.atlassian.com" || strings.HasSuffix(host, ".media.atlassian.com") || host == "media-cdn.atlassian.com"
}

// download is the stream of one file, bounded whatever the server sends.
type download struct {
	call   *call
	ctx    context.Context //nolint:containedctx // tells a cancelled read from a broken one
	body   io.ReadCloser
	ranged bool
	left   int64 // of the range
	most   int64 // of a whole file
	read   int64
}

func (d *download) span(offset int64) string {
	switch {
	case d.ranged:
		return fmt.Sprintf("bytes=%d-%d", offset, offset+d.left-1)
	case offset > 0:
		return fmt.Sprintf("bytes=%d-", offset)
	}
	return ""
}

// take makes the answer the stream's body, at offset also when the server
// ignored the range.
func (d *download) take(res *http.Response, w *wire, offset int64) error {
	d.body = newSteadyBody(res.Body, w.cfg.IdleTimeout)
	if res.StatusCode == http.StatusPartialContent {
		var from int64 = -1
		_, _ = fmt.Sscanf(res.Header.Get("Content-Range"), "bytes %d-", &from) // -1 says it could not be read
		if from != offset {
			_ = d.body.Close() // useless bytes
			return netFailure(d.ctx, d.call, errors.New("the media host sent another range than asked"))
		}
		return nil
	}
	if _, err := io.CopyN(io.Discard, d.body, offset); err != nil && !errors.Is(err, io.EOF) {
		_ = d.body.Close() // broken already
		return netFailure(d.ctx, d.call, err)
	}
	return nil
}

func (d *download) Read(p []byte) (int, error) {
	if d.ranged {
		if d.left == 0 {
			return 0, io.EOF
		}
		p = p[:min(int64(len(p)), d.left)]
	}
	n, err := d.body.Read(p)
	d.left -= int64(n)
	if d.read += int64(n); d.read > d.most {
		return 0, outward(tooLarge(d.call, fmt.Sprintf("the file is larger than %d bytes", d.most)))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = outward(netFailure(d.ctx, d.call, err))
	}
	return n, err
}

func (d *download) Close() error { return d.body.Close() }

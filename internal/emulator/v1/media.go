package v1

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"time"

	"confluence-mcp/internal/emulator/site"
)

// ticketLife is how long a media address works.
const ticketLife = 10 * time.Minute

// ticket is what a media address's token says: whose view opens which version
// of which file, until when.
type ticket struct {
	Cloud   string `json:"c"`
	User    string `json:"u"`
	ID      string `json:"i"`
	Version int    `json:"v"`
	Until   int64  `json:"e"`
}

// sign packs a ticket. The key is no secret: nothing real hangs on it, it only
// keeps tests from making up addresses.
func (t ticket) sign() string {
	raw, _ := json.Marshal(t) // plain fields cannot fail
	text := base64.RawURLEncoding.EncodeToString(raw)
	return text + "." + base64.RawURLEncoding.EncodeToString(seal(text))
}

func seal(text string) []byte {
	mac := hmac.New(sha256.New, []byte("emulated media host"))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func openTicket(token string) (ticket, bool) {
	var t ticket
	text, mac, _ := strings.Cut(token, ".")
	sum, err := base64.RawURLEncoding.DecodeString(mac)
	if err != nil || !hmac.Equal(sum, seal(text)) {
		return t, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return t, err == nil && json.Unmarshal(raw, &t) == nil
}

// MediaHandler is the media host: it serves the bytes that a download was
// redirected to, ranges included. find gives the site of a cloud id. A request
// with an Authorization header is refused with 400, whatever its token says,
// so that a client that leaks credentials to another host is caught; a bad or
// expired token is 403.
func MediaHandler(find func(cloudID string) (*site.Site, bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			http.Error(w, "this host takes no credentials", http.StatusBadRequest)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		t, ok := openTicket(r.URL.Query().Get("token"))
		s, known := find(t.Cloud)
		if !ok || !known || s.Now().Unix() > t.Until {
			http.Error(w, "invalid token", http.StatusForbidden)
			return
		}
		serveFile(w, r, s, t)
	})
}

func serveFile(w http.ResponseWriter, r *http.Request, s *site.Site, t ticket) {
	var file *site.Content
	var ver site.Version
	var ok bool
	s.Read(t.User, func(v *site.View) {
		if file, ok = v.Content(t.ID); ok {
			ver, ok = v.Version(file, t.Version)
		}
	})
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", ver.MediaType)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": ver.Title}))
	http.ServeContent(w, r, "", ver.At, bytes.NewReader(ver.Data))
}

package wire

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"confluence-mcp/internal/emulator/site"
)

// WebPath is where people read a page, blogpost, folder or comment, below the
// site's base. The home page of a space has the space's own address.
func WebPath(v *site.View, c *site.Content) string {
	space := "/spaces/" + c.Space
	switch c.Type {
	case "folder":
		return space + "/folder/" + c.ID
	case "blogpost":
		return space + "/blog/" + c.Created.UTC().Format("2006/01/02") + "/" + c.ID + "/" + url.QueryEscape(c.Title)
	case "comment":
		return WebPath(v, v.Container(c)) + "?focusedCommentId=" + c.ID
	}
	if sp, ok := v.SpaceByKey(c.Space); ok && v.HomeID(sp) == c.ID {
		return space + "/overview"
	}
	return space + "/pages/" + c.ID + "/" + url.QueryEscape(c.Title)
}

// TinyPath is the short address of a content, below the site's base.
func TinyPath(c *site.Content) string {
	n, err := strconv.ParseUint(strings.TrimPrefix(c.ID, "att"), 10, 64)
	if err != nil {
		return "/x/" + c.ID
	}
	text := strings.TrimRight(base64.StdEncoding.EncodeToString(binary.LittleEndian.AppendUint64(nil, n)), "A=")
	return "/x/" + strings.NewReplacer("/", "-", "+", "_").Replace(text)
}

// FileID is the media service's id of a file, which is not the attachment's.
func FileID(c *site.Content) string {
	n, _ := strconv.ParseUint(strings.TrimPrefix(c.ID, "att"), 10, 64) // ids that are no number share the zero file id
	return fmt.Sprintf("%08x-1111-4111-8111-%012x", n&0xffffffff, n)
}

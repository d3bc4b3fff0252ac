package wiki

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// firstAttachmentID keeps attachments away from all page ids.
const firstAttachmentID = 10_000_000_000

// attachments writes the files of a page: none for six pages of ten.
func (c *converter) attachments(p place, id, h uint64, page contentLine) {
	if h%10 < 6 {
		return
	}
	for i := range 1 + h/16%3 {
		ext, kind, data := file(mix(h + i))
		c.lines.put(contentLine{Kind: "content", ID: strconv.FormatUint(firstAttachmentID+id*4+i, 10), Type: "attachment",
			Space: page.Space, Parent: page.ID, Title: fmt.Sprintf("%s-%d.%s", slug(page.Title), i+1, ext),
			Author: page.Author, Created: page.Created, Updated: page.Created, Version: 1, MediaType: kind, Data: data})
	}
}

// file is a tiny file of one of four kinds.
func file(h uint64) (ext, kind string, data []byte) {
	switch h % 4 {
	case 0:
		return "png", "image/png", pixel()
	case 1:
		return "pdf", "application/pdf", fmt.Appendf(nil, "%%PDF-1.4\n%% %x\n", h)
	case 2:
		return "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", fmt.Appendf(nil, "PK%x", h)
	}
	return "drawio", "application/vnd.jgraph.mxfile", fmt.Appendf(nil, "<mxfile id=\"%x\"></mxfile>", h)
}

// pixel is a picture of one dot.
func pixel() []byte {
	const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
	raw, _ := base64.StdEncoding.DecodeString(dot) // a constant that decodes
	return raw
}

// slug is a title as a file name: letters and digits, the rest dashes.
func slug(title string) string {
	var b strings.Builder
	dash := false
	for _, c := range strings.ToLower(title) {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			dash = false
			b.WriteRune(c)
		} else {
			dash = true
		}
	}
	if b.Len() == 0 {
		return "file"
	}
	return b.String()
}

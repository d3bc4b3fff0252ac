package v2

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"

	"confluence-mcp/internal/emulator/rendered"
	"confluence-mcp/internal/emulator/site"
)

// listFormats are the body formats that lists take.
func listFormats() []string { return []string{"", "storage", "atlas_doc_format"} }

// singleFormats are the body formats that reads by id take.
func singleFormats() []string {
	return append(listFormats(), "view", "export_view", "anonymous_export_view", "styled_view", "editor")
}

// body renders a storage body of c in a format; without a format it is {}.
func body(v *site.View, c *site.Content, storage, format string) object {
	switch format {
	case "":
		return object{}
	case "storage", "editor":
		return object{format: object{"representation": format, "value": storage}}
	case "atlas_doc_format":
		return object{format: object{"representation": format, "value": adf(storage)}}
	case "anonymous_export_view":
		v = v.As("")
	}
	return object{format: object{"representation": format, "value": rendered.Body(v, c, storage)}}
}

var (
	blockEnd   = regexp.MustCompile(`(?i)</(?:p|h[1-6]|li|tr|pre|div|blockquote)>|<br\s*/?>`)
	anyTag     = regexp.MustCompile(`<[^>]*>`)
	blankLines = regexp.MustCompile(`\n{2,}`)
)

// text is what a storage body reads as, a line a block.
func text(storage string) string {
	lines := anyTag.ReplaceAllString(blockEnd.ReplaceAllString(rendered.Plain(storage), "\n"), "")
	return strings.TrimSpace(blankLines.ReplaceAllString(html.UnescapeString(lines), "\n"))
}

// adf is a storage body as a document of plain paragraphs, as a JSON string.
func adf(storage string) string {
	content := []object{}
	for line := range strings.SplitSeq(text(storage), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			content = append(content, object{"type": "paragraph", "content": []object{{"type": "text", "text": line}}})
		}
	}
	raw, err := json.Marshal(object{"type": "doc", "version": 1, "content": content})
	if err != nil {
		panic("v2: a document of strings does not marshal: " + err.Error())
	}
	return string(raw)
}

// adfNode is as much of a document node as storageOf needs.
type adfNode struct {
	Type    string    `json:"type"`
	Text    string    `json:"text"`
	Content []adfNode `json:"content"`
}

// written is the body of a create or update request, which comes plain or
// nested below its representation.
type written struct {
	Representation string   `json:"representation"`
	Value          string   `json:"value"`
	Storage        *written `json:"storage"`
	ADF            *written `json:"atlas_doc_format"`
	Wiki           *written `json:"wiki"`
}

// storageOf turns a written body into storage. Documents and wiki text keep
// their words, a paragraph a block.
func (b *written) storageOf() (string, error) {
	if b == nil {
		return "", nil
	}
	for name, nested := range map[string]*written{"storage": b.Storage, "atlas_doc_format": b.ADF, "wiki": b.Wiki} {
		if nested != nil {
			nested.Representation = name
			return nested.storageOf()
		}
	}
	switch b.Representation {
	case "storage":
		return b.Value, nil
	case "wiki":
		return paragraphs(strings.Split(b.Value, "\n")), nil
	case "atlas_doc_format":
		var doc adfNode
		if err := json.Unmarshal([]byte(b.Value), &doc); err != nil || doc.Type != "doc" {
			return "", invalid("The atlas_doc_format value is not a document")
		}
		return paragraphs(doc.blocks()), nil
	}
	return "", invalid("body.representation {%s} is not one of [storage, atlas_doc_format, wiki]", b.Representation)
}

func paragraphs(lines []string) string {
	var out strings.Builder
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			out.WriteString("<p>" + html.EscapeString(line) + "</p>")
		}
	}
	return out.String()
}

// blocks is the text of each node that holds text.
func (n adfNode) blocks() []string {
	var line strings.Builder
	var out []string
	for _, kid := range n.Content {
		if kid.Type == "text" {
			line.WriteString(kid.Text)
			continue
		}
		out = append(out, kid.blocks()...)
	}
	if line.Len() > 0 {
		out = append(out, line.String())
	}
	return out
}

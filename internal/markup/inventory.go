package markup

import (
	"net/url"
	"sort"
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// Inventory counts what a page holds beside text: what a policy judges a write
// by and what a write must not lose. Maps go from a name to how often it occurs.
type Inventory struct {
	Macros      map[string]int // by macro name
	Mentions    map[string]int // by user id
	Pages       map[string]int // links to pages: "SPACE/Title", "/Title" in the same space
	Hosts       map[string]int // hosts of links and pictures that lead out of Confluence
	Attachments map[string]int // file names shown or linked
	Images      int
	Captions    int // of pictures
	Tasks       int
	Dates       int
	Comments    map[string]int // inline comment markers by reference
	Anchors     int
	Emoji       int
	Merged      int // table cells that span rows or columns
	Hidden      int // characters that show nothing
	Placeholder int // template instructions and other text readers do not see
}

// Inventory counts the page. Hosts are lower case.
func (d *Document) Inventory() Inventory { return takeInventory(d.tree) }

func takeInventory(t *storage.Tree) Inventory {
	v := Inventory{Macros: map[string]int{}, Mentions: map[string]int{}, Pages: map[string]int{}, Hosts: map[string]int{},
		Attachments: map[string]int{}, Comments: map[string]int{}}
	v.count(t, t.Root)
	return v
}

func (v *Inventory) count(t *storage.Tree, n *storage.Node) {
	for k := n.First; k != nil; k = k.Next {
		switch k.Kind {
		case storage.Element:
			v.element(t, k)
			v.count(t, k)
		case storage.Text, storage.CDATA:
			v.Hidden += hiddenIn(t.Inner(k))
		}
	}
}

func hiddenIn(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 || s[i] == '&' {
			for _, c := range storage.Decode(s[i:]) {
				if hiddenRune(c) && !joiner(c) {
					n++
				}
			}
			break
		}
	}
	return n
}

func (v *Inventory) element(t *storage.Tree, k *storage.Node) {
	switch k.Name {
	case "ac:structured-macro", "ac:macro":
		name := t.Attr(k, "ac:name")
		v.Macros[name]++
		if name == "anchor" {
			v.Anchors++
		}
	case "ac:adf-extension":
		v.Macros["adf-extension"]++
	case "ac:image":
		v.Images++
	case "ac:task":
		v.Tasks++
	case "time":
		v.Dates++
	case "ac:emoticon":
		v.Emoji++
	case "ac:inline-comment-marker":
		v.Comments[t.Attr(k, "ac:ref")]++
	case "td", "th":
		if spans(t.Attr(k, "colspan")) || spans(t.Attr(k, "rowspan")) {
			v.Merged++
		}
	case "ac:caption":
		if strings.TrimSpace(t.Text(k)) != "" {
			v.Captions++
		}
	case "ac:placeholder":
		v.Placeholder++
	default:
		v.reference(t, k)
	}
}

// spans tells whether a span is of more than the cell itself.
func spans(n string) bool { return n != "" && n != "1" }

// reference counts what points to something else.
func (v *Inventory) reference(t *storage.Tree, k *storage.Node) {
	switch k.Name {
	case "ri:user":
		v.Mentions[userID(t, k)]++
	case "ri:page", "ri:blog-post":
		v.Pages[t.Attr(k, "ri:space-key")+"/"+t.Attr(k, "ri:content-title")]++
	case "ri:content-entity":
		v.Pages["#"+t.Attr(k, "ri:content-id")]++
	case "ri:space":
		v.Pages[t.Attr(k, "ri:space-key")+"/"]++
	case "ri:shortcut":
		v.Pages["shortcut "+t.Attr(k, "ri:key")+"/"+t.Attr(k, "ri:parameter")]++
	case "ri:attachment":
		v.Attachments[t.Attr(k, "ri:filename")]++
	case "ri:url":
		v.host(t.Attr(k, "ri:value"))
	case "a":
		v.host(t.Attr(k, "href"))
	case "img":
		v.Images++
		v.host(t.Attr(k, "src"))
	}
}

func (v *Inventory) host(address string) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err == nil && u.Host != "" {
		v.Hosts[strings.ToLower(u.Hostname())]++
	}
}

// sortedKeys lists the names of a count in order.
func sortedKeys(m map[string]int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

package markup

import (
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// forbiddenMacro names macros that run or load foreign code in a reader's browser.
func forbiddenMacro(name string) bool {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "html", "html-include", "script", "iframe", "style", "javascript", "html-wrap", "html-bobswift", "html-xhtml":
		return true
	}
	return false
}

func refuseMacro(name string) *Error {
	return fail("refused", "Leave it out; only an administrator may add it in Confluence.", "the macro %q runs foreign code and is not written", cut(name, 40))
}

// forbiddenAddress tells addresses that run code when followed.
func forbiddenAddress(address string) bool {
	plain := strings.ToLower(strings.Map(func(c rune) rune {
		if c <= ' ' || hiddenRune(c) {
			return -1
		}
		return c
	}, storage.Decode(address)))
	for _, p := range []string{"javascript:", "vbscript:", "data:", "livescript:", "file:"} {
		if strings.HasPrefix(plain, p) {
			return true
		}
	}
	return false
}

func refuseAddress(address string) *Error {
	return fail("refused", "Use an https address, a file name or a confluence: link.", "the address %q is not written", cut(address, 60))
}

func forbiddenElement(name string) bool {
	switch strings.ToLower(name) {
	case "script", "iframe", "object", "embed", "applet", "form", "input", "button", "link", "meta", "base", "svg", "math", "style", "frame", "frameset":
		return true
	}
	return false
}

// Validate checks a storage value before it is sent: well-formed, and no
// active content that base did not hold. base may be empty.
// Errors: markup.malformed, markup.too_large, markup.refused.
func Validate(value, base string) error {
	t := storage.Parse(value)
	if t.Fault != nil {
		err := faultError(t.Fault)
		err.Message = strings.Replace(err.Message, "the storage can be read but not edited", "the storage is not valid", 1)
		err.Next = "Repair it at that place."
		return err
	}
	found := map[string]int{}
	active(t, t.Root, found)
	if len(found) == 0 {
		return nil
	}
	before := map[string]int{}
	if base != "" {
		b := storage.Parse(base)
		active(b, b.Root, before)
	}
	for _, what := range sortedKeys(found) {
		if found[what] > before[what] {
			return fail("refused", "Leave it out.", "active content is not written: %s", cut(what, 80))
		}
	}
	return nil
}

// active counts active content by name.
func active(t *storage.Tree, n *storage.Node, found map[string]int) {
	for k := n.First; k != nil; k = k.Next {
		if k.Kind != storage.Element {
			continue
		}
		if forbiddenElement(k.Name) {
			found["element "+k.Name]++
		}
		if k.Name == "ac:structured-macro" || k.Name == "ac:macro" {
			if name := t.Attr(k, "ac:name"); forbiddenMacro(name) {
				found["macro "+name]++
			}
		}
		if k.OpenEnd-k.Start > int32(len(k.Name))+3 {
			t.Attrs(k, func(name, value string) {
				local := strings.ToLower(name[strings.IndexByte(name, ':')+1:])
				if strings.HasPrefix(name, "on") || (local == "href" || local == "src" || local == "value") && forbiddenAddress(value) {
					found["address or handler "+name+"="+value]++
				}
			})
		}
		active(t, k, found)
	}
}

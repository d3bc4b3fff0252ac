package rendered

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// element is a node of a storage body; text has no name.
type element struct {
	name string // with its prefix
	attr map[string]string
	text string
	kids []*element
}

func elements(storage string) (*element, error) {
	d := xml.NewDecoder(strings.NewReader("<body>" + storage + "</body>"))
	d.Entity = xml.HTMLEntity
	root := &element{}
	open := []*element{root}
	for {
		tok, err := d.Token()
		if tok == nil {
			return root, ended(err)
		}
		top := open[len(open)-1]
		switch t := tok.(type) {
		case xml.StartElement:
			e := &element{name: prefixed(t.Name), attr: map[string]string{}}
			for _, a := range t.Attr {
				e.attr[prefixed(a.Name)] = a.Value
			}
			top.kids = append(top.kids, e)
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			top.kids = append(top.kids, &element{text: string(t)})
		}
	}
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func prefixed(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

func (e *element) child(name string) *element {
	for _, k := range e.kids {
		if k.name == name {
			return k
		}
	}
	return &element{}
}

func (e *element) param(name string) string {
	for _, k := range e.kids {
		if k.name == "ac:parameter" && k.attr["ac:name"] == name {
			return k.words()
		}
	}
	return ""
}

func (e *element) words() string {
	if e.name == "" && e.kids == nil {
		return e.text
	}
	var b strings.Builder
	for _, k := range e.kids {
		b.WriteString(k.words())
	}
	return b.String()
}

// find is the first element below e, in the order of the text, that is wanted.
func (e *element) find(wanted func(*element) bool) *element {
	for _, k := range e.kids {
		if wanted(k) {
			return k
		}
		if found := k.find(wanted); found != nil {
			return found
		}
	}
	return nil
}

// bodies are the words a link has of its own, if any.
func (e *element) bodies() []*element {
	for _, k := range e.kids {
		if k.name == "ac:link-body" || k.name == "ac:plain-text-link-body" {
			return k.kids
		}
	}
	return nil
}

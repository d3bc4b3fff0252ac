package rendered

import (
	"html"
	"slices"
	"strings"
)

func (r *renderer) kids(e *element) {
	for _, k := range e.kids {
		r.element(k)
	}
}

func (r *renderer) element(e *element) {
	switch e.name {
	case "":
		r.out.WriteString(html.EscapeString(e.text))
	case "body":
		r.kids(e)
	case "ac:structured-macro", "ac:macro":
		r.macro(e)
	case "ac:task-list":
		r.tasks(e)
	case "ac:link":
		r.link(e)
	case "ac:parameter", "ac:task-id", "ac:task-status", "ac:task-uuid", "ac:placeholder":
	case "ac:image":
		name := e.child("ri:attachment").attr["ri:filename"]
		r.out.WriteString(`<img class="confluence-embedded-image" data-linked-resource-default-alias="` + html.EscapeString(name) + `" alt="` + html.EscapeString(e.attr["ac:alt"]) + `">`)
		r.kids(e.child("ac:caption"))
	default:
		r.plain(e)
	}
}

// plain renders an element of HTML, and of a Confluence element what is in it.
func (r *renderer) plain(e *element) {
	if strings.Contains(e.name, ":") {
		r.kids(e)
		return
	}
	r.out.WriteString("<" + e.name)
	for _, name := range []string{"href", "colspan", "rowspan", "datetime", "src", "alt"} {
		if v, ok := e.attr[name]; ok {
			r.out.WriteString(" " + name + `="` + html.EscapeString(v) + `"`)
		}
	}
	r.out.WriteByte('>')
	if slices.Contains([]string{"br", "hr", "img", "col"}, e.name) {
		return
	}
	r.kids(e)
	r.out.WriteString("</" + e.name + ">")
}

func (r *renderer) macro(e *element) {
	body, title := e.child("ac:rich-text-body"), html.EscapeString(e.param("title"))
	switch name := e.attr["ac:name"]; name {
	case "info", "tip", "note", "warning":
		kind := map[string]string{"info": "information"}[name]
		if kind == "" {
			kind = name
		}
		r.out.WriteString(`<div class="confluence-information-macro confluence-information-macro-` + kind + ` conf-macro output-block" data-macro-name="` + name + `">`)
		if title != "" {
			r.out.WriteString(`<p class="title">` + title + `</p>`)
		}
		r.wrapped(`<div class="confluence-information-macro-body">`, body, "</div></div>")
	case "panel":
		r.wrapped(`<div class="panel"><div class="panelHeader"><b>`+title+`</b></div><div class="panelContent">`, body, "</div></div>")
	case "expand":
		r.wrapped(`<div class="expand-container"><div class="expand-control"><span class="expand-control-text">`+title+`</span></div><div class="expand-content">`, body, "</div></div>")
	case "code":
		r.out.WriteString(`<div class="code panel"><div class="codeContent panelContent"><pre class="syntaxhighlighter-pre" data-syntaxhighlighter-params="brush: ` +
			html.EscapeString(e.param("language")) + `; gutter: false">` + html.EscapeString(e.child("ac:plain-text-body").words()) + "</pre></div></div>")
	case "status":
		r.out.WriteString(`<span class="status-macro aui-lozenge ` + lozenge(e.param("colour")) + `">` + title + "</span>")
	case "jira":
		key := html.EscapeString(e.param("key"))
		r.out.WriteString(`<span class="jira-issue" data-jira-key="` + key + `">` + key + "</span>")
	case "toc":
		r.toc()
	case "include":
		r.include(e)
	case "excerpt-include":
		r.excerptInclude(e)
	case "children":
		r.children()
	default:
		r.other(e, body)
	}
}

// other is a macro that has no shape of its own here.
func (r *renderer) other(e, body *element) {
	if e.attr["ac:name"] == "excerpt" && e.param("hidden") == "true" {
		return // it is there for other pages to include
	}
	if plain := e.child("ac:plain-text-body").words(); plain != "" {
		r.out.WriteString("<pre>" + html.EscapeString(plain) + "</pre>")
	}
	r.kids(body)
}

func (r *renderer) wrapped(before string, e *element, after string) {
	r.out.WriteString(before)
	r.kids(e)
	r.out.WriteString(after)
}

func lozenge(colour string) string {
	class := map[string]string{"green": "success", "red": "error", "yellow": "current", "blue": "complete", "purple": "new"}[strings.ToLower(colour)]
	if class == "" {
		return "aui-lozenge-default"
	}
	return "aui-lozenge-" + class
}

func (r *renderer) tasks(e *element) {
	r.out.WriteString(`<ul class="inline-task-list">`)
	for _, k := range e.kids {
		if k.name != "ac:task" {
			continue
		}
		class := ""
		if k.child("ac:task-status").words() == "complete" {
			class = ` class="checked"`
		}
		r.wrapped("<li"+class+` data-inline-task-id="`+html.EscapeString(k.child("ac:task-id").words())+`"><span>`, k.child("ac:task-body"), "</span></li>")
	}
	r.out.WriteString("</ul>")
}

// toc lists the headings of the page.
func (r *renderer) toc() {
	r.out.WriteString(`<div class="toc-macro"><ul>`)
	var walk func(e *element)
	walk = func(e *element) {
		for _, k := range e.kids {
			if len(k.name) == 2 && k.name[0] == 'h' && k.name[1] >= '1' && k.name[1] <= '6' {
				words := k.words()
				r.out.WriteString(`<li><a href="#` + html.EscapeString(strings.Join(strings.Fields(words), "-")) + `">` + html.EscapeString(words) + "</a></li>")
			}
			walk(k)
		}
	}
	walk(r.root)
	r.out.WriteString("</ul></div>")
}

package rendered

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// include puts another page in the place of the macro. One that is hidden from
// the user and one that does not exist read the same.
func (r *renderer) include(e *element) {
	key, title := r.target(e)
	p, ok := r.view.PageByTitle(key, title)
	switch {
	case !ok:
		r.problem("Unable to render {include}", "The included page could not be found.")
	case slices.Contains(r.within, p.ID):
		r.problem("Unable to render {include}", "Already included page '"+p.Title+"', stopping")
	default:
		r.out.WriteString(r.inside(p).page(p.Storage))
	}
}

// excerptInclude puts the excerpt of another page in the place of the macro.
// Unlike include its words tell a hidden page from one that does not exist,
// as those of the real one do.
func (r *renderer) excerptInclude(e *element) {
	key, title := r.target(e)
	p, ok := r.view.PageByTitle(key, title)
	switch {
	case !ok && r.view.TitleTaken(key, title):
		r.problem("Error rendering macro 'excerpt-include'",
			fmt.Sprintf(": User '%s' does not have permission to view the page '%s:%s'.", r.user(), key, title))
	case !ok:
		r.problem("Error rendering macro 'excerpt-include'", fmt.Sprintf(": No link could be created for '%s'.", title))
	case slices.Contains(r.within, p.ID):
		r.problem("Error rendering macro 'excerpt-include'", ": Already included page '"+p.Title+"', stopping")
	default:
		shown := r.inside(p).excerpt(p.Storage, e.param("name"))
		if e.param("nopanel") != "true" {
			shown = `<div class="panel"><div class="panelHeader"><b>` + html.EscapeString(p.Title) + `</b></div><div class="panelContent">` + shown + "</div></div>"
		}
		r.out.WriteString(shown)
	}
}

// inside is a renderer for a page that is included here: what it includes
// itself is sought beside it.
func (r *renderer) inside(p *site.Content) *renderer {
	return &renderer{view: r.view, on: p, within: append(slices.Clone(r.within), p.ID)}
}

// excerpt renders the first excerpt of a body, or the one of a name.
func (r *renderer) excerpt(storage, name string) string {
	root, err := elements(storage)
	if err != nil {
		return ""
	}
	found := root.find(func(e *element) bool {
		return e.attr["ac:name"] == "excerpt" && e.param("name") == name
	})
	if found == nil {
		return ""
	}
	return r.shown(root, found.child("ac:rich-text-body"))
}

// target is the page a macro names in its unnamed parameter: a link, or the
// text SPACE:Title or Title.
func (r *renderer) target(e *element) (space, title string) {
	if to := e.find(func(k *element) bool { return k.name == "ri:page" }); to != nil {
		return r.spaceOf(to), to.attr["ri:content-title"]
	}
	words := strings.TrimSpace(e.param(""))
	if key, rest, ok := strings.Cut(words, ":"); ok {
		return key, rest
	}
	return r.on.Space, words
}

func (r *renderer) spaceOf(to *element) string {
	if key := to.attr["ri:space-key"]; key != "" {
		return key
	}
	return r.on.Space
}

func (r *renderer) user() string {
	if me := r.view.Me(); me != nil {
		return me.ID
	}
	return "null"
}

func (r *renderer) problem(what, why string) {
	r.out.WriteString(`<div class="error"><span class="error">` + html.EscapeString(what) + "</span> " + html.EscapeString(why) + "</div>")
}

// children lists the pages below the page, those the user sees.
func (r *renderer) children() {
	r.out.WriteString(`<ul class="childpages-macro">`)
	for _, c := range r.view.Children(r.on.ID) {
		r.out.WriteString("<li>" + r.anchor(r.path(c), html.EscapeString(c.Title)) + "</li>")
	}
	r.out.WriteString("</ul>")
}

// link shows where a link leads by its own words or, without any, by the name of
// what it leads to. An address is there only for what the user sees.
func (r *renderer) link(e *element) {
	words := &renderer{view: r.view, on: r.on, within: r.within}
	shown := words.shown(r.root, &element{kids: e.bodies()})
	address, name := r.aim(e)
	if len(e.bodies()) == 0 {
		shown = html.EscapeString(name)
	}
	r.out.WriteString(r.anchor(address, shown))
}

func (r *renderer) anchor(address, shown string) string {
	if address == "" {
		return shown
	}
	return `<a href="` + html.EscapeString(address) + `">` + shown + "</a>"
}

// aim is the address and the name of what a link leads to.
func (r *renderer) aim(e *element) (address, name string) {
	place := e.attr["ac:anchor"]
	if place != "" {
		address, name = "#"+place, place
	}
	for _, k := range e.kids {
		switch k.name {
		case "ri:page":
			name = k.attr["ri:content-title"]
			if p, ok := r.view.PageByTitle(r.spaceOf(k), name); ok {
				return r.path(p) + address, name
			}
			return "", name
		case "ri:blog-post":
			return "", k.attr["ri:content-title"]
		case "ri:attachment":
			return "", k.attr["ri:filename"]
		case "ri:url":
			return k.attr["ri:value"], k.attr["ri:value"]
		case "ri:space":
			if sp, ok := r.view.SpaceByKey(k.attr["ri:space-key"]); ok {
				return "/wiki/spaces/" + sp.Key, sp.Name
			}
			return "", k.attr["ri:space-key"]
		case "ri:user":
			if u, ok := r.view.User(k.attr["ri:account-id"]); ok {
				return "/wiki/people/" + u.ID, u.Name
			}
			return "", "Unknown User"
		}
	}
	return address, name
}

func (r *renderer) path(c *site.Content) string { return "/wiki" + wire.WebPath(r.view, c) }

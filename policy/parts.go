package policy

import (
	"strings"
	"time"

	"confluence-mcp/policy/profile"
	"confluence-mcp/policy/rule"
)

const typePage = "page" // what a part is about that no other kind is told of

// ReadTool is the tool whose rules judge every look at a page, also the looks
// that are part of a write.
const ReadTool = "confluence_get_page"

// Showing is when the answer of a write shows the page it is about.
type Showing int

// When a write shows its page.
const (
	ShowsNever Showing = iota
	ShowsDry           // its dry run does
	ShowsFound         // its dry run does, and what it says of a text it looks for
	ShowsAlways
)

// Shows says when the write by a tool shows the page it is about: only tools of
// group pages do, by their diffs and by the places they find.
func Shows(tool string, g Group, a Action) Showing {
	switch {
	case g != Pages || a == Read:
		return ShowsNever
	case tool == "confluence_update_page", tool == "confluence_update_comment":
		return ShowsAlways
	case tool == "confluence_add_comment":
		return ShowsFound
	}
	return ShowsDry
}

// AsRead is the look at a page, or at a template, that is part of the write r:
// kind and id say at which.
func (r Request) AsRead(kind, id string) Request {
	r.Tool, r.Group, r.Action, r.Change = ReadTool, Pages, Read, Change{}
	r.Resource.Type, r.Resource.ID = kind, id
	return r
}

// At is the write r judged where else it reaches.
func (r Request) At(other Resource) Request {
	r.Resource = other
	return r
}

// Elsewhere is what a write reaches besides what it acts on, and how it is
// asked. What is nil is not known.
type Elsewhere struct {
	Target *Resource // the page a move or a new page goes to
	Below  *Resource // the page a move beside Target ends below
	Source *Resource // the page or template whose text a new page takes
	DryRun bool
	Finds  bool // a comment names a text of the page
}

// Part is one of the judgements a live call is made up of. When is empty where
// it is part of this very call, else it says in which calls it is.
type Part struct {
	Name    string       `json:"part"`
	When    string       `json:"when,omitempty"`
	Request Request      `json:"call"`
	Result  Decision     `json:"decision"`
	Effect  string       `json:"effect"`
	Rules   []rule.Trace `json:"rules"`

	lasts bool // it decides; the others can only deny
}

// ExplainCall judges a whole call the way a live one is judged: a write before
// its change is known, what it reads, the change, and where else it reaches.
// The answer is the first denial, else the strictest decision on the change.
// Only parts without a When count.
func (p *Profile) ExplainCall(r Request, e Elsewhere) (Decision, []Part) {
	parts := Parts(r, e)
	var answer *Decision
	denied := false
	for i := range parts {
		one := &parts[i]
		one.Result, one.Rules = p.Explain(one.Request)
		one.Effect = one.Result.Effect.String()
		if one.When != "" || denied {
			continue
		}
		denied = one.Result.Effect == Deny
		if denied || one.lasts && (answer == nil || one.Result.Effect < answer.Effect) {
			answer = &one.Result
		}
	}
	return *answer, parts
}

// Parts lists what a live call is judged by, in that order and not yet judged.
// r is the call with its change worked out.
func Parts(r Request, e Elsewhere) []Part {
	own := Part{Name: "the call", Request: r, lasts: true}
	if r.Action == Read {
		return []Part{own}
	}
	own.Name = "the change"
	parts := []Part{{Name: "the write, before its change is known", Request: beforehand(r)}}
	if look, ok := lookAt(r, e); ok {
		parts = append(parts, look)
	}
	if source, ok := sourceOf(r, e); ok {
		parts = append(parts, source)
	}
	parts = append(parts, own)
	return append(parts, targetsOf(r, e)...)
}

// beforehand is a write as it is judged from its arguments alone.
func beforehand(r Request) Request {
	was := r.Change
	r.Change = Change{}
	switch r.Tool {
	case "confluence_create_page", "confluence_create_space":
		r.Change = Change{TargetSpaceKey: was.TargetSpaceKey, Title: was.Title}
	case "confluence_upload_attachment":
		r.Resource.AttachmentBytes = 0
	case "confluence_delete_attachment":
		r.Change.MediaType = was.MediaType
	}
	if _, action, ok := profile.Cell(r.Tool); ok { // an upload may turn out to replace a file
		r.Action = Action(action)
	}
	return r
}

func lookAt(r Request, e Elsewhere) (Part, bool) {
	kind, id := r.Resource.Type, r.Resource.ID
	if kind != "blogpost" && kind != typePage {
		if kind != "" { // of a comment only the page is looked at, and its id is not told
			id = ""
		}
		kind = typePage
	}
	out := Part{Name: "reading the page, which the answer shows", Request: r.AsRead(kind, id)}
	shows := Shows(r.Tool, r.Group, r.Action)
	switch {
	case r.Tool == "confluence_create_page" || shows == ShowsNever:
		return Part{}, false
	case shows == ShowsAlways, e.DryRun, shows == ShowsFound && e.Finds:
	case shows == ShowsFound:
		out.When = "in a dry run, or with inline_text"
	default:
		out.When = "in a dry run"
	}
	return out, true
}

func sourceOf(r Request, e Elsewhere) (Part, bool) {
	if r.Tool != "confluence_create_page" {
		return Part{}, false
	}
	out := Part{Name: "reading what the new page is made from", When: "with copy_from or template_id"}
	from := Resource{UpdatedAt: time.Unix(0, 0).UTC()}
	if e.Source != nil {
		from, out.When = *e.Source, ""
	}
	if from.Type == "" {
		from.Type = typePage
	}
	out.Request = r.At(from).AsRead(from.Type, from.ID)
	return out, true
}

// targetsOf are where a move or a new page goes: the page that is named, and
// the one it ends below when it is put beside that.
func targetsOf(r Request, e Elsewhere) []Part {
	move := strings.HasSuffix(r.Tool, "_move_page")
	if !move && r.Tool != "confluence_create_page" {
		return nil
	}
	to := Part{Name: "the change, judged at the page it goes to", lasts: true}
	there := Resource{Known: true, Type: typePage, SpaceKey: r.Change.TargetSpaceKey, ID: r.Change.TargetParentID}.Only("type", "id", "space_key")
	switch {
	case e.Target != nil:
		there = *e.Target
	case there.SpaceKey == "", !move && there.ID == "":
		to.When = "once it is known where it goes"
	}
	to.Request = r.At(placed(there))
	if !move {
		return []Part{to}
	}
	below := Part{Name: "the change, judged at the page it ends below", When: "with position before or after", lasts: true, Request: r.At(placed(Resource{}))}
	if e.Below != nil {
		below.When, below.Request = "", r.At(placed(*e.Below))
	}
	return []Part{to, below}
}

// placed is a place as it is judged when all is said of it that will be.
func placed(r Resource) Resource {
	if r.Type == "" {
		r.Type = typePage
	}
	if r.UpdatedAt.IsZero() {
		r.UpdatedAt = time.Unix(0, 0).UTC()
	}
	return r
}

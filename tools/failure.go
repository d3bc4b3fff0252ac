package tools

import (
	"context"
	"errors"

	"confluence-mcp/internal/confluence"
)

// public is err as a caller may see it: always with a message, never with the
// text of an error nobody classified.
func public(err error) confluence.Error {
	var e *confluence.Error
	if !errors.As(err, &e) {
		e = &confluence.Error{Kind: confluence.Internal}
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			e = &confluence.Error{Kind: confluence.Unavailable, Code: "net.timeout",
				Message: "The call took too long and was given up.", Next: "Ask for less, or try again."}
		}
	}
	shown := *e
	if shown.Kind == confluence.Internal {
		ref := shown.Ref
		shown.Message = "Something went wrong inside the server."
		shown.Next = "Try again; if it keeps happening, tell the administrator."
		if ref != "" && shown.Code == panicCode {
			shown.Next = "Try again; if it keeps happening, tell the administrator this reference: " + ref + "."
		}
		shown.Code = ""
		return shown
	}
	said := sayings[shown.Kind]
	if shown.Message == "" {
		shown.Message = said[0]
	}
	if shown.Next == "" {
		shown.Next = said[1]
	}
	return shown
}

// sayings hold message and next step of each kind, for errors that bring none.
var sayings = map[confluence.Kind][2]string{
	confluence.Invalid:     {"The request is not valid.", "Check the arguments and call again."},
	confluence.Denied:      {"This is not allowed.", "Do not repeat the call; ask the administrator if it should be allowed."},
	confluence.Waiting:     {"This needs an approval.", "Tell the person you work for; do not repeat the call."},
	confluence.NotFound:    {"It does not exist, or you may not see it.", "Check the id, or search for it with confluence_search."},
	confluence.Conflict:    {"It was changed by somebody else in the meantime.", "Read it again and repeat the change on the new version."},
	confluence.Expired:     {"Confluence did not accept the credentials.", "Ask the administrator to reconnect Confluence; a 404 from its v2 API and a 403 from v1 both mean this."},
	confluence.Limited:     {"There were too many requests.", "Wait and call again."},
	confluence.Unavailable: {"Confluence did not answer properly.", "Try again in a minute."},
}

// invalid is a refusal of an argument. Code is the part after "input.".
func invalid(code, message, next string) error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "input." + code, Message: message, Next: next}
}

func notFound(what, id string) error {
	return &confluence.Error{Kind: confluence.NotFound, Op: "find " + what, Ref: id,
		Message: what + " " + id + " does not exist, or you may not see it.",
		Next:    "Check the id, or look for it with confluence_search."}
}

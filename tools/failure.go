package tools

import (
	"cmp"
	"context"
	"errors"
	"strings"

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
	message, next := saying(shown.Kind)
	shown.Message = stopped(clip(oneLine(cmp.Or(named(shown), message)), maxSaid))
	shown.Next = stopped(clip(oneLine(cmp.Or(shown.Next, next)), maxSaid))
	return shown
}

// named is the message of an error, as a sentence that names what it is about:
// the client's errors are the second half of one.
func named(e confluence.Error) string {
	what, isHalf := strings.CutPrefix(e.Message, "it ")
	if isHalf && e.Ref != "" {
		return sentence(e.Ref + " " + what)
	}
	if e.Op != "" && e.Message != "" {
		return sentence(e.Message)
	}
	return e.Message
}

// maxSaid bounds a message, in characters; some quote Confluence.
const maxSaid = 1000

// saying is message and next step of a kind, for errors that bring none.
func saying(k confluence.Kind) (message, next string) {
	switch k {
	case confluence.Invalid:
		return "The request is not valid.", "Check the arguments and call again."
	case confluence.Denied:
		return "This is not allowed.", "Do not repeat the call; ask the administrator if it should be allowed."
	case confluence.Waiting:
		return "This needs an approval.", "Tell the person you work for; do not repeat the call."
	case confluence.NotFound:
		return "It does not exist, or you may not see it.", "Check the id, or search for it with confluence_search."
	case confluence.Conflict:
		return "It was changed by somebody else in the meantime.", "Read it again and repeat the change on the new version."
	case confluence.Expired:
		return "Confluence did not accept the credentials.", "Ask the administrator to reconnect Confluence."
	case confluence.Limited:
		return "There were too many requests.", "Wait and call again."
	default:
		return "Confluence did not answer properly.", "Try again in a minute."
	}
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

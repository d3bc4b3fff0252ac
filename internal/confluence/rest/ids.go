package rest

import (
	"regexp"
	"unicode/utf8"

	"confluence-mcp/internal/confluence"
)

// form is what an id looks like. Its length is not said by the expression:
// {1,255} is 255 copies of what is before it, made at each start.
type form struct {
	most  int // characters
	shape *regexp.Regexp
}

// MatchString tells whether an id has the form.
func (f form) MatchString(id string) bool {
	return len(id) <= f.most*utf8.UTFMax && utf8.RuneCountInString(id) <= f.most && f.shape.MatchString(id)
}

var (
	contentID  = form{19, regexp.MustCompile(`^[0-9]+$`)}
	attachID   = form{22, regexp.MustCompile(`^att[0-9]+$`)}
	accountID  = form{128, regexp.MustCompile(`^[A-Za-z0-9:_.@-]+$`)}
	groupID    = form{64, regexp.MustCompile(`^[0-9A-Za-z-]+$`)}
	labelName  = form{255, regexp.MustCompile(`^[^\s\x00-\x1f\x7f]+$`)}
	personal   = regexp.MustCompile(`^~`)
	contentOps = regexp.MustCompile(`^(read|update|delete)$`)
)

// needID checks an id of content: decimal digits, at most 19.
func needID(op, id string) error {
	return need(op, contentID, id, "an id is a number of at most 19 digits")
}

func needAttachment(op, id string) error {
	return need(op, attachID, id, "an attachment id has the form att123")
}

func needAccount(op, id string) error {
	return need(op, accountID, id, "an account id has letters, digits, colons and hyphens only")
}

func needGroup(op, id string) error { return need(op, groupID, id, "a group id is a UUID") }

func need(op string, f form, id, rule string) error {
	if f.MatchString(id) {
		return nil
	}
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.id", Op: op, Message: rule, Next: "Take the id from a listing or a search result."}
}

// needKey checks the key of a space that is not a personal one.
func needKey(op, key string) error {
	if confluence.IsSpaceKey(key) {
		return nil
	}
	message := "a space key has letters and digits only"
	if personal.MatchString(key) {
		message = "personal spaces are not served"
	}
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.space_key", Op: op, Message: message, Next: "Take the key from the list of spaces."}
}

// contentPath is the v2 collection of a content type.
func contentPath(op, contentType string) (string, error) {
	switch contentType {
	case "", confluence.TypePage:
		return "pages", nil
	case confluence.TypeBlogPost:
		return "blogposts", nil
	}
	return "", badType(op)
}

// treePath is the v2 collection of anything that has a place in the tree.
func treePath(op, contentType string) (string, error) {
	switch contentType {
	case "", confluence.TypePage:
		return "pages", nil
	case confluence.TypeFolder, "whiteboard", "database", "embed":
		return contentType + "s", nil
	}
	return "", badType(op)
}

func badType(op string) error {
	return &confluence.Error{Kind: confluence.Invalid, Op: op, Message: "the content type is not one this operation knows", Next: "Use page, blogpost or, for trees, folder."}
}

package rest

import (
	"regexp"

	"confluence-mcp/internal/confluence"
)

var (
	contentID  = regexp.MustCompile(`^[0-9]{1,19}$`)
	attachID   = regexp.MustCompile(`^att[0-9]{1,19}$`)
	spaceKey   = regexp.MustCompile(`^[A-Za-z0-9]{1,255}$`)
	accountID  = regexp.MustCompile(`^[A-Za-z0-9:_.@-]{1,128}$`)
	groupID    = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
	labelName  = regexp.MustCompile(`^[^\s\x00-\x1f\x7f]{1,255}$`)
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

func need(op string, form *regexp.Regexp, id, rule string) error {
	if form.MatchString(id) {
		return nil
	}
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.id", Op: op, Message: rule, Next: "Take the id from a listing or a search result."}
}

// needKey checks the key of a space that is not a personal one.
func needKey(op, key string) error {
	if spaceKey.MatchString(key) {
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

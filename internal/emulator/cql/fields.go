package cql

import "strings"

// nature says how a field is compared.
type nature int

const (
	exact  nature = iota // = != IN NOT IN by value
	titled               // exact, and ~ !~ by terms
	prose                // ~ !~ by terms only
	moment               // = != > >= < <= by time
)

// field is one row of the language's field table. name is the canonical name
// a Document is asked for.
type field struct {
	name   string
	nature nature
	sorts  bool
}

// contentField gives the row of a name in /search and /content/search. A
// function and not a variable, so that nothing can change it.
func contentField(name string) (field, bool) {
	switch name {
	case "type", "id", "creator":
		return field{name, exact, true}, true
	case "content":
		return field{"id", exact, true}, true
	case "space", "space.key":
		return field{"space", exact, true}, true
	case "subtype", "space.type", "label", "ancestor", "parent", "contributor",
		"container", "mention", "macro", "watcher", "favourite":
		return field{name, exact, false}, true
	case "favorite":
		return field{"favourite", exact, false}, true
	case "title":
		return field{name, titled, true}, true
	case "space.title":
		return field{name, titled, false}, true
	case "text", "sitesearch":
		return field{name, prose, false}, true
	case "created", "lastmodified":
		return field{name, moment, true}, true
	}
	return field{}, false
}

// userField gives the row of a name in /search/user.
func userField(name string) (field, bool) {
	switch name {
	case "type":
		return field{name, exact, false}, true
	case "user", "user.accountid":
		return field{"user", exact, true}, true
	case "user.fullname":
		return field{name, titled, true}, true
	}
	return field{}, false
}

func legalFields(users bool) []string {
	if users {
		return []string{"type", "user", "user.accountid", "user.fullname"}
	}
	return []string{"ancestor", "container", "content", "contributor", "created", "creator", "favourite", "id", "label",
		"lastmodified", "macro", "mention", "parent", "siteSearch", "space", "space.key", "space.title", "space.type",
		"subtype", "text", "title", "type", "watcher"}
}

// lookup resolves a field name as written in a query.
func lookup(written string, users bool) (field, error) {
	name := strings.ToLower(written)
	find := contentField
	if users {
		find = userField
	}
	if f, ok := find(name); ok {
		return f, nil
	}
	if _, ok := userField(name); ok || strings.HasPrefix(name, "user.") {
		return field{}, syntax("The field '%s' is not supported by this search; use /rest/api/search/user.\nDid you mean one of : %s",
			written, strings.Join(legalFields(users), ", "))
	}
	return field{}, unknownField(written, legalFields(users))
}

// types lists what the type field may be compared with. Real sites add those of
// their apps, so a client must not take the list for complete.
func types() []string {
	return []string{"space", "user", "page", "blogpost", "comment", "attachment", "database", "whiteboard", "slide", "embed", "folder"}
}

// takes reports whether the field may stand before the operator, given in its
// positive form.
func (f field) takes(op string) bool {
	switch f.nature {
	case exact:
		return op == "=" || op == "IN"
	case titled:
		return op == "=" || op == "IN" || op == "~"
	case prose:
		return op == "~"
	}
	return op != "~" && op != "IN"
}

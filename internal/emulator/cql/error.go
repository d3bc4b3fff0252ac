package cql

import (
	"errors"
	"fmt"
	"strings"
)

// ErrCrash is what an empty siteSearch does to the real server: a
// NullPointerException, answered with status 500.
var ErrCrash = errors.New("java.lang.NullPointerException: query parameter is required")

// Error is a query that the server refuses with status 400.
type Error struct {
	Reason string
}

// Error gives the sentence of the server's answer.
func (e *Error) Error() string { return e.Reason }

func syntax(format string, args ...any) error {
	return &Error{"Could not parse cql : " + fmt.Sprintf(format, args...)}
}

// unknownField is the refusal that teaches: it lists the legal fields.
func unknownField(name string, legal []string) error {
	return syntax("No field exists with the name: '%s'\nDid you mean one of : %s", name, strings.Join(legal, ", "))
}

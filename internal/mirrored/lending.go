package mirrored

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/mirror"
)

// Rights is what Confluence tells the connecting account of what somebody else
// may do; *rest.Client is one. All errors are *confluence.Error.
type Rights interface {
	// PermissionCheck asks for read, update or delete of one piece of content.
	PermissionCheck(ctx context.Context, id, account, operation string) (bool, error)
	// Folder tells where a folder stands now.
	Folder(ctx context.Context, id string) (confluence.Page, error)
	GroupsOf(ctx context.Context, account string, p confluence.Paging) (confluence.List[confluence.Group], error)
	SpacePermissions(ctx context.Context, spaceID string, p confluence.Paging) (confluence.List[confluence.Permission], error)
	SpaceRoles(ctx context.Context, spaceID string, p confluence.Paging) (confluence.List[confluence.Role], error)
	SpaceRoleAssignments(ctx context.Context, spaceID string, p confluence.Paging) (confluence.List[confluence.RoleAssignment], error)
}

// Operations Confluence is asked about on a piece of content.
const (
	toRead   = "read"
	toUpdate = "update"
	toDelete = "delete"
)

// need is one right a write needs: to do an operation on what stands in the tree
// or on a comment, or to do all of something in a space.
type need struct {
	id, operation string
	comment       bool
	stands        bool // the caller was found to see it where it stands now

	space string // id
	all   []string
}

// needs tells what a write needs. It is asked only where the caller is one for
// whom something may be written at all.
type needs func() ([]need, error)

func onNode(id, operation string) needs {
	return func() ([]need, error) { return []need{{id: id, operation: operation}}, nil }
}

func onComment(id, operation string) needs {
	return func() ([]need, error) { return []need{{id: id, operation: operation, comment: true}}, nil }
}

// on is a need on a node that was looked at.
func on(p confluence.Page, operation string) need {
	return need{id: p.ID, operation: operation, stands: true}
}

// within is a need of permissions in a space; without viewing it there are none.
func within(spaceID string, all ...string) need {
	return need{space: spaceID, all: append([]string{"read/space"}, all...)}
}

// permit lets a write of the connecting account for the caller through. It is
// the one place that decides it: the admin must have allowed it, the caller must
// be a person Confluence knows, he must see in the mirror what it is about, and
// Confluence must say, now, that he may do all that is needed. What cannot be
// found out is refused. A rehearsal ends here.
func (g *guarded) permit(ctx context.Context, op string, ask needs) error {
	who, rights, err := g.lender(ctx, op)
	if err != nil {
		return err
	}
	all, err := ask()
	if err != nil {
		return err
	}
	for _, n := range all {
		if err := g.fulfils(ctx, op, who, rights, n); err != nil {
			return err
		}
	}
	if g.rehearsal != nil {
		*g.rehearsal = "The connecting account makes it for " + named(who) + ", whose own credential this server does not hold. Confluence says that they may; it is asked again right before."
		return refused(op, "This was a rehearsal.", "Nothing was changed.")
	}
	return nil
}

// lender gives the person a write is made for, and whom to ask what he may.
func (g *guarded) lender(ctx context.Context, op string) (mirror.Person, Rights, error) {
	if g.refusal != nil {
		return mirror.Person{}, nil, g.refusal
	}
	rights := g.of.cfg.Rights(g.who.Integration)
	if rights == nil {
		return mirror.Person{}, nil, refused(op, "This server holds no Confluence credential of this user, so it reads for him and writes nothing.",
			"Nothing was changed. Ask an admin to connect this user, or to give the agent the identity of the connecting account.")
	}
	who, ok, err := g.person(ctx)
	if err == nil && !ok {
		err = refused(op, "Only for a user whom Confluence knows as active is anything written, and the caller is none.",
			"Nothing was changed. Ask an admin to give the agent the identity of a Confluence user, or to let it name one.")
	}
	return who, rights, err
}

// person gives the caller as an active account that is no app's; false where he
// is none.
func (g *guarded) person(ctx context.Context) (mirror.Person, bool, error) {
	if g.who.Kind != identity.User {
		return mirror.Person{}, false, nil
	}
	p, err := g.of.cfg.Mirror.Writer().Person(ctx, g.at, g.who.AccountID)
	if confluence.KindOf(err) == confluence.NotFound {
		return mirror.Person{}, false, nil
	}
	return p, err == nil && p.ID == g.who.AccountID && p.Active && !p.App, err
}

// fulfils asks about one need: first the mirror, whether the caller sees it, then
// Confluence, whether he may.
func (g *guarded) fulfils(ctx context.Context, op string, who mirror.Person, rights Rights, n need) error {
	var err error
	switch {
	case n.space != "":
		_, err = g.spaceOf(ctx, n.space)
	case n.comment:
		_, err = g.Comment(ctx, n.id)
	case !n.stands:
		_, err = g.stands(ctx, n.id)
	}
	if err != nil {
		return err
	}
	may := false
	if n.space != "" {
		may, err = g.maySpace(ctx, rights, n)
	} else {
		may, err = rights.PermissionCheck(ctx, n.id, who.ID, n.operation)
	}
	switch {
	case err != nil:
		return untold(op, who, err)
	case !may:
		e := refused(op, "Confluence does not let "+named(who)+" do this ("+strings.Join(append(n.all, n.operation), " ")+").",
			"Nothing was changed. Ask whoever runs the space for the right, or leave the change to somebody who has it.")
		e.Code = "" // it is no matter of credentials
		return e
	}
	return nil
}

// untold is the refusal where Confluence does not say what somebody may.
func untold(op string, who mirror.Person, err error) error {
	e := &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Op: op, Err: err,
		Message: "The connecting account cannot find out in Confluence whether " + named(who) + " may do this, so nothing was changed.",
		Next:    "Connect this user's own account, or ask an admin to make the connecting account a Confluence administrator whose token may check permissions."}
	var cause *confluence.Error
	if !errors.As(err, &cause) || cause.Kind == confluence.Unavailable || cause.Kind == confluence.Limited || cause.Kind == confluence.Internal {
		e.Kind, e.Code, e.Next = confluence.Unavailable, "", "Try again later."
		if cause != nil {
			e.RetryAfter = cause.RetryAfter
		}
	}
	return e
}

func refused(op, message, next string) *confluence.Error {
	return &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Op: op, Message: message, Next: next}
}

// spaceOf gives a space, by its id, that the caller may view.
func (g *guarded) spaceOf(ctx context.Context, id string) (mirror.Space, error) {
	all, err := g.of.cfg.Mirror.Spaces(ctx, g.who, g.at, "")
	for _, s := range all {
		if s.ID == id {
			return s, nil
		}
	}
	if err == nil {
		err = missing("get space", "space "+id)
	}
	return mirror.Space{}, err
}

// stands gives what the caller sees in the tree, with where it stands now.
func (g *guarded) stands(ctx context.Context, id string) (confluence.Page, error) {
	if p, ok := g.made[id]; ok {
		return p, nil // by this very call; the mirror cannot have it
	}
	known, err := g.sees(ctx, id)
	if err != nil {
		return confluence.Page{}, err
	}
	if known.Type != confluence.TypeFolder {
		return g.standsAs(ctx, known)
	}
	p, err := g.of.cfg.Rights(g.who.Integration).Folder(ctx, id)
	if err == nil {
		err = g.stillThere(ctx, known, p)
	}
	return p, err
}

// maxName bounds a name in a version's message, in characters.
const maxName = 80

// named is a person for the history of a page: on one line, with the account that
// no other has.
func named(p mirror.Person) string {
	name := strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, p.Name)), " ")
	if runes := []rune(name); len(runes) > maxName {
		name = string(runes[:maxName]) + "…"
	}
	if name == "" {
		return p.ID
	}
	return name + " (" + p.ID + ")"
}

// signed is the message of a version, which begins with whom it was made for:
// Confluence itself shows the connecting account.
func (g *guarded) signed(ctx context.Context, message string) (string, error) {
	who, _, err := g.person(ctx)
	return strings.TrimSuffix("For "+named(who)+": "+message, ": "), err
}

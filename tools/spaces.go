package tools

import (
	"cmp"
	"context"
	"fmt"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

func spaceTools() []*tool {
	return []*tool{
		read(spec{name: "list_spaces", title: "List spaces", group: policy.Spaces, action: policy.Read, listing: true,
			about: "List the spaces you may see, with key, name and type."}, nothing[listSpacesIn], listSpaces),
		read(spec{name: "get_space", title: "Read a space", group: policy.Spaces, action: policy.Read,
			about: "One space: name, type, description, home page id and address."},
			func(in getSpaceIn) target { return target{kind: onSpace, spaceKey: in.SpaceKey} }, getSpace),
		write(spec{name: "create_space", title: "Create a space", group: policy.Spaces, action: policy.Create,
			about: "Create a space. Its permissions are Confluence's defaults and cannot be set here."},
			func(in createSpaceIn) target { return target{kind: "", toSpace: in.Key, title: in.Name} }, createSpace),
		write(spec{name: "update_space", title: "Change a space", group: policy.Spaces, action: policy.Update, idempotent: true,
			about: "Change name, description or home page of a space. Status, type and permissions cannot be changed, and no tool deletes a space."},
			func(in updateSpaceIn) target { return target{kind: onSpace, spaceKey: in.SpaceKey} }, updateSpace),
	}
}

type listSpacesIn struct {
	Type  string `json:"type,omitempty" is:"enum=global|collaboration|knowledge_base|personal"`
	Limit int    `json:"limit,omitempty" is:"min=1,max=100"`

	goingOn
}

type getSpaceIn struct {
	SpaceKey string `json:"space_key" is:"key"`

	short
}

type spaceOut struct {
	ID          string `json:"id"`
	Key         string `json:"key"`
	Name        string `json:"name"`
	Type        string `json:"type"`
	Status      string `json:"status"`
	HomepageID  string `json:"homepage_id,omitempty"`
	Description string `json:"description,omitempty"`
	URL         string `json:"url"`
	AgeSeconds  int64  `json:"age_seconds,omitempty"` // of get_space
	Stale       bool   `json:"stale,omitempty"`
}

type spacesOut struct {
	Spaces     []spaceOut `json:"spaces"`
	AgeSeconds int64      `json:"age_seconds"`
	Stale      bool       `json:"stale,omitempty"`
	NextCursor string     `json:"next_cursor,omitempty"`
}

const descriptionChars = 500

func showSpace(s confluence.Space) spaceOut {
	return spaceOut{ID: s.ID, Key: s.Key, Name: line(s.Name), Type: s.Type, Status: s.Status,
		HomepageID: s.HomepageID, Description: clip(line(s.Description), descriptionChars), URL: s.WebURL, Stale: s.Stale}
}

func listSpaces(ctx context.Context, k *call, in listSpacesIn) (spacesOut, string, error) {
	only, _ := k.bounds()
	f := confluence.SpaceFilter{Keys: only, Type: in.Type, Status: confluence.StatusCurrent}
	w, err := list(k, lister[confluence.Space]{
		cursor: in.Cursor, maxChars: in.MaxChars,
		fetch: func(upstream string) (confluence.List[confluence.Space], error) {
			return k.site.Spaces(ctx, f, confluence.Paging{Cursor: upstream, Limit: cmp.Or(in.Limit, 50)})
		},
		keep: k.maySee,
		show: func(s confluence.Space) string {
			return fmt.Sprintf("- %s: %s (%s) %s\n", s.Key, line(s.Name), s.Type, s.WebURL)
		},
	})
	if err != nil {
		return spacesOut{}, "", err
	}
	out := spacesOut{Spaces: []spaceOut{}, NextCursor: w.next, AgeSeconds: k.ageOf(w.readAt), Stale: w.stale}
	for _, s := range w.rows {
		out.Spaces = append(out.Spaces, showSpace(s))
	}
	return out, w.fenced(k, "spaces"), nil
}

func getSpace(ctx context.Context, k *call, in getSpaceIn) (spaceOut, string, error) {
	s := k.on.space
	if s == nil {
		var err error
		if s, err = k.findSpace(ctx, in.SpaceKey); err != nil {
			return spaceOut{}, "", err
		}
	}
	out := showSpace(*s)
	out.AgeSeconds = k.ageOf(s.ReadAt)
	text, rest := in.cut(fmt.Sprintf("%s: %s (%s, %s), home page %s\n%s", out.Key, out.Name, out.Type, out.Status, out.HomepageID, out.Description))
	return out, fence(k.nonce, text) + rest + "\n" + out.URL, nil
}

type createSpaceIn struct {
	Key         string `json:"key" is:"newkey,min=1"`
	Name        string `json:"name" is:"line,min=1,max=200"`
	Description string `json:"description,omitempty" is:"max=5000"`
	DryRun      bool   `json:"dry_run,omitempty"`
}

func createSpace(_ context.Context, k *call, in createSpaceIn) (*plan, error) {
	if k.limited() && !k.inSpaces(in.Key) {
		return nil, &confluence.Error{Kind: confluence.Denied, Message: "This server is kept to a fixed list of spaces, and " + in.Key + " is not in it."}
	}
	return &plan{
		change: policy.Change{TargetSpaceKey: in.Key, Title: in.Name, BodyBytes: int64(len(in.Description))},
		target: receipt{Type: onSpace, SpaceKey: in.Key, Title: line(in.Name)},
		worded: true, summary: "create space " + in.Key, after: in.Name + "\n" + in.Description,
		inverse: func(context.Context, receipt) inverse {
			return inverse{Final: "Undoing this would delete a space, which is not possible through this server."}
		},
		commit: func(ctx context.Context) (receipt, error) {
			s, err := k.site.CreateSpace(ctx, confluence.NewSpace{Key: in.Key, Name: in.Name, Description: in.Description})
			return receipt{ID: s.ID, Type: onSpace, Title: line(s.Name), SpaceKey: s.Key, URL: s.WebURL}, err
		},
	}, nil
}

type updateSpaceIn struct {
	SpaceKey    string  `json:"space_key" is:"key"`
	Name        *string `json:"name,omitempty" is:"line,min=1,max=200"`
	Description *string `json:"description,omitempty" is:"max=5000"`
	HomepageID  *string `json:"homepage_id,omitempty" is:"id"`
	DryRun      bool    `json:"dry_run,omitempty"`
}

func updateSpace(ctx context.Context, k *call, in updateSpaceIn) (*plan, error) {
	if in.Name == nil && in.Description == nil && in.HomepageID == nil {
		return nil, invalid("missing", "There is nothing to change.", "Send name, description or homepage_id.")
	}
	s := k.on.space
	after := *s
	apply(&after.Name, in.Name)
	apply(&after.Description, in.Description)
	apply(&after.HomepageID, in.HomepageID)
	if in.HomepageID != nil {
		p, err := k.findPage(ctx, target{id: *in.HomepageID})
		if err != nil {
			return nil, err
		}
		if p.SpaceKey != s.Key {
			return nil, invalid("id", "homepage_id is a page of another space.", "Send a page of space "+s.Key+".")
		}
	}
	return &plan{
		change: policy.Change{TargetSpaceKey: s.Key, Title: after.Name},
		target: receipt{ID: s.ID, Type: onSpace, Title: line(s.Name), SpaceKey: s.Key, URL: s.WebURL},
		before: s.Name + "\n" + s.Description + "\nhome page " + s.HomepageID, after: after.Name + "\n" + after.Description + "\nhome page " + after.HomepageID,
		worded: true, summary: "change space " + s.Key, noop: after == *s,
		inverse: func(context.Context, receipt) inverse { return spaceInverse(*s, in) },
		commit: func(ctx context.Context) (receipt, error) {
			done, err := k.site.UpdateSpace(ctx, confluence.SpaceUpdate{Key: s.Key, Name: in.Name, Description: in.Description, HomepageID: in.HomepageID})
			return receipt{ID: done.ID, Type: onSpace, Title: line(done.Name), SpaceKey: done.Key, URL: done.WebURL}, err
		},
	}, nil
}

// spaceInverse is the change that gives the fields that were set their values
// from before.
func spaceInverse(was confluence.Space, in updateSpaceIn) inverse {
	in.DryRun = false
	before := updateSpaceIn{SpaceKey: was.Key}
	if in.Name != nil {
		before.Name = &was.Name
	}
	if in.Description != nil {
		before.Description = &was.Description
	}
	if in.HomepageID != nil {
		before.HomepageID = &was.HomepageID
	}
	return inverse{Name: was.Key, Was: &before, Made: &in}
}

func apply(field *string, value *string) {
	if value != nil {
		*field = *value
	}
}

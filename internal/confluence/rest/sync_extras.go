package rest

import (
	"context"

	"confluence-mcp/internal/confluence"
)

// extrasExpand is what a sync reads of each page beside its body. Ancestors'
// restrictions are not in it: one ancestor that cannot be viewed makes the
// whole answer a 404 (CONFCLOUD-77618).
const extrasExpand = "restrictions.read.restrictions.user,restrictions.read.restrictions.group,metadata.labels,children.attachment.version"

// nested is a list inside an answer. It has pages of its own: one with a next
// link, or as long as its limit, may not be complete.
type nested[T any] struct {
	Results []T   `json:"results"`
	Limit   whole `json:"limit"`
	Links   links `json:"_links"`
}

func (n *nested[T]) whole() bool {
	return n != nil && n.Links.Next == "" && (n.Limit <= 0 || len(n.Results) < int(n.Limit))
}

type wireNestedFile struct {
	ID         text `json:"id"`
	Status     text `json:"status"`
	Title      text `json:"title"`
	Extensions struct {
		MediaType text  `json:"mediaType"`
		FileSize  whole `json:"fileSize"`
		Comment   text  `json:"comment"`
	} `json:"extensions"`
	Version struct {
		Number  whole    `json:"number"`
		When    stamp    `json:"when"`
		Message text     `json:"message"`
		Minor   bool     `json:"minorEdit"`
		By      wireUser `json:"by"`
	} `json:"version"`
	Links links `json:"_links"`
}

type wireExtras struct {
	ID           text `json:"id"`
	Restrictions struct {
		Read *struct {
			Operation    text `json:"operation"`
			Restrictions struct {
				User  *nested[wireUser]  `json:"user"`
				Group *nested[wireGroup] `json:"group"`
			} `json:"restrictions"`
		} `json:"read"`
	} `json:"restrictions"`
	Metadata struct {
		Labels *nested[wireLabel] `json:"labels"`
	} `json:"metadata"`
	Children struct {
		Attachment *nested[wireNestedFile] `json:"attachment"`
	} `json:"children"`
}

// Extras lists what belongs to the current pages, or blog posts, of a space
// beside their bodies, at most 200 at a time, from the database and not from
// the search index: what was changed a moment ago is in it. The operation left
// the published document; where a site no longer has it the answer is kind
// NotFound, and each page must be asked about alone ([Client.Restrictions],
// [Client.Labels], [Client.Attachments]).
func (c *Client) Extras(ctx context.Context, spaceKey, contentType string, p confluence.Paging) (confluence.List[confluence.Extras], error) {
	const op = "list labels, files and restrictions"
	if err := needKey(op, spaceKey); err != nil {
		return confluence.List[confluence.Extras]{}, err
	}
	if _, err := contentPath(op, contentType); err != nil {
		return confluence.List[confluence.Extras]{}, err
	}
	req := read(op, "space "+spaceKey, "/wiki/rest/api/content").set("spaceKey", spaceKey).set("status", confluence.StatusCurrent)
	req.set("type", orElse(contentType, confluence.TypePage)).set("expand", extrasExpand)
	l, err := listOffset(ctx, c, req, p, c.shapeExtras)
	return l, outward(err)
}

func (c *Client) shapeExtras(w wireExtras) confluence.Extras {
	e := confluence.Extras{ID: string(w.ID), Partial: !w.Metadata.Labels.whole() || !w.Children.Attachment.whole()}
	if read := w.Restrictions.Read; read != nil && read.Restrictions.User.whole() && read.Restrictions.Group.whole() {
		own := confluence.Restriction{Operation: "read"}
		for _, u := range read.Restrictions.User.Results {
			own.UserIDs = append(own.UserIDs, string(u.AccountID))
		}
		for _, g := range read.Restrictions.Group.Results {
			own.Groups = append(own.Groups, g.shape())
		}
		e.Restrictions = []confluence.Restriction{own}
	}
	if e.Partial {
		return e
	}
	for _, l := range w.Metadata.Labels.Results {
		if l.Prefix == "global" {
			e.Labels = append(e.Labels, string(l.shape().Name))
		}
	}
	for _, f := range w.Children.Attachment.Results {
		if f.Status == "" || f.Status == confluence.StatusCurrent {
			e.Attachments = append(e.Attachments, c.shapeFile(string(w.ID), f))
		}
	}
	return e
}

func (c *Client) shapeFile(page string, f wireNestedFile) confluence.Attachment {
	return confluence.Attachment{
		ID: string(f.ID), PageID: page, Title: string(f.Title), MediaType: string(f.Extensions.MediaType),
		Size: int64(f.Extensions.FileSize), Comment: string(f.Extensions.Comment), WebURL: c.webURL(f.Links.WebUI),
		Version: confluence.Version{Number: int(f.Version.Number), CreatedAt: f.Version.When.Time, Message: string(f.Version.Message),
			Minor: f.Version.Minor, AuthorID: string(f.Version.By.AccountID)},
	}
}

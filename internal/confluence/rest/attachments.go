package rest

import (
	"context"
	"net/http"

	"confluence-mcp/internal/confluence"
)

type wireAttachment struct {
	ID        text        `json:"id"`
	Title     text        `json:"title"`
	MediaType text        `json:"mediaType"`
	FileSize  whole       `json:"fileSize"`
	Comment   text        `json:"comment"`
	PageID    text        `json:"pageId"`
	PostID    text        `json:"blogPostId"`
	Version   wireVersion `json:"version"`
	WebUI     text        `json:"webuiLink"`
	Links     links       `json:"_links"`
}

func (c *Client) shapeAttachment(w wireAttachment) confluence.Attachment {
	c.learnBase(w.Links.Base)
	return confluence.Attachment{
		ID: string(w.ID), PageID: orElse(string(w.PageID), string(w.PostID)), Title: string(w.Title), MediaType: string(w.MediaType),
		Size: int64(w.FileSize), Comment: string(w.Comment), Version: w.Version.shape(),
		WebURL: c.webURL(orElse(string(w.WebUI), w.Links.WebUI)),
	}
}

// Attachments lists the files of a page or blog post.
func (c *Client) Attachments(ctx context.Context, pageID, contentType string, p confluence.Paging) (confluence.List[confluence.Attachment], error) {
	const op = "list attachments"
	var none confluence.List[confluence.Attachment]
	collection, err := contentPath(op, contentType)
	if err != nil {
		return none, err
	}
	if err := needID(op, pageID); err != nil {
		return none, err
	}
	req := read(op, "page "+pageID, "/wiki/api/v2/"+collection+"/{id}/attachments", pageID)
	req.set("status", confluence.StatusCurrent).set("limit", limitOf(p, maxV2Limit))
	l, err := listCursor(ctx, c, req, p, func(w wireAttachment) confluence.Attachment {
		a := c.shapeAttachment(w)
		a.PageID = orElse(a.PageID, pageID)
		return a
	})
	return l, outward(err)
}

// AllAttachments lists the files of the whole site, last changed first.
func (c *Client) AllAttachments(ctx context.Context, p confluence.Paging) (confluence.List[confluence.Attachment], error) {
	req := read("list attachments", "", "/wiki/api/v2/attachments")
	req.set("status", confluence.StatusCurrent).set("sort", "-modified-date").set("limit", limitOf(p, maxV2Limit))
	l, err := listCursor(ctx, c, req, p, c.shapeAttachment)
	return l, outward(err)
}

// Attachment reads the metadata of one file.
func (c *Client) Attachment(ctx context.Context, id string) (confluence.Attachment, error) {
	const op = "get attachment"
	if err := needAttachment(op, id); err != nil {
		return confluence.Attachment{}, err
	}
	w, err := fetch[wireAttachment](ctx, c.w, read(op, "attachment "+id, "/wiki/api/v2/attachments/{att}", id))
	if err != nil {
		return confluence.Attachment{}, c.judged(ctx, err)
	}
	return c.shapeAttachment(w), nil
}

// DeleteAttachment moves a file to the trash.
func (c *Client) DeleteAttachment(ctx context.Context, id string) error {
	const op = "delete attachment"
	if err := needAttachment(op, id); err != nil {
		return err
	}
	_, err := c.w.do(ctx, write(http.MethodDelete, op, "attachment "+id, "/wiki/api/v2/attachments/{att}", id))
	return c.judged(ctx, err)
}

package v2

import (
	"slices"
	"strings"

	"confluence-mcp/internal/emulator/site"
)

// attachmentFilter reads the filters that all lists of attachments share.
func attachmentFilter(rq request, v *site.View) (func(*site.Content) bool, error) {
	statuses, err := rq.someOf("status", []string{"current", "archived"}, "current", "archived", "trashed")
	if err != nil {
		return nil, err
	}
	name, media := rq.URL.Query().Get("filename"), rq.URL.Query().Get("mediaType")
	return func(c *site.Content) bool {
		return slices.Contains(statuses, c.Status) && (name == "" || name == c.Title) && (media == "" || media == c.MediaType)
	}, nil
}

// listAttachments is GET /attachments: those of the whole site.
func listAttachments(rq request, v *site.View) (any, error) {
	q := site.Query{Type: "attachment"}
	if err := rq.order(&q, []string{"", "created-date", "-created-date", "modified-date", "-modified-date"}); err != nil {
		return nil, err
	}
	keep, err := attachmentFilter(rq, v)
	if err != nil {
		return nil, err
	}
	q.Keep = func(c *site.Content) bool { return keep(c) && v.Container(c).Status != "trashed" }
	return walk(rq, v, q, 50, func(c *site.Content) any { return attachmentShape(v, c) })
}

// attachments is GET /{pages|blogposts}/{id}/attachments.
func (k kind) attachments(rq request, v *site.View) (any, error) {
	c, err := k.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	keep, err := attachmentFilter(rq, v)
	if err != nil {
		return nil, err
	}
	sort, err := rq.oneOf("sort", "", "created-date", "-created-date", "modified-date", "-modified-date")
	if err != nil {
		return nil, err
	}
	rows := slices.DeleteFunc(v.Attachments(c.ID), func(a *site.Content) bool { return !keep(a) })
	field, desc := strings.CutPrefix(sort, "-")
	slices.SortStableFunc(rows, byField(strings.TrimSuffix(field, "-date")))
	if desc {
		slices.Reverse(rows)
	}
	return slice(rq, 50, rows, func(a *site.Content) any { return attachmentShape(v, a) })
}

func attachmentByPath(rq request, v *site.View) (*site.Content, error) {
	id, err := rq.id()
	if err != nil {
		return nil, err
	}
	c, ok := v.Content(id)
	if !ok || c.Type != "attachment" {
		return nil, missing("Could not find attachment with id [%s]", id)
	}
	return c, nil
}

// attachment is GET /attachments/{id}.
func attachment(rq request, v *site.View) (any, error) {
	c, err := attachmentByPath(rq, v)
	if err != nil {
		return nil, err
	}
	n, err := rq.number("version", 0, 1, 1<<31-1)
	if err != nil {
		return nil, err
	}
	out := attachmentShape(v, c)
	if n != 0 && n != c.Version {
		ver, ok := v.Version(c, n)
		if !ok {
			return nil, missing("Could not find version [%d] of content with id [%s]", n, c.ID)
		}
		out["version"], out["title"], out["mediaType"], out["fileSize"] = versionShape(ver), ver.Title, ver.MediaType, len(ver.Data)
	}
	out["_links"].(object)["base"] = rq.call.Base
	if rq.flag("include-labels") {
		rows := []object{}
		for _, name := range c.Labels {
			rows = append(rows, labelShape(v, name))
		}
		out["labels"] = included(rq, "labels", rows)
	}
	return out, nil
}

// attachmentVersions is GET /attachments/{id}/versions.
func attachmentVersions(rq request, v *site.View) (any, error) {
	c, err := attachmentByPath(rq, v)
	if err != nil {
		return nil, err
	}
	return versionList(rq, v, c, "attachment")
}

// attachmentLabels is GET /attachments/{id}/labels.
func attachmentLabels(rq request, v *site.View) (any, error) {
	c, err := attachmentByPath(rq, v)
	if err != nil {
		return nil, err
	}
	return labelList(rq, v, c)
}

// attachmentComments is GET /attachments/{id}/footer-comments.
func attachmentComments(rq request, v *site.View) (any, error) {
	c, err := attachmentByPath(rq, v)
	if err != nil {
		return nil, err
	}
	return footer.below(rq, v, c)
}

// removeAttachment is DELETE /attachments/{id}: to the trash, or out of it for
// good with purge.
func removeAttachment(rq request, e *site.Edit) (any, error) {
	c, err := attachmentByPath(rq, &e.View)
	if err != nil {
		return nil, err
	}
	if rq.flag("purge") {
		return nil, e.Purge(c.ID)
	}
	return nil, e.Trash(c.ID)
}

package v1

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// tasks are the long tasks of all sites. Their work is done before they are
// born; they only take two looks to say so, so that clients have to poll.
type tasks struct {
	mu   sync.Mutex
	list []*task
}

type task struct {
	site    *site.Site
	id      string
	user    string
	key     string
	started time.Time
	polls   int
}

func (k *kit) taskRoutes() []wire.Route {
	return []wire.Route{
		get("longtask", alternatives("read:content.metadata:confluence"), reading(k.tasks.all)),
		get("longtask/{id}", anyOf("read:confluence-space.summary", "read:content.metadata:confluence"), reading(k.tasks.one)),
	}
}

// start makes a task and the 202 that announces it.
func (ts *tasks) start(q request, key string) reply {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := &task{site: q.call.Site, id: strconv.Itoa(7_000_000 + len(ts.list)), user: q.call.User, key: key, started: q.call.Site.Now()}
	ts.list = append(ts.list, t)
	return reply{status: http.StatusAccepted, body: object{"id": t.id, "links": object{"status": "/rest/api/longtask/" + t.id}}}
}

// own lists the caller's tasks.
func (ts *tasks) own(q request) []*task {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(ts.list), func(t *task) bool { return t.site != q.call.Site || t.user != q.call.User })
}

func (ts *tasks) all(v *site.View, q request) (any, error) {
	w, err := q.window(100, 500)
	if err != nil {
		return nil, err
	}
	own := ts.own(q)
	return q.page(rows(cut(own, w), func(t *task) object { return ts.status(t, v.Now()) }), w, len(own)), nil
}

func (ts *tasks) one(v *site.View, q request) (any, error) {
	for _, t := range ts.own(q) {
		if t.id == q.PathValue("id") {
			body := ts.status(t, v.Now())
			body["_links"] = object{"base": q.call.Base, "self": q.link("/rest/api/longtask/" + t.id)}
			return body, nil
		}
	}
	return nil, refuse(http.StatusNotFound, "No long task found with id: %s", q.PathValue("id"))
}

func (ts *tasks) status(t *task, now time.Time) object {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.polls++
	done := t.polls > 1
	percent := 50
	if done {
		percent = 100
	}
	return object{"id": t.id, "name": object{"key": t.key, "args": []any{}}, "elapsedTime": now.Sub(t.started).Milliseconds(),
		"percentageComplete": percent, "successful": done, "finished": done, "messages": []any{}, "errors": []any{},
		"additionalDetails": object{}}
}

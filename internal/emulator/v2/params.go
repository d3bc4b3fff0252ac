package v2

import (
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"confluence-mcp/internal/emulator/site"
)

// list is every value of a parameter, given repeatedly or separated by commas.
func (rq request) list(name string) []string {
	var out []string
	for _, value := range rq.URL.Query()[name] {
		for part := range strings.SplitSeq(value, ",") {
			if part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// oneOf is a parameter that must be one of a set; absent is the first.
func (rq request) oneOf(name string, set ...string) (string, error) {
	value := rq.URL.Query().Get(name)
	if value == "" {
		return set[0], nil
	}
	if !slices.Contains(set, value) {
		return "", invalid("Provided value {%s} for '%s' is not one of [%s]", value, name, strings.Join(set, ", "))
	}
	return value, nil
}

// someOf is a list parameter whose values must be of a set; absent is fallback.
func (rq request) someOf(name string, fallback []string, set ...string) ([]string, error) {
	values := rq.list(name)
	for _, value := range values {
		if !slices.Contains(set, value) {
			return nil, invalid("Provided value {%s} for '%s' is not one of [%s]", value, name, strings.Join(set, ", "))
		}
	}
	if len(values) == 0 {
		return fallback, nil
	}
	return values, nil
}

// number is an integer parameter within bounds.
func (rq request) number(name string, fallback, low, high int) (int, error) {
	value := rq.URL.Query().Get(name)
	if value == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, invalid("Provided value {%s} for '%s' is not an integer from %d to %d", value, name, low, high)
	}
	return n, nil
}

func (rq request) limit(fallback int) (int, error) { return rq.number("limit", fallback, 1, 250) }

func (rq request) flag(name string) bool { return rq.URL.Query().Get(name) == "true" }

// id is an id of the path: a number, or att and a number for attachments.
func (rq request) id() (string, error) { return checkID("id", rq.PathValue("id")) }

func checkID(name, id string) (string, error) {
	if _, err := strconv.ParseInt(strings.TrimPrefix(id, "att"), 10, 64); err != nil {
		return "", invalid("Provided value {%s} for '%s' is not the correct type. Expected type is long", id, name)
	}
	return id, nil
}

// ids is a list parameter of numeric ids, at most most of them.
func (rq request) ids(name string, most int) ([]string, error) {
	ids := rq.list(name)
	if len(ids) > most {
		return nil, invalid("'%s' takes at most %d values", name, most)
	}
	for _, id := range ids {
		if _, err := checkID(name, id); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// cursor is what stands in the opaque cursor of a list. Query ties it to the
// list it came from.
type cursor struct {
	Query  uint32     `json:"q"`
	Mark   *site.Mark `json:"m,omitempty"`
	Offset int        `json:"o,omitempty"`
}

// cursor reads the request's cursor: nil when there is none, 400 when it is
// not one of this list's.
func (rq request) cursor() (*cursor, error) {
	value := rq.URL.Query().Get("cursor")
	if value == "" {
		return nil, nil
	}
	var c cursor
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || json.Unmarshal(raw, &c) != nil || c.Query != rq.fingerprint() || c.Offset < 0 {
		return nil, invalid("Provided value for 'cursor' is not valid for this request")
	}
	return &c, nil
}

func (rq request) encode(c cursor) string {
	c.Query = rq.fingerprint()
	raw, err := json.Marshal(c)
	if err != nil {
		panic("v2: a cursor of plain numbers and strings does not marshal: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// fingerprint is what must stay the same from one page of a list to the next:
// everything but the size of the page and the format of the bodies.
func (rq request) fingerprint() uint32 {
	query := rq.URL.Query()
	for _, name := range []string{"cursor", "limit", "body-format"} {
		query.Del(name)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(rq.URL.Path + "?" + query.Encode())) // a hash does not fail
	return h.Sum32()
}

// slice is one page of a list that fits into memory, each row made by shape.
func slice[T any](rq request, fallback int, all []T, shape func(T) any) (any, error) {
	limit, err := rq.limit(fallback)
	if err != nil {
		return nil, err
	}
	c, err := rq.cursor()
	if err != nil {
		return nil, err
	}
	from := 0
	if c != nil {
		from = min(c.Offset, len(all))
	}
	to := min(from+limit, len(all))
	rows := make([]any, 0, to-from)
	for _, item := range all[from:to] {
		rows = append(rows, shape(item))
	}
	out := listing{results: rows}
	if to < len(all) {
		out.next = rq.encode(cursor{Offset: to})
	}
	return out, nil
}

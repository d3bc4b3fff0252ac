package server

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits of one message. The library and encoding/json have none that matter.
const (
	maxDepth   = 64     // nested objects and arrays
	maxMembers = 10_000 // elements of an array, members of an object
)

// message is the part of a JSON-RPC message that decides what happens to it.
// It is decoded only after [checkJSON] accepted the bytes, so every key means
// what it says.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name string `json:"name"`
		Meta struct {
			Version      string                     `json:"io.modelcontextprotocol/protocolVersion"`
			Capabilities map[string]json.RawMessage `json:"io.modelcontextprotocol/clientCapabilities"`
			Settings     json.RawMessage            `json:"accessSettings"`
			Attributes   json.RawMessage            `json:"accessControlAttributes"`
			Trace        json.RawMessage            `json:"traceparent"`
		} `json:"_meta"`
		RequestID json.RawMessage `json:"requestId"`
	} `json:"params"`
}

// isRequest reports whether an answer is due.
func (m message) isRequest() bool {
	return m.Method != "" && len(m.ID) > 0 && !bytes.Equal(m.ID, []byte("null"))
}

// modern reports whether the message declares the stateless protocol core.
func (m message) modern() bool { return m.Params.Meta.Version >= modernVersion }

const modernVersion = "2026-07-28"

// malformed is why a message is refused before anything looks at its meaning.
type malformed struct {
	code   int // of JSON-RPC
	reason string
}

func (m *malformed) Error() string { return m.reason }

func notJSON() *malformed { return &malformed{code: -32700, reason: "The message is not valid JSON."} }

func bad(reason string) *malformed { return &malformed{code: -32600, reason: reason} }

// parse checks raw strictly and decodes its envelope.
func parse(raw []byte) (message, *malformed) {
	var m message
	if err := checkJSON(raw); err != nil {
		return m, err
	}
	var shape struct {
		JSONRPC json.RawMessage `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Method  json.RawMessage `json:"method"`
		Params  json.RawMessage `json:"params"`
	}
	if err := json.Unmarshal(raw, &shape); err != nil {
		return m, bad("The message must be one JSON object; batches are not part of the protocol.")
	}
	m.ID = shape.ID
	switch {
	case string(shape.JSONRPC) != `"2.0"`:
		return m, bad(`The member "jsonrpc" must be "2.0".`)
	case !isID(shape.ID):
		return m, bad(`The member "id" must be a string or a number.`)
	case shape.Method != nil && shape.Method[0] != '"':
		return m, bad(`The member "method" must be a string.`)
	case shape.Params != nil && shape.Params[0] != '{':
		return m, bad(`The member "params" must be an object.`)
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, &malformed{code: -32602, reason: "A member of params has the wrong type."}
	}
	return m, nil
}

func isID(id json.RawMessage) bool {
	return id == nil || id[0] == '"' || id[0] == '-' || id[0] >= '0' && id[0] <= '9' || string(id) == "null"
}

// checkJSON refuses what encoding/json lets through and two readers could
// understand differently: duplicate keys, also when only their case differs,
// protocol keys in the wrong case, control characters in keys, bytes that are
// not UTF-8; and what is too deep or too wide to be meant.
func checkJSON(raw []byte) *malformed {
	if !utf8.Valid(raw) || !json.Valid(raw) {
		return notJSON()
	}
	c := checker{dec: json.NewDecoder(bytes.NewReader(raw))}
	c.dec.UseNumber()
	for {
		token, err := c.dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return notJSON()
		}
		if refused := c.token(token); refused != nil {
			return refused
		}
	}
}

type checker struct {
	dec   *json.Decoder
	stack []container
}

type container struct {
	keys    map[string]struct{} // of an object, folded; nil in an array
	name    string              // under which the container hangs in its parent
	pending string              // the key whose value comes next
	wantKey bool
	count   int
}

func (c *checker) token(t json.Token) *malformed {
	if d, ok := t.(json.Delim); ok {
		if d == '}' || d == ']' {
			c.stack = c.stack[:len(c.stack)-1]
			return nil
		}
		return c.open(d == '{')
	}
	if n := len(c.stack); n > 0 && c.stack[n-1].wantKey {
		return c.key(&c.stack[n-1], t.(string)) //nolint:forcetypeassert // the decoder only gives strings here
	}
	return c.value()
}

func (c *checker) open(object bool) *malformed {
	name := ""
	if n := len(c.stack); n > 0 {
		name = c.stack[n-1].pending
	}
	if refused := c.value(); refused != nil {
		return refused
	}
	if len(c.stack) == maxDepth {
		return bad("The message is nested too deeply.")
	}
	next := container{name: name, wantKey: object}
	if object {
		next.keys = map[string]struct{}{}
	}
	c.stack = append(c.stack, next)
	return nil
}

// value counts one value into the container it stands in.
func (c *checker) value() *malformed {
	n := len(c.stack)
	if n == 0 {
		return nil
	}
	top := &c.stack[n-1]
	top.count++
	top.wantKey = top.keys != nil
	if top.count > maxMembers {
		return bad("A list in the message is too long.")
	}
	return nil
}

func (c *checker) key(top *container, key string) *malformed {
	if strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
		return bad("A key in the message holds a control character.")
	}
	folded := fold(key)
	if _, twice := top.keys[folded]; twice {
		return bad("A key appears twice in one object of the message.")
	}
	if exact := protocolKey(folded); c.protocol() && exact != "" && key != exact {
		return bad("A protocol key is written in the wrong case.")
	}
	top.keys[folded] = struct{}{}
	top.pending, top.wantKey = key, false
	return nil
}

// protocol reports whether the object on top belongs to the protocol: the
// message itself, params, and params._meta.
func (c *checker) protocol() bool {
	switch len(c.stack) {
	case 1:
		return true
	case 2:
		return c.stack[1].name == "params"
	case 3:
		return c.stack[1].name == "params" && c.stack[2].name == "_meta"
	default:
		return false
	}
}

// fold maps keys that encoding/json takes for the same one to one form; it
// knows the long s and the Kelvin sign as well.
func fold(key string) string {
	return strings.NewReplacer("\u017f", "s", "\u212a", "k").Replace(strings.ToLower(key))
}

// protocolKey is the right spelling of a folded key of the protocol, or "".
func protocolKey(folded string) string {
	switch folded {
	case "jsonrpc", "id", "method", "params", "result", "error", "name", "arguments", "_meta", "cursor", "uri",
		"capabilities", "task", "level", "notifications", "ref", "argument", "context", "reason":
		return folded
	case traceHeader:
		return traceHeader
	case "protocolversion":
		return "protocolVersion"
	case "clientinfo":
		return "clientInfo"
	case "requestid":
		return "requestId"
	case "progresstoken":
		return "progressToken"
	case "inputresponses":
		return "inputResponses"
	case "requeststate":
		return "requestState"
	case "accesssettings":
		return "accessSettings"
	case "accesscontrolattributes":
		return "accessControlAttributes"
	case "io.modelcontextprotocol/protocolversion":
		return "io.modelcontextprotocol/protocolVersion"
	case "io.modelcontextprotocol/clientcapabilities":
		return "io.modelcontextprotocol/clientCapabilities"
	case "io.modelcontextprotocol/clientinfo":
		return "io.modelcontextprotocol/clientInfo"
	case "io.modelcontextprotocol/loglevel":
		return "io.modelcontextprotocol/logLevel"
	default:
		return ""
	}
}

package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"confluence-mcp/internal/confluence"
)

// serveMCP is the life of one HTTP request to /mcp: credentials, then what the
// method needs, then the protocol library.
func (s *Server) serveMCP(w http.ResponseWriter, r *http.Request) {
	if !slices.Contains([]string{http.MethodPost, http.MethodGet, http.MethodDelete}, r.Method) {
		w.Header().Set("Allow", "POST, GET, DELETE")
		s.refuse(w, refuse(http.StatusMethodNotAllowed, "method", "input.method", "This method is not part of the protocol.", "Use POST."), nil)
		return
	}
	agent, err := s.Authenticate(r)
	if err != nil {
		s.Challenge(w, r, err)
		return
	}
	r = r.WithContext(withOwner(r.Context(), agent.principal()))
	if r.Method == http.MethodPost {
		s.servePost(w, r, agent)
		return
	}
	s.serveStream(w, r, agent)
}

// serveStream serves GET and DELETE of initialize-based clients. Newer ones
// have neither; the library tells them.
func (s *Server) serveStream(w http.ResponseWriter, r *http.Request, agent Agent) {
	x := &exchange{method: r.Method}
	if mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion)) {
		s.http.ServeHTTP(&reply{ResponseWriter: w, x: x}, r)
		return
	}
	if f := s.ownSession(r, agent); f != nil {
		s.refuse(w, f, nil)
		return
	}
	if r.Method == http.MethodDelete {
		s.http.ServeHTTP(&reply{ResponseWriter: w, x: x}, r)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // the request is read; what follows has no end
	ctx, stop := s.follow(r, agent)
	if stop == nil {
		s.refuse(w, crowded(), nil)
		return
	}
	defer stop()
	s.http.ServeHTTP(&reply{ResponseWriter: w, x: x}, r.WithContext(withExchange(ctx, x)))
}

func (s *Server) ownSession(r *http.Request, agent Agent) *refusal {
	id := r.Header.Get(mcpSessionHeader)
	if id == "" {
		return refuse(http.StatusBadRequest, "session", "input.session", "The Mcp-Session-Id header is missing.", "Send the id that initialize answered with.")
	}
	if !s.sessions.use(id, agent.principal()) {
		return refuse(http.StatusNotFound, "session", "", "There is no such session.", "Start a new one with initialize.")
	}
	return nil
}

const mcpSessionHeader = "Mcp-Session-Id"

func (s *Server) servePost(w http.ResponseWriter, r *http.Request, agent Agent) {
	buf := s.bodies.take()
	defer s.bodies.put(buf)
	f := s.readBody(w, r, buf)
	body := buf.bytes
	if f != nil {
		w.Header().Set("Connection", "close")
		s.refuse(w, f, nil)
		return
	}
	m, broken := parse(body)
	if broken != nil {
		f := refuse(http.StatusBadRequest, "malformed", "input.malformed", broken.reason, "Send one well-formed JSON-RPC 2.0 message.")
		f.code = broken.code
		s.refuse(w, f, nil)
		return
	}
	x, f := s.admit(r, agent, m, len(body))
	if f != nil {
		s.refuse(w, f, m.ID)
		return
	}
	modern := m.modern() || mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion))
	if !modern && m.Method != string(mcp.MethodInitialize) {
		if f := s.ownSession(r, agent); f != nil {
			s.refuse(w, f, m.ID)
			return
		}
	}
	if modern && m.Method == "notifications/cancelled" {
		// Over HTTP closing the request cancels it. The library would look the
		// id up among the requests of all clients.
		w.WriteHeader(http.StatusAccepted)
		return
	}
	s.dispatch(&reply{ResponseWriter: w, x: x}, r, dispatched{agent: agent, message: m, body: body, x: x})
}

type dispatched struct {
	agent   Agent
	message message
	body    []byte
	x       *exchange
}

// dispatch hands a checked message to the library.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, d dispatched) {
	began := s.cfg.Now()
	defer func() { s.observe(d.x, s.cfg.Now().Sub(began)) }()
	ctx := r.Context()
	if d.message.Method == string(mcp.MethodSubscriptionsListen) {
		var stop context.CancelFunc
		if ctx, stop = s.follow(r, d.agent); stop == nil {
			d.x.failure = "limit.rate"
			s.refuse(w, crowded(), d.message.ID)
			return
		}
		defer stop()
	}
	r = r.WithContext(withExchange(ctx, d.x))
	r.Body = io.NopCloser(bytes.NewReader(d.body))
	s.http.ServeHTTP(w, r)
}

// admit decides whether this agent may have this message handled now, and for
// whom.
func (s *Server) admit(r *http.Request, agent Agent, m message, size int) (*exchange, *refusal) {
	if int64(size) > s.bodyCap(m.Params.Name) {
		return nil, tooLarge()
	}
	named, err := accessOf(r.Header, m)
	if err != nil {
		return nil, &refusal{status: http.StatusBadRequest, code: -32602, reason: "access", err: err}
	}
	caller, err := resolveCaller(agent, named)
	if err != nil {
		return nil, &refusal{status: http.StatusForbidden, reason: "access", err: err}
	}
	caller.Trace = metaTrace(m, caller.Trace)
	x := &exchange{caller: caller, method: m.Method}
	if m.Method == string(mcp.MethodToolsCall) {
		x.tool = m.Params.Name
	}
	if wait, ok := s.rates.takeWithin(agent, agent.configured(), caller.Payer()); !ok {
		return nil, tooMany(wait)
	}
	return x, s.lacking(m)
}

func tooMany(wait int) *refusal {
	return &refusal{status: http.StatusTooManyRequests, reason: "rate", retry: wait, err: &confluence.Error{
		Kind: confluence.Limited, Code: "limit.rate", RetryAfter: time.Duration(wait) * time.Second,
		Message: "There were too many requests.", Next: "Wait as long as Retry-After says, then go on slower.",
	}}
}

// lacking refuses a call whose tool needs a client capability that the request
// does not declare. Only stateless requests declare any.
func (s *Server) lacking(m message) *refusal {
	needs := s.cfg.ClientNeeds[m.Params.Name]
	if m.Method != string(mcp.MethodToolsCall) || !m.modern() || len(needs) == 0 {
		return nil
	}
	required := map[string]struct{}{}
	for _, need := range needs {
		if _, ok := m.Params.Meta.Capabilities[need]; !ok {
			required[need] = struct{}{}
		}
	}
	if len(required) == 0 {
		return nil
	}
	return &refusal{
		status: http.StatusBadRequest, code: mcp.MISSING_REQUIRED_CLIENT_CAPABILITY, reason: "capability",
		data: map[string]any{"requiredCapabilities": required},
		err:  &confluence.Error{Kind: confluence.Invalid, Message: "This tool needs a capability that the client does not declare."},
	}
}

// follow gives a stream a context that ends with the request, with the
// server, and soon after the agent's key stops being what it was. The cancel
// function is nil when the agent has too many streams already.
func (s *Server) follow(r *http.Request, agent Agent) (context.Context, context.CancelFunc) {
	leave := s.crowd.enter(agent.principal())
	if leave == nil {
		return r.Context(), nil
	}
	ctx, cancel := context.WithCancel(r.Context())
	unhook := context.AfterFunc(s.streams, cancel)
	var watching sync.WaitGroup
	watching.Go(func() {
		ticker := time.NewTicker(s.cfg.Recheck)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			now, err := s.Authenticate(r)
			if err != nil || !reflect.DeepEqual(now, agent) {
				s.cfg.Logger.Info("stream ended: its key is no longer valid", "agent", agent.Name)
				cancel()
				return
			}
			s.sessions.use(r.Header.Get(mcpSessionHeader), agent.principal())
		}
	})
	return ctx, func() {
		unhook()
		cancel()
		watching.Wait()
		leave()
	}
}

func crowded() *refusal {
	return refuse(http.StatusTooManyRequests, "listening", "limit.rate", "There are too many open notification streams.", "Close one first.")
}

func (s *Server) bodyCap(tool string) int64 {
	if c := s.cfg.ToolBodies[tool]; c > s.cfg.MaxBody {
		return c
	}
	return s.cfg.MaxBody
}

func (s *Server) largestBody() int64 {
	largest := s.cfg.MaxBody
	for _, c := range s.cfg.ToolBodies {
		largest = max(largest, c)
	}
	return largest
}

func tooLarge() *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, reason: "size", err: &confluence.Error{
		Kind: confluence.Limited, Code: "limit.too_large", Message: "The message is too large.", Next: "Send less at once.",
	}}
}

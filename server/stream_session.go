package server

import (
	"context"
	"encoding/json"
	"maps"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
)

// streamSession is what the library knows a client of a stream by. The
// library's own one is shared by the whole process, which would mix clients up.
type streamSession struct {
	id           string
	notices      chan mcp.JSONRPCNotification
	stream       *stream
	subscription json.RawMessage // id of the subscriptions/listen request it serves

	mu       sync.Mutex
	ready    bool
	client   mcp.Implementation
	caps     mcp.ClientCapabilities
	version  string
	filter   mcp.SubscriptionFilter
	filtered bool
}

// newSession makes a session whose notifications are written to the stream
// until ctx ends.
func (t *stream) newSession(ctx context.Context, id string) *streamSession {
	s := &streamSession{id: id, stream: t, notices: make(chan mcp.JSONRPCNotification, 100)}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case n := <-s.notices:
				t.notify(s, n)
			}
		}
	}()
	return s
}

func (t *stream) notify(s *streamSession, n mcp.JSONRPCNotification) {
	if s.subscription != nil {
		meta := make(map[string]any, len(n.Params.Meta)+1)
		maps.Copy(meta, n.Params.Meta) // a broadcast shares it with other streams
		meta[mcp.MetaKeySubscriptionID] = s.subscription
		n.Params.Meta = meta
	}
	if out, err := json.Marshal(n); err == nil {
		t.write(out)
	}
}

// SessionID implements the library's ClientSession.
func (s *streamSession) SessionID() string { return s.id }

// NotificationChannel implements the library's ClientSession.
func (s *streamSession) NotificationChannel() chan<- mcp.JSONRPCNotification { return s.notices }

// Initialize implements the library's ClientSession.
func (s *streamSession) Initialize() { s.locked(func() { s.ready = true }) }

// Initialized implements the library's ClientSession.
func (s *streamSession) Initialized() (ready bool) {
	s.locked(func() { ready = s.ready })
	return ready
}

// GetClientInfo implements the library's SessionWithClientInfo.
func (s *streamSession) GetClientInfo() (client mcp.Implementation) {
	s.locked(func() { client = s.client })
	return client
}

// SetClientInfo implements the library's SessionWithClientInfo.
func (s *streamSession) SetClientInfo(client mcp.Implementation) {
	s.locked(func() { s.client = client })
}

// GetClientCapabilities implements the library's SessionWithClientInfo.
func (s *streamSession) GetClientCapabilities() (caps mcp.ClientCapabilities) {
	s.locked(func() { caps = s.caps })
	return caps
}

// SetClientCapabilities implements the library's SessionWithClientInfo.
func (s *streamSession) SetClientCapabilities(caps mcp.ClientCapabilities) {
	s.locked(func() { s.caps = caps })
}

// ProtocolVersion implements the library's SessionWithProtocolVersion.
func (s *streamSession) ProtocolVersion() (version string) {
	s.locked(func() { version = s.version })
	return version
}

// SetProtocolVersion is called when the handshake agreed on a version.
func (s *streamSession) SetProtocolVersion(version string) {
	s.locked(func() { s.version = version })
}

// SetSubscriptionFilter implements the library's SessionWithSubscriptionFilter.
func (s *streamSession) SetSubscriptionFilter(filter mcp.SubscriptionFilter) {
	s.locked(func() { s.filter, s.filtered = filter, true })
}

// SubscriptionFilter implements the library's SessionWithSubscriptionFilter. A
// listener has none before it is acknowledged, and hears nothing until then.
func (s *streamSession) SubscriptionFilter() (filter mcp.SubscriptionFilter, active bool) {
	s.locked(func() { filter, active = s.filter, s.filtered || s.subscription != nil })
	return filter, active
}

func (s *streamSession) locked(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

package server

import (
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics follow the names of the OpenTelemetry conventions for MCP. Labels
// have a bounded set of values and never hold an id, a handle or a secret.
type metrics struct {
	duration *prometheus.HistogramVec // method, tool, error_type
	refused  *prometheus.CounterVec   // reason
}

func newMetrics(r prometheus.Registerer, sessions func() int) (*metrics, error) {
	m := &metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "mcp_server_operation_duration_seconds",
			Help:    "Time from a message to its answer.",
			Buckets: []float64{.01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60, 120, 300},
		}, []string{"method", "tool", "error_type"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_server_refused_total",
			Help: "Requests refused before they reached the protocol, by reason.",
		}, []string{"reason"}),
	}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mcp_server_sessions",
		Help: "Open sessions of initialize-based clients over HTTP.",
	}, func() float64 { return float64(sessions()) })
	for _, c := range []prometheus.Collector{m.duration, m.refused, open} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("server: metrics: %w", err)
		}
	}
	return m, nil
}

// observe ends one exchange. Names that a client made up become "other".
func (s *Server) observe(x *exchange, took time.Duration) {
	method, tool := x.method, x.tool
	if !slices.Contains(methods(), method) {
		method = "other"
	}
	if tool != "" && !s.tools[tool] {
		tool = "other"
	}
	s.metrics.duration.WithLabelValues(method, tool, x.failure).Observe(took.Seconds())
	s.cfg.Logger.Debug("message", "method", method, "tool", tool, "agent", x.caller.Agent, "failure", x.failure, "dur", took)
}

func methods() []string {
	return []string{
		"initialize", "ping", "server/discover", "tools/list", "tools/call", "subscriptions/listen",
		"resources/list", "resources/read", "resources/templates/list", "prompts/list", "prompts/get",
		"notifications/initialized", "notifications/cancelled", "completion/complete",
	}
}

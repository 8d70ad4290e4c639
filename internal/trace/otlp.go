package trace

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// The JSON form of OTLP's ExportTraceServiceRequest (opentelemetry-proto 1.x): 64-bit integers are strings, ids are
// hexadecimal, enums are numbers.
type (
	exportRequest struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resource     `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resource struct {
		Attributes []attribute `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope      `json:"scope"`
		Spans []otlpSpan `json:"spans"`
	}
	scope struct {
		Name string `json:"name"`
	}
	otlpSpan struct {
		TraceID    string      `json:"traceId"`
		SpanID     string      `json:"spanId"`
		ParentID   string      `json:"parentSpanId,omitempty"`
		Name       string      `json:"name"`
		Kind       int         `json:"kind"`
		Start      string      `json:"startTimeUnixNano"`
		End        string      `json:"endTimeUnixNano"`
		Attributes []attribute `json:"attributes,omitempty"`
		Events     []otlpEvent `json:"events,omitempty"`
		Status     status      `json:"status"`
	}
	otlpEvent struct {
		Time       string      `json:"timeUnixNano"`
		Name       string      `json:"name"`
		Attributes []attribute `json:"attributes,omitempty"`
	}
	status struct {
		Code    int    `json:"code,omitempty"`
		Message string `json:"message,omitempty"`
	}
	attribute struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	value struct {
		String *string  `json:"stringValue,omitempty"`
		Int    *string  `json:"intValue,omitempty"`
		Double *float64 `json:"doubleValue,omitempty"`
		Bool   *bool    `json:"boolValue,omitempty"`
	}
)

// Numbers of OTLP.
const (
	kindInternal = 1
	kindServer   = 2
	kindClient   = 3
	statusError  = 2
)

func (e *Exporter) request(spans []Span) exportRequest {
	out := make([]otlpSpan, 0, len(spans))
	for _, s := range spans {
		out = append(out, s.encode())
	}
	fixed := map[string]any{}
	for name, v := range e.cfg.Resource {
		fixed[name] = v
	}
	return exportRequest{[]resourceSpans{{Resource: resource{attributes(fixed)}, ScopeSpans: []scopeSpans{{scope{"parley"}, out}}}}}
}

func (s Span) encode() otlpSpan {
	out := otlpSpan{
		TraceID: s.TraceID, SpanID: s.ID, ParentID: s.Parent, Name: s.Name, Kind: kindInternal,
		Start: nanos(s.Start), End: nanos(s.End), Attributes: attributes(s.Attributes),
	}
	switch s.Name {
	case "call":
		out.Kind = kindServer
	case "model session", "tool call":
		out.Kind = kindClient
	}
	if s.Failed != "" {
		out.Status = status{statusError, s.Failed}
	}
	for _, e := range s.Events {
		out.Events = append(out.Events, otlpEvent{nanos(e.At), e.Name, attributes(e.Attributes)})
	}
	return out
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

func attributes(m map[string]any) []attribute {
	var out []attribute
	for _, key := range slices.Sorted(maps.Keys(m)) {
		var v value
		switch x := m[key].(type) {
		case string:
			v.String = &x
		case int64:
			n := strconv.FormatInt(x, 10)
			v.Int = &n
		case float64:
			v.Double = &x
		case bool:
			v.Bool = &x
		}
		out = append(out, attribute{key, v})
	}
	return out
}

package trace

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Config says where traces go. Its fields are the standard variables of OpenTelemetry.
type Config struct {
	URL      string            // of the collector's OTLP/HTTP receiver for traces; "" = off
	Headers  map[string]string // such as an API key; secret
	Resource map[string]string // attributes of everything that this process sends
	Timeout  time.Duration     // of one request
}

// defaultTimeout is OpenTelemetry's.
const defaultTimeout = 10 * time.Second

// FromEnvironment reads the variables that OpenTelemetry names (OTEL_EXPORTER_OTLP_ENDPOINT and its kind) through
// get. Traces are off unless an endpoint is named.
func FromEnvironment(get func(string) string, version string) (Config, error) {
	first := func(names ...string) string {
		for _, name := range names {
			if v := strings.TrimSpace(get(name)); v != "" {
				return v
			}
		}
		return ""
	}
	c := Config{URL: first("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), Timeout: defaultTimeout}
	if base := first("OTEL_EXPORTER_OTLP_ENDPOINT"); c.URL == "" && base != "" {
		c.URL = strings.TrimRight(base, "/") + "/v1/traces"
	}
	if strings.EqualFold(get("OTEL_SDK_DISABLED"), "true") || first("OTEL_TRACES_EXPORTER") == "none" {
		c.URL = ""
	}
	if c.URL == "" {
		return Config{}, nil
	}
	if u, err := url.Parse(c.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return Config{}, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT is not an http or https address: give one such as http://127.0.0.1:4318")
	}
	if p := first("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); p == "grpc" {
		return Config{}, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is grpc: Parley sends OTLP over HTTP, so name the collector's HTTP receiver (usually port 4318) and leave the protocol empty")
	}
	if ms := first("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"); ms != "" {
		d, err := time.ParseDuration(ms + "ms")
		if err != nil || d <= 0 {
			return Config{}, fmt.Errorf("OTEL_EXPORTER_OTLP_TIMEOUT is no number of milliseconds: give one such as 10000")
		}
		c.Timeout = d
	}
	var err error
	if c.Headers, err = pairs("OTEL_EXPORTER_OTLP_HEADERS", first("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")); err != nil {
		return Config{}, err
	}
	if c.Resource, err = pairs("OTEL_RESOURCE_ATTRIBUTES", first("OTEL_RESOURCE_ATTRIBUTES")); err != nil {
		return Config{}, err
	}
	if name := first("OTEL_SERVICE_NAME"); name != "" {
		c.Resource["service.name"] = name
	}
	if c.Resource["service.name"] == "" {
		c.Resource["service.name"] = "parley"
	}
	if c.Resource["service.version"] == "" {
		c.Resource["service.version"] = version
	}
	return c, nil
}

// pairs reads name=value,name=value with percent-encoded values. The error names no value: it may be secret.
func pairs(variable, list string) (map[string]string, error) {
	out := map[string]string{}
	for pair := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		decoded, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || err != nil || name == "" {
			return nil, fmt.Errorf("%s is no list of name=value, separated by commas", variable)
		}
		out[name] = decoded
	}
	return out, nil
}

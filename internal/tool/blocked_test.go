package tool

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"parley"
	"parley/internal/egress"
	"parley/internal/egress/egresstest"
)

// target makes an HTTP tool of a URL, as if it had been stored before anybody checked.
func target(raw string) parley.Tool {
	return parley.Tool{ID: parley.NewID(), Name: "Look up", FunctionName: "look_up", Kind: parley.ToolHTTP, Parameters: json.RawMessage(`{"type":"object"}`),
		HTTP: &parley.HTTPTool{Method: http.MethodGet, URL: raw, TimeoutSeconds: 10}}
}

// TestToolsReachNoBlockedAddress goes to every address of the table: directly, by a name, and by a redirect.
func TestToolsReachNoBlockedAddress(t *testing.T) {
	t.Parallel()
	dns := egresstest.NewDNS(t)
	statuses := []int{301, 302, 303, 307, 308}
	hop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.Header()["Location"] = []string{r.URL.Query().Get("to")}
		w.WriteHeader(status)
	}))
	t.Cleanup(hop.Close)
	runner := New(Options{Egress: gateOf(t, egress.Options{Resolver: dns.Resolver(), Allow: []string{hop.Listener.Addr().String()}})})
	run := func(name, raw string, redirected bool) {
		tool := target(raw)
		got := runner.Run(t.Context(), Call{OrgID: "org", Name: tool.FunctionName, Offered: []parley.Tool{tool}})
		if got.Outcome != OutcomeError || !redirected && got.Detail.ErrorType != "blocked_address" {
			t.Errorf("%s: %q: %+v", name, raw, got)
		}
		if strings.Contains(got.Output, "SSRF") || got.Detail.Status != 0 {
			t.Errorf("%s was reached: %+v", name, got)
		}
	}
	for i, in := range append(egresstest.Inputs(), dns.Names()...) {
		if in.Public {
			continue
		}
		if _, err := url.Parse(in.URL); err == nil { // what is no URL cannot be asked for
			run(in.Name, in.URL, false)
		}
		if strings.Contains(in.URL, "://") && !strings.ContainsAny(in.URL, "\r\n\x00") {
			run("redirect to "+in.Name, fmt.Sprintf("%s/%d?to=%s", hop.URL, statuses[i%len(statuses)], url.QueryEscape(in.URL)), true)
		}
	}
}

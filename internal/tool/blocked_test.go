package tool

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"parley"
	"parley/internal/egress"
	"parley/internal/egress/egresstest"
)

// targets makes tools of a URL, one of each kind that goes out, as if they had been stored before anybody checked.
func targets(raw string) []parley.Tool {
	tool := parley.Tool{Name: "Look up", FunctionName: "look_up", Parameters: json.RawMessage(`{"type":"object"}`)}
	overHTTP, overMCP := tool, tool
	overHTTP.ID, overHTTP.Kind, overHTTP.HTTP = parley.NewID(), parley.ToolHTTP, &parley.HTTPTool{Method: http.MethodGet, URL: raw, TimeoutSeconds: 10}
	overMCP.ID, overMCP.Kind, overMCP.MCP, overMCP.Remote = parley.NewID(), parley.ToolMCP, &parley.MCPTool{URL: raw}, "look_up"
	return []parley.Tool{overHTTP, overMCP}
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
	defer runner.Close()
	run := func(name, raw string, want ...string) {
		for _, tool := range targets(raw) {
			got := runner.Run(t.Context(), Call{OrgID: "org", Name: tool.FunctionName, Offered: []parley.Tool{tool}})
			if got.Outcome != OutcomeError || !slices.Contains(want, got.Detail.ErrorType) {
				t.Errorf("%s, %s: %q: %+v", tool.Kind, name, raw, got)
			}
		}
	}
	for i, in := range append(egresstest.Inputs(), dns.Names()...) {
		if in.Public {
			continue
		}
		redirected := []string{ErrorBlocked, ErrorRedirect} // servers of MCP are not followed anywhere
		if _, err := url.Parse(in.URL); err == nil {
			run(in.Name, in.URL, ErrorBlocked)
		} else { // what is no URL cannot be asked for, and net/http gives up on it as a Location
			redirected = append(redirected, ErrorConnection)
		}
		if strings.Contains(in.URL, "://") && !strings.ContainsAny(in.URL, "\r\n\x00") {
			run("redirect to "+in.Name, fmt.Sprintf("%s/%d?to=%s", hop.URL, statuses[i%len(statuses)], url.QueryEscape(in.URL)), redirected...)
		}
	}
}

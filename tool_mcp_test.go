package parley_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"parley"
)

const mcpStart = `{"name":"Shop","description":"D","kind":"mcp","mcp":{"url":"https://a.example.com/mcp"`

func TestMCPToolRules(t *testing.T) {
	t.Parallel()
	for body, field := range map[string]string{
		mcpStart + `}}`: "",
		mcpStart + `,"headers":{"Authorization":"Bearer {{secret.S}}","X-Who":"{{context.callerNumber}}"},"allowedTools":["a","a"]}}`: "",
		mcpStart + `},"parameters":{"type":"object"}}`:                                                                 "parameters",
		mcpStart + `},"http":{}}`:                                                                                      "http",
		mcpStart + `},"client":{}}`:                                                                                    "client",
		mcpStart + `,"headers":{"X":"{{args.a}}"}}}`:                                                                   "mcp.headers.X",
		mcpStart + `,"headers":{"Mcp-Session-Id":"a"}}}`:                                                               "mcp.headers.Mcp-Session-Id",
		mcpStart + `,"headers":{"Authorization":"••••"}}}`:                                                             "mcp.headers.Authorization",
		mcpStart + `,"query":{"a":"b"}}}`:                                                                              "mcp.query",
		mcpStart + `,"allowedTools":[""]}}`:                                                                            "mcp.allowedTools[0]",
		`{"name":"S","description":"D","kind":"mcp","mcp":{}}`:                                                         "mcp.url",
		`{"name":"S","description":"D","kind":"mcp","mcp":{"url":"ftp://a"}}`:                                          "mcp.url",
		`{"name":"S","description":"D","kind":"mcp","mcp":{"url":"https://a.example.com/{{secret.S}}"}}`:               "mcp.url",
		`{"name":"S","description":"D","kind":"mcp","mcp":{"url":"https://u:p@a.example.com/mcp"}}`:                    "mcp.url",
		`{"name":"S","description":"D","kind":"http","http":{"method":"GET","url":"https://a.example.com/"},"mcp":{}}`: "mcp",
	} {
		made, _, err := createTool(body)
		got := problems(t, err)
		if field == "" && err != nil || field != "" && (len(got) != 1 || got[field] == "") {
			t.Errorf("%s: %v (%v), want %q only", body, got, err, field)
		}
		if err == nil && made.Access != parley.AccessWrite {
			t.Errorf("access %q", made.Access)
		}
	}
}

// TestMCPCredentials: a hidden header survives changes of everything but the host.
func TestMCPCredentials(t *testing.T) {
	t.Parallel()
	made, _, err := createTool(mcpStart + `,"headers":{"Authorization":"Bearer abc"},"allowedTools":["a"]}}`)
	if err != nil {
		t.Fatal(err)
	}
	if shown := made.MCP.Masked(); shown.Headers["Authorization"] != parley.Mask || made.MCP.Headers["Authorization"] != "Bearer abc" {
		t.Errorf("shown %v", shown)
	}
	apply := func(body string) (parley.Tool, error) {
		in, err := parley.ParseInput([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		changed, _, err := made.Apply(in, time.Now(), func(json.RawMessage) string { return "" })
		return changed, err
	}
	for _, body := range []string{`{"mcp":{"url":"https://a.example.com/v2"}}`, `{"mcp":{"headers":{"authorization":"••••"}}}`, `{"name":"B"}`} {
		if changed, err := apply(body); err != nil || len(changed.MCP.Headers) != 1 || !slices.Equal(changed.MCP.AllowedTools, []string{"a"}) {
			t.Errorf("%s: %+v, %v", body, changed.MCP, err)
		}
	}
	for _, body := range []string{`{"mcp":{"url":"https://b.example.com/mcp"}}`, `{"mcp":{"url":"http://a.example.com/mcp","headers":{"Authorization":"••••"}}}`} {
		if _, err := apply(body); problems(t, err)["mcp.headers.Authorization"] == "" {
			t.Errorf("%s: %v", body, err)
		}
	}
	if changed, err := apply(`{"mcp":{"headers":null,"allowedTools":null}}`); err != nil || len(changed.MCP.Headers) != 0 || changed.MCP.AllowedTools != nil || changed.MCP.Same(made.MCP) {
		t.Errorf("%+v, %v", changed.MCP, err)
	}
}

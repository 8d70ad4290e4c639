package parley_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"parley"
)

// anySchema accepts every schema; the real check is tested in internal/tool.
func anySchema(json.RawMessage) string { return "" }

func createTool(body string) (parley.Tool, []string, error) {
	in, err := parley.ParseInput([]byte(body))
	if err != nil {
		return parley.Tool{}, nil, err
	}
	return parley.NewTool("org", in, time.Unix(1, 0), anySchema)
}

func patchTool(t *testing.T, tool parley.Tool, body string) (parley.Tool, []string, error) {
	t.Helper()
	in, err := parley.ParseInput([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return tool.Apply(in, time.Unix(2, 0), anySchema)
}

// httpTool is a create request with these members of http, and parameters that list a and b.
func httpTool(members string) string {
	return `{"name":"A","description":"D","kind":"http","parameters":{"type":"object","properties":{"a":{},"b":{}}},"http":{` + members + `}}`
}

func TestNewToolHasTheDefaultsOfTheContract(t *testing.T) {
	t.Parallel()
	tool, warnings, err := createTool(`{"name":"Look up order","description":"D","kind":"http","http":{"method":"GET","url":"https://a.example.com"}}`)
	if err != nil || len(warnings) != 0 {
		t.Fatalf("create: %v, %q", err, warnings)
	}
	if tool.FunctionName != "look_up_order" || tool.Category != "" || string(tool.Parameters) != `{"type":"object","properties":{}}` || tool.Access != "read" ||
		tool.Confirm || tool.MaxCalls != nil || tool.HTTP.TimeoutSeconds != 10 || tool.HTTP.Body != nil || tool.HTTP.ResultPath != "" || tool.HTTP.Headers == nil || tool.HTTP.Query == nil {
		t.Errorf("tool = %+v %+v", tool, tool.HTTP)
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		tool, _, err := createTool(httpTool(`"method":"` + method + `","url":"https://a.example.com"`))
		if err != nil || tool.Access != "write" {
			t.Errorf("%s: access %q, %v", method, tool.Access, err)
		}
	}
}

func TestEveryWrongFieldOfAToolIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, _, err := createTool(`{"name":"","description":5,"kind":"http","functionName":"1x","category":[],"parameters":{"type":"array"},"access":"all","confirm":1,
		"maxCallsPerConversation":0,"mcp":{},"http":{"method":"TRACE","url":"ftp://a","headers":{"Host":"x","a b":"c","X":"line\nbreak"},"query":{"":"x","q":"{{oops}}"},
		"body":5,"timeoutSeconds":61,"resultPath":"a","retries":3}}`)
	got := problems(t, err)
	for _, f := range []string{"name", "description", "functionName", "category", "parameters.type", "access", "confirm", "maxCallsPerConversation", "mcp",
		"http.method", "http.url", "http.headers.Host", "http.headers.a b", "http.headers.X", "http.query.", "http.query.q", "http.body", "http.timeoutSeconds",
		"http.resultPath", "http.retries"} {
		if got[f] == "" {
			t.Errorf("no problem reported for %s", f)
		}
		delete(got, f)
	}
	if len(got) > 0 {
		t.Errorf("also reported: %v", got)
	}
}

func TestToolFieldRules(t *testing.T) {
	t.Parallel()
	const start = `{"name":"A","description":"D","kind":"http","http":{"method":"GET","url":"https://a.example.com"}`
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	cases := []struct{ body, field string }{ // field "" = accepted
		{`{"description":"D","kind":"http","http":{"method":"GET","url":"https://a.example.com"}}`, "name"},
		{`{"name":"A","kind":"http","http":{"method":"GET","url":"https://a.example.com"}}`, "description"},
		{`{"name":"A","description":"D","http":{"method":"GET","url":"https://a.example.com"}}`, "kind"},
		{`{"name":"A","description":"D","kind":"http"}`, "http"},
		{`{"name":"A","description":"D","kind":"http","http":null}`, "http"},
		{`{"name":"A","description":"D","kind":"sql","http":{}}`, "kind"},
		{`{"name":"A","description":"D","kind":"mcp","http":{"method":5}}`, "kind"},
		{start + `}`, ""},
		{start + `,"functionName":"getOrder-2"}`, ""},
		{start + `,"functionName":null}`, ""},
		{start + `,"functionName":""}`, "functionName"},
		{start + `,"functionName":"a b"}`, "functionName"},
		{start + `,"functionName":"` + strings.Repeat("a", 64) + `"}`, ""},
		{start + `,"functionName":"` + strings.Repeat("a", 65) + `"}`, "functionName"},
		{start + `,"parameters":null}`, ""},
		{start + `,"parameters":{"type":"object"}}`, ""},
		{start + `,"parameters":{}}`, "parameters.type"},
		{start + `,"parameters":{"type":["object"]}}`, "parameters.type"},
		{start + `,"parameters":true}`, "parameters"},
		{start + `,"parameters":"{}"}`, "parameters"},
		{start + `,"parameters":{"type":"object","title":"` + strings.Repeat("x", parley.MaxToolParameters) + `"}}`, "parameters"},
		{start + `,"access":null,"confirm":null,"maxCallsPerConversation":null,"category":null}`, ""},
		{start + `,"access":"write","confirm":true,"maxCallsPerConversation":1000}`, ""},
		{start + `,"maxCallsPerConversation":1001}`, "maxCallsPerConversation"},
		{start + `,"orgId":"x"}`, "orgId"},
		{start + `,"createdAt":"x"}`, "createdAt"},
	}
	for _, c := range cases {
		_, _, err := createTool(c.body)
		got := problems(t, err)
		if c.field == "" && err != nil || c.field != "" && (len(got) != 1 || got[c.field] == "") {
			t.Errorf("create(%.150s) problems = %v (%v), want %q only", c.body, got, err, c.field)
		}
	}
	if _, _, err := createTool(start + `,"parameters":` + deep + `}`); parley.ErrorCode(err) != parley.CodeInvalid {
		t.Errorf("deep parameters: %v", err)
	}
}

func TestPatchOfATool(t *testing.T) {
	t.Parallel()
	tool, _, err := createTool(httpTool(`"method":"GET","url":"https://a.example.com/{{args.a}}","headers":{"X":"1","Y":"2"},"timeoutSeconds":20`))
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := patchTool(t, tool, `{"name":"Other","http":{"method":"POST","headers":{"X":"3"}}}`)
	if err != nil || b.FunctionName != "a" || b.Access != "write" || len(b.HTTP.Headers) != 1 || b.HTTP.TimeoutSeconds != 20 || b.HTTP.URL != tool.HTTP.URL || !b.CreatedAt.Equal(tool.CreatedAt) {
		t.Errorf("patched %+v %+v, %v", b, b.HTTP, err)
	}
	if tool.HTTP.Method != "GET" || len(tool.HTTP.Headers) != 2 {
		t.Error("Apply changed its receiver")
	}
	if b, _, err = patchTool(t, b, `{"functionName":null,"access":"read","http":{"timeoutSeconds":null,"headers":null}}`); err != nil || b.FunctionName != "other" || b.Access != "read" || b.HTTP.TimeoutSeconds != 10 || len(b.HTTP.Headers) != 0 {
		t.Errorf("reset: %+v %+v, %v", b, b.HTTP, err)
	}
	if b, _, err = patchTool(t, b, `{"http":{"method":"PUT"}}`); err != nil || b.Access != "read" {
		t.Errorf("an access that was chosen changed to %q with the method, %v", b.Access, err)
	}
	if _, _, err = patchTool(t, tool, `{"kind":"http"}`); err != nil {
		t.Errorf("the same kind again: %v", err)
	}
	for body, field := range map[string]string{
		`{"kind":"mcp"}`: "kind", `{"http":{"url":null}}`: "http.url", `{"name":null}`: "name",
		`{"parameters":{"type":"object","properties":{"b":{}}}}`: "http.url", // it uses {{args.a}}
		`{"http":{"body":"x"}}`:                                  "http.body",
	} {
		_, _, err := patchTool(t, tool, body)
		if got := problems(t, err); len(got) != 1 || got[field] == "" {
			t.Errorf("%s: %v, want %s", body, got, field)
		}
	}
}

func TestCredentialsAreMaskedAndKept(t *testing.T) {
	t.Parallel()
	tool, _, err := createTool(httpTool(`"method":"GET","url":"https://a.example.com/x","headers":{"authorization":"Bearer abc","Cookie":"s=1","X-API-Key":"k","My_Token":"t",
		"Other":"Basic dXNlcg==","Auth-Ok":"x","Authorization-2":"Bearer {{secret.A}}","X-Secret":"{{secret.A}}{{secret.B}}","X-Password":"p{{secret.A}}","Accept":"a/b"},
		"query":{"apikey":"q","page":"1","sig":"{{secret.S}}"}`))
	if err != nil {
		t.Fatal(err)
	}
	shown := tool.HTTP.Masked()
	for name, want := range map[string]string{"authorization": parley.Mask, "Cookie": parley.Mask, "X-API-Key": parley.Mask, "My_Token": parley.Mask, "Other": parley.Mask,
		"Auth-Ok": "x", "Authorization-2": "Bearer {{secret.A}}", "X-Secret": "{{secret.A}}{{secret.B}}", "X-Password": parley.Mask, "Accept": "a/b"} {
		if shown.Headers[name] != want {
			t.Errorf("header %s is shown as %q, want %q", name, shown.Headers[name], want)
		}
	}
	if shown.Query["apikey"] != parley.Mask || shown.Query["page"] != "1" || shown.Query["sig"] != "{{secret.S}}" || tool.HTTP.Query["apikey"] != "q" {
		t.Errorf("query is shown as %v", shown.Query)
	}

	b, _, err := patchTool(t, tool, `{"http":{"headers":{"AUTHORIZATION":"••••","X-API-Key":"new"}}}`)
	if err != nil || len(b.HTTP.Headers) != 2 || b.HTTP.Headers["AUTHORIZATION"] != "Bearer abc" || b.HTTP.Headers["X-API-Key"] != "new" || b.HTTP.Query["apikey"] != "q" {
		t.Errorf("patched headers %v, query %v, %v", b.HTTP, b.HTTP, err)
	}
	for body, field := range map[string]string{
		`{"http":{"headers":{"Accept":"••••"}}}`:                                                             "http.headers.Accept", // not hidden
		`{"http":{"headers":{"X-Token":"••••"}}}`:                                                            "http.headers.X-Token",
		`{"http":{"query":{"APIKEY":"••••"}}}`:                                                               "http.query.APIKEY", // case counts in a query
		`{"http":{"url":"https://b.example.com/","headers":null}}`:                                           "http.query.apikey",
		`{"http":{"url":"http://a.example.com/","query":null,"headers":{"Cookie":"••••"}}}`:                  "http.headers.Cookie",
		`{"http":{"url":"https://a.example.com:444/","headers":{"Cookie":"new"},"query":{"apikey":"••••"}}}`: "http.query.apikey",
	} {
		_, _, err := patchTool(t, tool, body)
		if got := problems(t, err); len(got) == 0 || got[field] == "" {
			t.Errorf("%s: %v, want %s", body, got, field)
		}
	}
	for _, body := range []string{`{"http":{"url":"https://A.example.com:443/y"}}`, `{"http":{"url":"https://b.example.com/","headers":{"Authorization":"Bearer {{secret.A}}"},"query":{"apikey":"q"}}}`} {
		if _, _, err := patchTool(t, tool, body); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestFunctionNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Look up order": "look_up_order", "  A--B  ": "a_b", "Ärger & Größe": "arger_grosse", "2 things": "tool_2_things", "getOrder": "getorder",
		strings.Repeat("word ", 20): strings.TrimRight(strings.Repeat("word_", 20)[:64], "_"),
	} {
		if got := parley.FunctionName(name); got != want {
			t.Errorf("FunctionName(%q) = %q, want %q", name, got, want)
		}
	}
	seen := map[string]string{}
	for _, name := range []string{"天気", "地図", "天気 API", "地図 API", "Погода", "!!!", "🎉", "", "tool", "اطلب"} {
		got := parley.FunctionName(name)
		if !parley.IsFunctionName(got) || got != parley.FunctionName(name) || seen[got] != "" {
			t.Errorf("FunctionName(%q) = %q, as for %q", name, got, seen[got])
		}
		seen[got] = name
	}
}

func TestKeepToolsWarns(t *testing.T) {
	t.Parallel()
	known := map[string]parley.Tool{}
	a := parley.Agent{ToolIDs: []string{"gone"}}
	for i := range 11 {
		id := fmt.Sprint("t", i)
		known[id] = parley.Tool{ID: id, Name: "Tool " + id, Kind: parley.ToolBuiltin}
		a.ToolIDs = append(a.ToolIDs, id)
	}
	known["t0"] = parley.Tool{ID: "t0", Name: "Order", Kind: parley.ToolHTTP}
	w := a.KeepTools(known)
	if len(a.ToolIDs) != 11 || a.ToolIDs[0] != "t0" || len(w) != 2 || !strings.Contains(w[0], `"gone"`) || !strings.Contains(w[1], "11 tools") {
		t.Errorf("kept %q, warnings %q", a.ToolIDs, w)
	}
}

var toolURL = regexp.MustCompile(parley.ToolURLPattern)

// FuzzToolInput: whatever arrives, the answer is a tool within its bounds, whose shown form can be sent back, or
// a CodeInvalid error.
func FuzzToolInput(f *testing.F) {
	for _, s := range []string{
		httpTool(`"method":"GET","url":"https://a.example.com/{{args.a}}?x={{secret.B}}","headers":{"Authorization":"Bearer x"},"query":{"token":"y"}`),
		httpTool(`"method":"POST","url":"http://[::1]:8/","body":{"a":"{{args.b}}"},"resultPath":"/a~1","timeoutSeconds":3`),
		`{"name":"天気","description":"D","kind":"http","access":null,"http":{"method":"GET","url":"https://%41/"}}`, `{"kind":"mcp"}`, "\xff", `{"http":{"url":"{{"}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		tool, _, err := createTool(string(body))
		if err != nil {
			if parley.ErrorCode(err) != parley.CodeInvalid {
				t.Fatalf("error %v has code %s", err, parley.ErrorCode(err))
			}
			return
		}
		if !parley.IsFunctionName(tool.FunctionName) || tool.HTTP == nil || tool.Access == "" || !json.Valid(tool.Parameters) || !utf8.ValidString(tool.HTTP.URL) {
			t.Fatalf("tool %+v %+v", tool, tool.HTTP)
		}
		if !toolURL.MatchString(tool.HTTP.URL) {
			t.Fatalf("%q does not match the document's pattern", tool.HTTP.URL)
		}
		host, _, _ := strings.Cut(tool.HTTP.URL[strings.Index(tool.HTTP.URL, "://")+3:]+"/", "/")
		if before, _, _ := strings.Cut(host, "?"); strings.ContainsAny(before, "{}@\\ #") {
			t.Fatalf("host %q", before)
		}
		for name, value := range tool.HTTP.Headers {
			if strings.ContainsAny(name+value, "\r\n") || strings.EqualFold(name, "host") {
				t.Fatalf("header %q: %q", name, value)
			}
		}
		shown, err := json.Marshal(map[string]any{"http": map[string]any{"headers": tool.HTTP.Masked().Headers, "query": tool.HTTP.Masked().Query}})
		if err != nil {
			t.Fatal(err)
		}
		in, err := parley.ParseInput(shown)
		if err != nil {
			t.Fatalf("the shown form cannot be parsed: %v", err)
		}
		again, _, err := tool.Apply(in, time.Unix(2, 0), anySchema)
		if err != nil || fmt.Sprint(again.HTTP.Headers) != fmt.Sprint(tool.HTTP.Headers) || fmt.Sprint(again.HTTP.Query) != fmt.Sprint(tool.HTTP.Query) {
			t.Fatalf("the shown form sent back: %v\n%v\n%v", err, again.HTTP, tool.HTTP)
		}
	})
}

func FuzzFunctionName(f *testing.F) {
	for _, s := range []string{"Look up order", "天気", "", "9", "é\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if got := parley.FunctionName(name); !parley.IsFunctionName(got) {
			t.Fatalf("FunctionName(%q) = %q", name, got)
		}
	})
}

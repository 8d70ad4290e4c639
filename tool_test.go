package parley_test

import (
	"encoding/json"
	"fmt"
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

func TestToolURLs(t *testing.T) {
	t.Parallel()
	good := []string{"https://api.example.com", "http://localhost:3000/x", "https://a.example.com/o/{{args.a}}/{{ args.b }}?q={{args.a}}-{{secret.K}}&x=1",
		"https://1.2.3.4/", "https://[::1]:8443/x?y", "HTTPS://A.example.com", "https://a.example.com/{{context.visitor.sub}}", "https://a.example.com/?api_key={{secret.K}}",
		"https://xn--bcher-kva.example/b%C3%BCcher?a=%20+b&flag", "https://a.example.com/x{{args.a}}y.json"}
	for _, u := range good {
		if _, _, err := createTool(httpTool(`"method":"GET","url":"` + u + `"`)); err != nil {
			t.Errorf("%s refused: %v", u, err)
		}
	}
	bad := map[string]string{ // → part of the problem
		"":                                     "empty",
		"a.example.com":                        "address such as",
		"//a.example.com":                      "address such as",
		"https:a.example.com":                  "address such as",
		"https://":                             "name a host",
		"https:///x":                           "name a host",
		"ftp://a.example.com":                  "https://",
		"file:///etc/passwd":                   "https://",
		"javascript://a.example.com/%0aalert":  "https://",
		"{{args.a}}":                           "scheme, host or port",
		"{{args.a}}://a.example.com":           "scheme, host or port",
		"https://{{args.a}}/":                  "scheme, host or port",
		"https://{{secret.H}}.example.com/":    "scheme, host or port",
		"https://a.example.com{{args.a}}/":     "scheme, host or port",
		"https://a.example.com:{{args.a}}/":    "scheme, host or port",
		"https://{{args.a}}@a.example.com/":    "scheme, host or port",
		"https://user:pw@a.example.com/":       "user name",
		"https://@a.example.com/":              "user name",
		"https://a.example.com/#x":             "fragment",
		"https://a.example.com/{{args.a}}#":    "fragment",
		"https://a.example.com:0/":             "port",
		"https://a.example.com:65536/":         "port",
		"https://a.example.com:/":              "port",
		"https://a.example.com:80a/":           "address such as",
		"https://bücher.example/":              "percent-encoded",
		"https://a.example.com/b c":            "percent-encoded",
		"https://a.example.com\\\\@evil.com/":  "address such as",
		"https://a.example.com/%zz":            "percent-encoded",
		"https://a.example.com/?a=%zz":         "percent-encoded",
		"https://a.example.com/\\nX: y":        "percent-encoded",
		"https://[fe80::1%25eth0]/":            "name a host",
		"https://a..example.com/":              "name a host",
		"https://a.example.com./":              "name a host",
		"https://a.example.com/?{{args.a}}=1":  "name of a query entry",
		"https://a.example.com/?{{args.a}}":    "name of a query entry",
		"https://a.example.com/{{args.a":       "without }}",
		"https://a.example.com/{{oops}}":       "unknown template",
		"https://a.example.com/{{args.a.b}}":   "malformed {{args",
		"https://a.example.com/{{args.}}":      "malformed {{args",
		"https://a.example.com/{{secret.1}}":   "malformed {{secret",
		"https://a.example.com/{{context.ip}}": "unknown {{context",
		"https://a.example.com/{{Args.a}}":     "unknown template",
		"https://a.example.com/{{{{args.a}}}}": "unknown template",
		"https://a.example.com/{{args.c}}":     "do not list",
		"https://a.example.com/?api_key=x":     "credential",
		"https://a.example.com/?a%70ikey=x":    "credential",
		"https://a.example.com/?" + strings.Repeat("x", parley.MaxToolURL): "at most",
	}
	for u, want := range bad {
		_, _, err := createTool(httpTool(`"method":"GET","url":"` + u + `"`))
		if got := problems(t, err); len(got) != 1 || !strings.Contains(got["http.url"], want) {
			t.Errorf("%.80s: %v, want %q", u, got, want)
		}
	}
}

func TestToolRequestRules(t *testing.T) {
	t.Parallel()
	const get, post = `"method":"GET","url":"https://a.example.com"`, `"method":"POST","url":"https://a.example.com"`
	many := func(n int) string {
		var pairs []string
		for i := range n {
			pairs = append(pairs, fmt.Sprintf(`"x%d":"y"`, i))
		}
		return "{" + strings.Join(pairs, ",") + "}"
	}
	cases := []struct{ members, field string }{ // field "" = accepted
		{get + `,"headers":{"Accept":"a/b","X-Id":"{{context.callerNumber}} {{args.a}}"}`, ""},
		{get + `,"headers":` + many(40) + `,"query":` + many(40), ""},
		{get + `,"headers":` + many(41), "http.headers"},
		{get + `,"query":` + many(41), "http.query"},
		{get + `,"headers":{"X":5}`, "http.headers"},
		{get + `,"headers":{"X":null}`, "http.headers.X"},
		{get + `,"headers":{"":"x"}`, "http.headers."},
		{get + `,"headers":{"X:":"x"}`, "http.headers.X:"},
		{get + `,"headers":{"X\r\nY":"x"}`, "http.headers.X\r\nY"},
		{get + `,"headers":{"X":"a\r\nY: b"}`, "http.headers.X"},
		{get + `,"headers":{"X":"ü"}`, "http.headers.X"},
		{get + `,"headers":{"X":"a\tb"}`, ""},
		{get + `,"headers":{"x-a":"1","X-A":"2"}`, "http.headers.x-a"},
		{get + `,"headers":{"{{args.a}}":"x"}`, "http.headers.{{args.a}}"},
		{get + `,"headers":{"HOST":"x"}`, "http.headers.HOST"},
		{get + `,"headers":{"Content-Length":"5"}`, "http.headers.Content-Length"},
		{get + `,"headers":{"transfer-encoding":"chunked"}`, "http.headers.transfer-encoding"},
		{get + `,"headers":{"Connection":"x"}`, "http.headers.Connection"},
		{get + `,"headers":{"Proxy-Authorization":"x"}`, "http.headers.Proxy-Authorization"},
		{get + `,"headers":{"X":"{{args.c}}"}`, "http.headers.X"},
		{get + `,"headers":{"Authorization":"••••"}`, "http.headers.Authorization"},
		{get + `,"query":{"q":"{{args.a}}","r s":"ü"}`, ""},
		{get + `,"query":{"{{args.a}}":"x"}`, "http.query.{{args.a}}"},
		{get + `,"query":{"q":"a\nb"}`, "http.query.q"},
		{get + `,"query":{"token":"••••"}`, "http.query.token"},
		{post + `,"body":"id={{args.a}}"`, ""},
		{post + `,"body":{"a":[{"b":"{{args.b}}"}],"n":1}`, ""},
		{post + `,"body":["{{args.a}}"]`, ""},
		{post + `,"body":null`, ""},
		{post + `,"body":"{\"a\":{\"b\":{{args.a}}}}"`, ""},
		{post + `,"body":5`, "http.body"},
		{post + `,"body":"{{args.c}}"`, "http.body"},
		{post + `,"body":{"{{args.a}}":1}`, "http.body"},
		{post + `,"body":{"a":["{{oops}}"]}`, "http.body"},
		{post + `,"body":"` + strings.Repeat("x", parley.MaxToolBody) + `"`, "http.body"},
		{get + `,"body":"x"`, "http.body"},
		{get + `,"timeoutSeconds":60,"resultPath":"/a~1b/0/~0"`, ""},
		{get + `,"timeoutSeconds":0`, "http.timeoutSeconds"},
		{get + `,"timeoutSeconds":1.5`, "http.timeoutSeconds"},
		{get + `,"resultPath":"/a~2"`, "http.resultPath"},
		{get + `,"resultPath":"/a~"`, "http.resultPath"},
		{get + `,"resultPath":"#/a"`, "http.resultPath"},
		{get + `,"resultPath":"/"`, ""},
		{`"method":"get","url":"https://a.example.com"`, "http.method"},
	}
	for _, c := range cases {
		_, _, err := createTool(httpTool(c.members))
		got := problems(t, err)
		if c.field == "" && err != nil || c.field != "" && (got[c.field] == "" || len(got) != 1) {
			t.Errorf("%.150s: problems %v (%v), want %q only", c.members, got, err, c.field)
		}
	}
	free := `{"name":"A","description":"D","kind":"http","http":{` + get + `,"headers":{"X":"{{args.c}}"}},"parameters":{"type":"object","properties":{"a":{}},"allOf":[{}]}}`
	if _, _, err := createTool(free); err != nil {
		t.Errorf("arguments by allOf: %v", err)
	}
	if _, w, err := createTool(`{"name":"A","description":"D","kind":"http","http":{"method":"GET","url":"http://a.example.com/{{args.c}}"}}`); err != nil || len(w) != 2 {
		t.Errorf("unencrypted and without parameters: %q, %v", w, err)
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
	if len(a.ToolIDs) != 11 || a.ToolIDs[0] != "t0" || len(w) != 3 || !strings.Contains(w[0], `"gone"`) ||
		w[1] != `toolIds: "Order" is stored but this version does not run HTTP tools yet.` || !strings.Contains(w[2], "11 tools") {
		t.Errorf("kept %q, warnings %q", a.ToolIDs, w)
	}
}

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

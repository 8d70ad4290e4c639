package parley_test

import (
	"fmt"
	"strings"
	"testing"

	"parley"
)

func TestToolURLs(t *testing.T) {
	t.Parallel()
	good := []string{"https://api.example.com", "http://localhost:3000/x", "https://a.example.com/o/{{args.a}}/{{ args.b }}?q={{args.a}}-{{secret.K}}&x=1",
		"https://1.2.3.4/", "https://[::1]:8443/x?y", "HTTPS://A.example.com", "https://a.example.com/{{context.visitor.sub}}", "https://a.example.com/?api_key={{secret.K}}",
		"https://xn--bcher-kva.example/b%C3%BCcher?a=%20+b&flag", "https://a.example.com/x{{args.a}}y.json"}
	for _, u := range good {
		if !toolURL.MatchString(u) {
			t.Errorf("%s does not match the document's pattern", u)
		}
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
		"https://a.example.com:080/":           "port",
		"https://[::ffff:1.2.3.4]/":            "name a host",
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

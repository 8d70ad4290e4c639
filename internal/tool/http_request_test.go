package tool

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"parley"
)

// valuesOf are values for templates, with two secrets.
func valuesOf(t testing.TB, arguments string) *values {
	t.Helper()
	v, err := New(Options{}).values(t.Context(), job{Call: Call{CallerNumber: "+14155550123", OrgID: "org"}, arguments: json.RawMessage(arguments)})
	if err != nil {
		t.Fatal(err)
	}
	v.secrets = map[string]string{"KEY": "s3cr&t/äö", "PEM": "a\nb", "TOKEN": "tok-123"}
	return v
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	const bad = "refused"
	for _, c := range []struct{ url, query, arguments, want string }{
		{"https://a.example/o/{{args.x}}", "", `{"x":"A 1"}`, "https://a.example/o/A%201"},
		{"https://a.example/o/{{args.x}}", "", `{"x":"a/b?c#d%2f"}`, "https://a.example/o/a%2Fb%3Fc%23d%252f"},
		{"https://a.example/o/{{args.x}}/y", "", `{"x":"ä\"<"}`, "https://a.example/o/%C3%A4%22%3C/y"},
		{"https://a.example/o/{{args.x}}", "", `{"x":12345678901234567890}`, "https://a.example/o/12345678901234567890"},
		{"https://a.example/o/{{args.x}}", "", `{"x":".."}`, bad},
		{"https://a.example/o/{{args.x}}", "", `{"x":"."}`, bad},
		{"https://a.example/o/{{args.x}}", "", `{"x":"..;a"}`, bad},
		{"https://a.example/o/{{args.x}}", "", `{"x":"../admin"}`, bad},
		{"https://a.example/o/{{args.x}}", "", `{"x":"..\\admin"}`, bad},
		{"https://a.example/o/{{args.x}}", "", `{"x":"%2e%2e"}`, bad},
		{"https://a.example/o/{{args.x}}", "", `{"x":"a%2f..%2fb"}`, bad},
		{"https://a.example/o/{{args.x}}{{args.y}}", "", `{"x":"x","y":""}`, bad},
		{"https://a.example/o/.{{args.x}}", "", `{"x":"."}`, bad},
		{"https://a.example/o/{{args.x}}", "", `{"x":""}`, bad},
		{"https://a.example/o/{{args.x}}", "", `{}`, bad},
		{"https://a.example/o/{{args.x}}", "", `{"x":null}`, bad},
		{"https://a.example/o/{{args.x}}", "", `{"x":"a\r\nHost: b"}`, bad},
		{"https://a.example/o?q={{args.x}}&z=1", "", `{"x":"a&admin=1#"}`, "https://a.example/o?q=a%26admin%3D1%23&z=1"},
		{"https://a.example/o?q={{args.x}}&z=1", "", `{}`, "https://a.example/o?z=1"},
		{"https://a.example/o?q={{context.callerNumber}}", "k={{secret.KEY}}", `{}`, "https://a.example/o?q=%2B14155550123&k=s3cr%26t%2F%C3%A4%C3%B6"},
		{"https://a.example/o?q={{context.visitor.sub}}", "", `{}`, bad},
		{"https://a.example/o", "", `{"b":[1,"x y",null],"a":{"c":true},"n":null}`, "https://a.example/o?a=%7B%22c%22%3Atrue%7D&b=1&b=x+y"},
		{"https://a.example/o", "p={{args.a}}", `{"a":"1","b":"2"}`, "https://a.example/o?p=1&b=2"},
	} {
		h := &parley.HTTPTool{Method: "GET", URL: c.url, Query: map[string]string{}}
		if name, value, ok := strings.Cut(c.query, "="); ok {
			h.Query[name] = value
		}
		got := bad
		if req, err := valuesOf(t, c.arguments).request(h); err == nil {
			got = req.url
		}
		if got != c.want {
			t.Errorf("%s ? %s with %s: %s, want %s", c.url, c.query, c.arguments, got, c.want)
		}
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	const bad, anyJSON = "refused", "application/json"
	for _, c := range []struct{ template, kind, arguments, want, wantKind string }{
		{``, "", `{"b":2,"a":"x<"}`, `{"a":"x<","b":2}`, anyJSON},
		{``, "", `{}`, `{}`, anyJSON},
		{`{"n":"{{args.n}}","t":"n={{args.n}}","s":"{{args.s}}"}`, "", `{"n":1.50,"s":["a"]}`, `{"n":1.50,"s":["a"],"t":"n=1.50"}`, anyJSON},
		{`{"a":{"gone":"{{args.no}}","l":["{{args.no}}",1,"x{{args.no}}"]}}`, "", `{}`, `{"a":{"l":[1,"x"]}}`, anyJSON},
		{`{"who":"{{context.callerNumber}}","k":"{{secret.KEY}}"}`, "", `{}`, `{"k":"s3cr&t/äö","who":"+14155550123"}`, anyJSON},
		{`{"who":"{{context.contactId}}"}`, "", `{}`, bad, ""},
		{`"{\"a\":\"{{args.x}}\",\"b\":{{args.y}},\"c\":{{args.z}}}"`, "", `{"x":"\",\"admin\":\"","y":{"q":1}}`, `{"a":"\",\"admin\":\"","b":{"q":1},"c":null}`, anyJSON},
		{`"[{{args.x}}]"`, "", `{"x":"1],[2"}`, `["1],[2"]`, anyJSON},
		{`"{\"a\":{{args.x}}{{args.x}}}"`, "", `{"x":1}`, `{"a":11}`, anyJSON},
		{`"{\"a\":{{args.x}}{{args.x}}}"`, "", `{"x":"s"}`, bad, ""},
		{`"a={{args.x}}&b=1"`, "application/x-www-form-urlencoded", `{"x":"1&b=2"}`, `a=1%26b%3D2&b=1`, ""},
		{`"<a>{{args.x}}</a>"`, "text/xml", `{"x":"</a><b>"}`, `<a>&lt;/a&gt;&lt;b&gt;</a>`, ""},
		{`"Order {{args.x}}{{args.no}}!"`, "", `{"x":"<7>"}`, `Order <7>!`, "text/plain; charset=utf-8"},
		{`"{{args.x}}"`, "", `{"x":"{not json"}`, `{not json`, "text/plain; charset=utf-8"},
	} {
		h := &parley.HTTPTool{Method: "POST", URL: "https://a.example/"}
		if c.template != "" {
			h.Body = json.RawMessage(c.template)
		}
		if c.kind != "" {
			h.Headers = map[string]string{"Content-Type": c.kind}
		}
		req, err := valuesOf(t, c.arguments).request(h)
		if err != nil {
			if c.want != bad {
				t.Errorf("%s with %s: %v", c.template, c.arguments, err)
			}
			continue
		}
		if string(req.body) != c.want || c.wantKind != "" && req.header.Get("Content-Type") != c.wantKind {
			t.Errorf("%s with %s: %s (%s), want %s", c.template, c.arguments, req.body, req.header.Get("Content-Type"), c.want)
		}
	}
}

func TestHeaderTemplates(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]string{
		"Bearer {{secret.TOKEN}}": "Bearer tok-123", "{{args.ok}}": "v", "{{args.no}}": "", "{{args.crlf}}": "refused", "{{args.utf}}": "refused",
		"{{secret.PEM}}": "refused", "{{secret.KEY}}": "refused", "{{context.visitor.sub}}": "refused",
	} {
		got := "refused"
		req, err := valuesOf(t, `{"ok":"v","crlf":"a\r\nX: y","utf":"ä"}`).request(&parley.HTTPTool{Method: "GET", URL: "https://a.example/", Headers: map[string]string{"X-A": template}})
		if err == nil {
			got = req.header.Get("X-A")
		} else if strings.Contains(err.Error(), "s3cr") {
			t.Errorf("%s: the error quotes the secret: %v", template, err)
		}
		if got != want {
			t.Errorf("%s: %q, want %q (%v)", template, got, want, err)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	const canary = `k3y/+"ä<&=canary`
	m := &masker{}
	m.hide(canary)
	for name, echo := range map[string]string{
		"plain": canary, "query": url.QueryEscape(canary), "path": url.PathEscape(canary), "lower": lowerEscapes(url.QueryEscape(canary)),
		"json": string(marshal(canary)), "html": `k3y/+&#34;ä&lt;&amp;=canary`,
	} {
		if got := m.mask("<" + echo + ">"); strings.Contains(got, "canary") || !strings.Contains(got, parley.Mask) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for offset := range 3 {
		core := base64Core(stdEncoding, canary, offset)
		whole := stdEncoding.EncodeToString([]byte("user:"[:offset] + canary + "tail"))
		if !strings.Contains(whole, core) || strings.Contains(m.mask(whole), core) || len(core) < 16 {
			t.Errorf("base64 at %d: %q in %q", offset, core, whole)
		}
	}
}

// FuzzRequest: whatever a model sends, the request stays at its host and under its path, and its headers are headers.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{"a", "../b", "%2e%2e/", "a\r\nb", "?x=1#", "\\\\evil", "\u202e", `"}`, "a;b", "//"} {
		f.Add(s)
	}
	h := &parley.HTTPTool{Method: "POST", URL: "https://a.example/base/{{args.x}}/end?q={{args.x}}", Headers: map[string]string{"X-A": "v {{args.y}}"},
		Query: map[string]string{"r": "{{args.x}}"}, Body: json.RawMessage(`{"a":"{{args.x}}","b":"t {{args.x}}"}`)}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		args, _ := json.Marshal(map[string]string{"x": s, "y": s})
		v := valuesOf(t, string(args))
		req, err := v.request(h)
		if err != nil {
			if _, ok := errors.AsType[*argumentError](err); !ok {
				t.Fatalf("%v", err)
			}
			return
		}
		u, err := url.Parse(req.url)
		if err != nil || u.Host != "a.example" || u.Fragment != "" || strings.Count(u.EscapedPath(), "/") != 3 || !strings.HasPrefix(u.EscapedPath(), "/base/") {
			t.Fatalf("%q: %s, %v", s, req.url, err)
		}
		if q := u.Query(); len(q) != 2 || q.Get("q") != s || q.Get("r") != s {
			t.Fatalf("query %v", q)
		}
		if strings.ContainsAny(req.header.Get("X-A"), "\r\n") {
			t.Fatalf("header %q", req.header.Get("X-A"))
		}
		var body map[string]string
		if json.Unmarshal(req.body, &body) != nil || len(body) != 2 || body["a"] != s {
			t.Fatalf("body %s", req.body)
		}
	})
}

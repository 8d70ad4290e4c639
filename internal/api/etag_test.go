package api_test

import (
	"testing"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestIfMatch: a change on a version that is gone changes nothing.
func TestIfMatch(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		made := h.do(t, request{method: "POST", path: "/api/v1/agents", body: `{"name":"Ada","type":"chat"}`})
		path := "/api/v1/agents/" + made.text("data.id")
		tag := made.header.Get("ETag")
		if got := h.do(t, request{method: "GET", path: path}).header.Get("ETag"); tag == "" || got != tag {
			t.Fatalf("ETag %q after %q", got, tag)
		}
		change := func(method, match string) answer {
			r := request{method: method, path: path, headers: map[string]string{"If-Match": match}}
			if method == "PATCH" {
				r.body = `{"name":"Bea"}`
			}
			return h.do(t, r)
		}
		first := change("PATCH", tag)
		if first.status != 200 || first.header.Get("ETag") == tag || first.header.Get("ETag") == "" {
			t.Fatalf("with the tag: %d, ETag %q", first.status, first.header.Get("ETag"))
		}
		for _, method := range []string{"PATCH", "DELETE"} {
			if a := change(method, tag); a.status != 412 || a.text("error.type") != "conflict" {
				t.Errorf("%s with an old tag: %d %s", method, a.status, a.body)
			}
			if a := change(method, "W/"+first.header.Get("ETag")); a.status != 412 {
				t.Errorf("%s with a weak tag: %d", method, a.status)
			}
			for _, bad := range []string{"", "abc", `"abc`, `"a" "b"`, `"a";`, `W/x`} {
				if a := change(method, bad); a.status != 400 || len(a.fields()) != 1 || a.fields()[0] != "If-Match" {
					t.Errorf("%s with %s: %d %s", method, bad, a.status, a.body)
				}
			}
		}
		if a := change("PATCH", `"other", `+first.header.Get("ETag")); a.status != 200 {
			t.Errorf("with a list: %d %s", a.status, a.body)
		}
		if a := change("DELETE", "*"); a.status != 200 {
			t.Errorf("with *: %d %s", a.status, a.body)
		}
	})
}

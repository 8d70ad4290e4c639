package api_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestCursor: pages by cursor show every agent once, also when others come and go meanwhile.
func TestCursor(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		var want []string
		for i := range 7 {
			want = append(want, h.createAgent(t, "", fmt.Sprintf(`{"name":"Agent %d","type":"voice"}`, i)))
		}
		const list = "/api/v1/agents?sort=name&order=asc&limit=3"
		var got []string
		next := ""
		for step := range 3 {
			a := h.do(t, request{method: "GET", path: list + next})
			agents, _ := a.at("data.agents").([]any)
			for _, g := range agents {
				got = append(got, g.(map[string]any)["id"].(string))
			}
			if a.status != 200 || a.at("data.pagination.offset") != float64(3*step) || a.at("data.pagination.hasMore") != (step < 2) {
				t.Fatalf("page %d: %d %s", step, a.status, a.body)
			}
			if step == 2 {
				if a.at("data.pagination.nextCursor") != nil {
					t.Errorf("a cursor after the last page: %s", a.body)
				}
				break
			}
			next = "&cursor=" + url.QueryEscape(a.text("data.pagination.nextCursor"))
			if step == 0 { // one that comes before the place, and one that was shown goes
				h.createAgent(t, "", `{"name":"Aardvark","type":"voice"}`)
				h.do(t, request{method: "DELETE", path: "/api/v1/agents/" + got[0]})
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages %v, want %v", got, want)
		}
		for query, field := range map[string]string{list + next + "&offset=3": "offset", list + "&cursor=abc": "cursor", "/api/v1/agents?sort=createdAt&limit=3" + next: "cursor"} {
			if a := h.do(t, request{method: "GET", path: query}); a.status != 400 || fmt.Sprint(a.fields()) != "["+field+"]" {
				t.Errorf("%s: %d %s", query, a.status, a.body)
			}
		}
	})
}

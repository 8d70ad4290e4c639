package api_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestOneOfManyOnTheSameVersion: of many changes that name the same version, one is made.
func TestOneOfManyOnTheSameVersion(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		made := h.do(t, request{method: "POST", path: "/api/v1/agents", body: voiceBody})
		const n = 20
		codes := make([]int, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				r := httptest.NewRequestWithContext(t.Context(), "PATCH", "http://x/api/v1/agents/"+made.text("data.id"), strings.NewReader(fmt.Sprintf(`{"name":"%d"}`, i)))
				r.Header.Set("X-Api-Key", h.key)
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("If-Match", made.header.Get("ETag"))
				w := httptest.NewRecorder()
				h.handler.ServeHTTP(w, r)
				codes[i] = w.Code
			})
		}
		wg.Wait()
		count := map[int]int{}
		for _, c := range codes {
			count[c]++
		}
		if count[200] != 1 || count[412] != n-1 {
			t.Errorf("%v", count)
		}
	})
}

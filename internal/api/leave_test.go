package api_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/internal/store/storetest"
)

// TestClientThatLeavesLosesNothing: the stream's client goes away after the first event; the answer still
// arrives on record.
func TestClientThatLeavesLosesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	agent := h.createAgent(t, "", chatBody)
	srv := httptest.NewServer(h.handler)
	defer srv.Close()

	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+"/api/v1/agents/"+agent+"/chat", strings.NewReader(`{"message":"Tell me more"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || line != "id: 0\n" {
		t.Fatalf("first line %q, %v", line, err)
	}
	leave()
	_ = res.Body.Close()

	deadline, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		list := h.do(t, request{method: "GET", path: "/api/v1/conversations"})
		one := h.do(t, request{method: "GET", path: "/api/v1/conversations/" + list.text("data.conversations.0.id")})
		if one.at("data.messages.1.role") == "assistant" && one.at("data.messages.1.interrupted") == false {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.Done():
			t.Fatalf("the answer never arrived: %s", one.body)
		}
	}
}

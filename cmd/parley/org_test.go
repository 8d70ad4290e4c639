package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestGrantWhileServing: the operator grants an organization more requests; the running server follows, and the
// organization's audit log tells who did it.
func TestGrantWhileServing(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	_, out, _ := command(t, "org", "create", "Acme", "--key", "--data", s.data)
	var org struct{ Key string }
	if err := json.Unmarshal([]byte(out), &org); err != nil || org.Key == "" {
		t.Fatalf("org create: %s", out)
	}
	limit := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) { // contract: within a second
			_, body := s.get(t, "/api/v1/organization", org.Key)
			if strings.Contains(body, `"limits":{"requestsPerMinute":`+want+`,"maxRequestsPerMinute":`+want+`}`) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the limit is not %s: %s", want, body)
			}
		}
	}
	limit("600")
	if code, out, stderr := command(t, "org", "limit", "Acme", "--requests-per-minute", "1200", "--data", s.data); code != 0 || !strings.Contains(out, "1200") {
		t.Fatalf("org limit: %d %s %s", code, out, stderr)
	}
	limit("1200")
	if _, body := s.get(t, "/api/v1/audit-log", org.Key); !strings.Contains(body, `"action":"organization.limit"`) ||
		!strings.Contains(body, `"actor":{"type":"shell"`) || !strings.Contains(body, `{"field":"maxRequestsPerMinute","before":null,"after":1200}`) {
		t.Errorf("audit log: %s", body)
	}
	if code, _, stderr := command(t, "org", "limit", "Acme", "--default", "--data", s.data); code != 0 {
		t.Errorf("org limit --default: %d %s", code, stderr)
	}
	limit("600")
	for _, args := range [][]string{{"Acme"}, {"Acme", "--requests-per-minute", "0"}, {"Acme", "--requests-per-minute", "1000001"}, {"Nobody", "--default"}} {
		if code, _, stderr := command(t, append([]string{"org", "limit", "--data", s.data}, args...)...); code == 0 || stderr == "" {
			t.Errorf("org limit %q: %d %s", args, code, stderr)
		}
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/internal/store/storetest"
)

// TestKilledServerForgetsNoAnswer kills servers in the midst of creating agents. What was acknowledged is there; a
// request that got no answer is repeated with its Idempotency-Key; and in the end each was done exactly once.
func TestKilledServerForgetsNoAnswer(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		killServers(t, 5, "--data", t.TempDir())
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		killServers(t, 3, "--data", dir, "--database-url", storetest.PostgresURL(t), "--secret-key-file", filepath.Join(dir, "keys"))
	})
}

const killKey = "a-key-for-the-test-of-killing"

func killServers(t *testing.T, rounds int, args ...string) {
	made := map[string]string{} // idempotency key → id of the agent, "" when no answer came
	replayed, unknown := 0, 0
	for range rounds {
		child, url := startChild(t, args...)
		attempts := createUntilKilled(t, child, url)
		child, url = startChild(t, args...)
		for key, id := range attempts {
			status, again, mark, err := createOnce(t, url, key)
			if err != nil || status != http.StatusCreated {
				t.Fatalf("repeating %s: %d %v", key, status, err)
			}
			if id != "" && (again != id || !mark) {
				t.Errorf("the acknowledged %s became %s (replayed: %v)", id, again, mark)
			}
			if id == "" {
				unknown++
			}
			if mark {
				replayed++
			}
			made[key] = again
		}
		if total := countAgents(t, url); total != len(made)+2 { // and the two examples
			t.Errorf("%d agents for %d requests", total-2, len(made))
		}
		_ = child.Process.Kill()
		_ = child.Wait()
	}
	t.Logf("%d requests, %d without an answer, %d replayed", len(made), unknown, replayed)
	if replayed == 0 {
		t.Error("no request was acknowledged before a kill: the test shows nothing")
	}
}

// startChild starts a server in a process of its own.
func startChild(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], append([]string{"serve", "--listen", "127.0.0.1:0", "--bootstrap-key", killKey, "--rate-limit", "1000000"}, args...)...)
	child.Env = append(os.Environ(), "RUN_MAIN=1")
	out := &watched{more: make(chan struct{}, 1)}
	child.Stdout = out
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	deadline := time.After(60 * time.Second)
	for {
		if m := address.FindStringSubmatch(out.String()); m != nil {
			return child, m[1]
		}
		select {
		case <-out.more:
		case <-deadline:
			t.Fatalf("no greeting: %s", out)
		}
	}
}

// createUntilKilled lets several clients create agents, kills the server after a while, and returns what each request
// came to know.
func createUntilKilled(t *testing.T, child *exec.Cmd, url string) map[string]string {
	var mu sync.Mutex
	var wg sync.WaitGroup
	attempts := map[string]string{}
	enough := make(chan struct{})
	wanted := 10 + rand.IntN(60) // answers before the kill
	for range 4 {
		wg.Go(func() {
			for {
				key := parley.NewID()
				status, id, _, err := createOnce(t, url, key)
				if err != nil || status != http.StatusCreated {
					id = ""
				}
				mu.Lock()
				attempts[key] = id
				if len(attempts) == wanted {
					close(enough)
				}
				mu.Unlock()
				if id == "" {
					return
				}
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(60 * time.Second):
		t.Error("the clients got too few answers")
	}
	_ = child.Process.Kill()
	wg.Wait()
	_ = child.Wait()
	return attempts
}

func createOnce(t *testing.T, url, key string) (status int, id string, replayed bool, err error) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/v1/agents", strings.NewReader(fmt.Sprintf(`{"name":"Agent %s","type":"voice"}`, key)))
	if err != nil {
		return 0, "", false, err
	}
	r.Header.Set("X-Api-Key", killKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", false, err
	}
	defer res.Body.Close()
	var body struct{ Data struct{ ID string } }
	err = json.NewDecoder(res.Body).Decode(&body)
	return res.StatusCode, body.Data.ID, res.Header.Get("Idempotency-Replayed") == "true", err
}

func countAgents(t *testing.T, url string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/agents?limit=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", killKey)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body struct {
		Data struct{ Pagination struct{ Total int } }
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return body.Data.Pagination.Total
}

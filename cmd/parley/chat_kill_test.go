package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/store/storetest"
)

// TestKilledServerKeepsWhatWasSaid kills a server in the middle of an answer. The server that comes after it tells what
// was stored, and that the answer broke off, once; and the conversation goes on.
func TestKilledServerKeepsWhatWasSaid(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		killInAnAnswer(t, "--data", t.TempDir())
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		killInAnAnswer(t, "--data", dir, "--database-url", storetest.PostgresURL(t), "--secret-key-file", filepath.Join(dir, "keys"))
	})
}

func killInAnAnswer(t *testing.T, args ...string) {
	var question strings.Builder
	for i := range 250 {
		fmt.Fprint(&question, "w", i, " ")
	}
	child, url := startChild(t, args...)
	agent := ask(t, http.MethodPost, url+"/api/v1/agents", killKey, `{"name":"Site","type":"chat"}`)["id"].(string)
	key := parley.NewID()
	res := chatWith(t, url, agent, key, question.String(), "")
	if res.StatusCode != http.StatusOK {
		t.Fatalf("asking: %s", res.Status)
	}
	before, _ := readStream(t, res.Body, 300)
	_ = child.Process.Kill()
	_, _ = io.Copy(io.Discard, res.Body) // "unexpected EOF"
	_ = res.Body.Close()
	_ = child.Wait()

	_, url = startChild(t, args...)
	back := time.Now()
	for deadline := back.Add(60 * time.Second); ; {
		res = chatWith(t, url, agent, key, question.String(), "")
		if res.StatusCode != http.StatusConflict || time.Now().After(deadline) {
			break
		}
		_ = res.Body.Close() // on PostgreSQL the old server may live: it takes a moment to be sure that it does not
	}
	defer res.Body.Close()
	stored, events := readStream(t, res.Body, 1<<30)
	t.Logf("%d characters were seen before the kill, %d are kept; the end came %v after the server did", len(before), len(stored), time.Since(back))
	whole := "You are talking to Parley's simulated model. You said: " + question.String()
	if !strings.HasPrefix(whole, stored) || stored == "" || len(stored) == len(whole) {
		t.Errorf("kept: %q", stored)
	}
	if got := strings.Join(events[len(events)-2:], " "); got != `error run.completed` || res.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the end: %s", got)
	}
	all := ask(t, http.MethodGet, url+"/api/v1/conversations?agentId="+agent, killKey, "")["conversations"].([]any)
	if len(all) != 1 {
		t.Fatalf("%d conversations", len(all))
	}
	next := chatWith(t, url, agent, parley.NewID(), "Hello", all[0].(map[string]any)["id"].(string))
	defer next.Body.Close()
	if text, events := readStream(t, next.Body, 1<<30); !strings.HasSuffix(text, "Hello") || events[len(events)-1] != "run.completed" {
		t.Errorf("afterwards: %q, %v", text, events)
	}
}

func chatWith(t *testing.T, url, agent, key, message, conversation string) *http.Response {
	t.Helper()
	body := map[string]string{"message": message}
	if conversation != "" {
		body["conversationId"] = conversation
	}
	raw, _ := json.Marshal(body)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/v1/agents/"+agent+"/chat", strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", killKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// readStream reads the deltas of a stream until they have so many characters, or it ends, and names all its events.
func readStream(t *testing.T, body io.Reader, enough int) (text string, events []string) {
	t.Helper()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && len(text) < enough {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			events = append(events, name)
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && events[len(events)-1] == "message.delta" {
			var d struct{ Text string }
			if err := json.Unmarshal([]byte(data), &d); err != nil {
				t.Fatal(err)
			}
			text += d.Text
		}
	}
	return text, events
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"parley"
	"parley/internal/audio"
	"parley/internal/sim/speech"
	"parley/internal/web/browsertest"
)

// microphone writes what a caller says: each text after its silence, then a minute of nothing.
func microphone(t *testing.T, after []time.Duration, texts ...string) string {
	t.Helper()
	var samples []int16
	silence := func(d time.Duration) { samples = append(samples, make([]int16, d*audio.Rate/time.Second)...) }
	for i, text := range texts {
		silence(after[i])
		samples = append(samples, audio.DecodeULaw(speech.Say(text).ULaw)...)
	}
	silence(time.Minute)
	path := filepath.Join(t.TempDir(), "microphone.wav")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := audio.WriteWAV(f, 48000, audio.Resample(samples, audio.Rate, 48000)); err != nil {
		t.Fatal(err)
	}
	return path
}

// ask calls the API and returns `data`.
func ask(t *testing.T, method, address, key, body string) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct {
		Data map[string]any `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d, %v", method, address, resp.StatusCode, err)
	}
	return out.Data
}

// watch collects what the browser complains about.
func watch(t *testing.T, ctx context.Context) (complaints func() string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	err := chromedp.Listen(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch ev := ev.(type) {
		case *cdplog.EventEntryAdded:
			all = append(all, ev.Entry.Text) // also refusals by the content security policy
		case *runtime.EventExceptionThrown:
			all = append(all, ev.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(all, "\n")
	}
}

// TestABrowserTalksToAnAgent is the whole way: Chromium's microphone speaks a recording on the page that calls an
// agent, hears the answer, interrupts it and hangs up; the record holds the words that were heard.
func TestABrowserTalksToAnAgent(t *testing.T) {
	wav := microphone(t, []time.Duration{1500 * time.Millisecond, 4 * time.Second}, "What time do you open tomorrow?", "Please stop, I have another question for you.")
	ctx := browsertest.Start(t, browsertest.Microphone(wav)...)
	address, data := serving(t)
	var key bytes.Buffer
	if code := run(t.Context(), []string{"key", "create", "--data", data}, &key, io.Discard); code != 0 {
		t.Fatal("no key")
	}
	secret := strings.TrimSpace(key.String())
	ask(t, "POST", address+"/api/v1/agents", secret, `{"name":"Ada","type":"voice","status":"inactive"}`)
	if err := chromedp.Do(ctx); err != nil { // starts the browser
		t.Fatal(err)
	}
	complaints := watch(t, ctx)
	do := func(a chromedp.Action[chromedp.Void]) {
		t.Helper()
		if _, err := chromedp.Run(ctx, a); err != nil {
			t.Fatalf("%v; the browser says: %s", err, complaints())
		}
	}
	js := func(expression string) float64 {
		t.Helper()
		v, err := chromedp.Run(ctx, chromedp.Evaluate[float64](expression))
		if err != nil {
			t.Fatalf("%s: %v; the browser says: %s", expression, err, complaints())
		}
		return v
	}
	until := func(expression string) {
		t.Helper()
		wait, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		if _, err := chromedp.Run(wait, chromedp.Poll[bool](expression)); err != nil {
			state, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`JSON.stringify([document.body.innerText, parleyCall?.state, parleyCall?.stats, parleyCall?.transcript])`))
			t.Fatalf("%s: %v\n%s\nthe browser says: %s", expression, err, state, complaints())
		}
	}
	do(chromedp.Navigate(address + "/call"))
	do(chromedp.SendKeys("#key", secret+"\t"))
	until(`!document.getElementById("dial").disabled`)
	do(chromedp.Click("#dial"))
	until(`parleyCall?.state === "listening"`)
	until(`parleyCall.state === "speaking" && parleyCall.stats.playedMs > 1500`)
	if energy := js(`parleyCall.stats.energy`); energy < 1e-4 {
		t.Errorf("the answer was not audible: energy %g", energy)
	}
	until(`parleyCall.stats.clears === 1`)
	until(`parleyCall.transcript.some((line) => line.interrupted)`)
	reallyHeard := js(`parleyCall.stats.clearedMs`)
	played := js(`parleyCall.stats.playedMs`)
	until(`parleyCall.stats.playedMs > ` + fmt.Sprint(played+800)) // the second answer
	do(chromedp.Click("#hang"))
	until(`parleyCall.state === "ended" && !document.getElementById("again").hidden`)
	if n := js(`parleyCall.stats.sockets`); n != 1 {
		t.Errorf("%v sockets", n)
	}
	id, err := chromedp.Run(ctx, chromedp.Evaluate[string](`parleyCall.conversationId`))
	if err != nil {
		t.Fatal(err)
	}
	shown, err := chromedp.Run(ctx, chromedp.Evaluate[string](`JSON.stringify(parleyCall.transcript)`))
	if err != nil {
		t.Fatal(err)
	}
	checkHeard(t, ask(t, "GET", address+"/api/v1/conversations/"+id+"/events?limit=1000", secret, ""), reallyHeard)
	checkRecord(t, ask(t, "GET", address+"/api/v1/conversations/"+id, secret, ""), shown)
	if said := complaints(); said != "" {
		t.Errorf("the browser complains: %s", said)
	}
	http.DefaultClient.CloseIdleConnections()
}

// checkHeard compares the first interruption on record with what the page's loudspeaker had played by then.
func checkHeard(t *testing.T, log map[string]any, played float64) {
	t.Helper()
	events, _ := log["events"].([]any)
	for _, e := range events {
		if e := e.(map[string]any); e["type"] == parley.EventInterruption {
			heard, _ := e["data"].(map[string]any)["heardMs"].(float64)
			t.Logf("heard on record: %v ms, played by the page: %v ms", heard, played)
			if math.Abs(heard-played) > 120 {
				t.Errorf("on record %v ms were heard, the page had played %v ms", heard, played)
			}
			return
		}
	}
	t.Error("no interruption on record")
}

// checkRecord compares the record of the call with what its page showed.
func checkRecord(t *testing.T, conv map[string]any, shown string) {
	t.Helper()
	for name, want := range map[string]any{"status": "completed", "endReason": "caller_hangup", "type": "phone", "direction": "inbound", "from": "web:visitor", "test": true} {
		if conv[name] != want {
			t.Errorf("%s = %v, want %v", name, conv[name], want)
		}
	}
	var lines []struct {
		Role, Text, Heard string
		Interrupted       bool
	}
	if err := json.Unmarshal([]byte(shown), &lines); err != nil {
		t.Fatal(err)
	}
	messages, _ := conv["messages"].([]any)
	if len(messages) != len(lines) || len(lines) < 4 {
		t.Fatalf("the page showed %d lines, on record are %d: %s", len(lines), len(messages), shown)
	}
	cut := 0
	for i, m := range messages {
		m := m.(map[string]any)
		if lines[i].Role != m["role"] || lines[i].Text != m["text"] {
			t.Errorf("line %d: the page showed %+v, on record is %v", i, lines[i], m)
		}
		if m["role"] != "assistant" {
			continue
		}
		heard, _ := m["heardText"].(string)
		if lines[i].Heard != heard || lines[i].Interrupted != (m["interrupted"] == true) {
			t.Errorf("line %d: heard %q on the page, %q on record", i, lines[i].Heard, heard)
		}
		if m["interrupted"] == true && heard != "" && len(heard) < len(lines[i].Text) {
			cut++
		}
	}
	if cut == 0 {
		t.Errorf("nothing was interrupted: %s", shown)
	}
}

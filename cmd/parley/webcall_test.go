package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
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

// tab is a page in a browser.
type tab struct {
	t          *testing.T
	ctx        context.Context
	complaints func() string
}

func newTab(t *testing.T, ctx context.Context) *tab {
	t.Helper()
	if err := chromedp.Do(ctx); err != nil { // starts the browser
		t.Fatal(err)
	}
	return &tab{t, ctx, watch(t, ctx)}
}

func (p *tab) do(a chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, a); err != nil {
		p.t.Fatalf("%v; the browser says: %s", err, p.complaints())
	}
}

func (p *tab) number(expression string) float64 { return evaluate[float64](p, expression) }
func (p *tab) text(expression string) string    { return evaluate[string](p, expression) }

func evaluate[T any](p *tab, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v; the browser says: %s", expression, err, p.complaints())
	}
	return v
}

// until waits for an expression to become true.
func (p *tab) until(expression string) {
	p.t.Helper()
	wait, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	defer cancel()
	if _, err := chromedp.Run(wait, chromedp.Poll[bool](expression)); err != nil {
		state, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`JSON.stringify([document.body.innerText, parleyCall?.state, parleyCall?.stats, parleyCall?.transcript])`))
		p.t.Fatalf("%s: %v\n%s\nthe browser says: %s", expression, err, state, p.complaints())
	}
}

// dial calls the first voice agent on the page at an address.
func (p *tab) dial(address, key string) {
	p.t.Helper()
	p.do(chromedp.Navigate(address + "/call"))
	p.do(chromedp.SendKeys("#key", key+"\t"))
	p.until(`!document.getElementById("dial").disabled`)
	p.do(chromedp.Click("#dial"))
	p.until(`parleyCall?.state === "listening"`)
}

// newAgent makes a key and a voice agent that does not answer but for tests, first in the list.
func newAgent(t *testing.T, address, data string) (key string) {
	t.Helper()
	var out bytes.Buffer
	if code := run(t.Context(), []string{"key", "create", "--data", data}, &out, io.Discard); code != 0 {
		t.Fatal("no key")
	}
	key = strings.TrimSpace(out.String())
	ask(t, "POST", address+"/api/v1/agents", key, `{"name":"Ada","type":"voice","status":"inactive"}`)
	return key
}

// TestABrowserTalksToAnAgent is the whole way: Chromium's microphone speaks a recording on the page that calls an
// agent, hears the answer, interrupts it and hangs up; the record holds the words that were heard.
func TestABrowserTalksToAnAgent(t *testing.T) {
	wav := microphone(t, []time.Duration{1500 * time.Millisecond, 4 * time.Second}, "What time do you open tomorrow?", "Please stop, I have another question for you.")
	ctx := browsertest.Start(t, browsertest.Microphone(wav)...)
	address, data := serving(t)
	key := newAgent(t, address, data)
	p := newTab(t, ctx)
	p.dial(address, key)
	p.until(`parleyCall.state === "speaking" && parleyCall.stats.playedMs > 1500`)
	if energy := p.number(`parleyCall.stats.energy`); energy < 1e-4 {
		t.Errorf("the answer was not audible: energy %g", energy)
	}
	p.until(`parleyCall.transcript.some((line) => line.interrupted)`)
	reallyHeard, played := p.number(`parleyCall.stats.clearedMs`), p.number(`parleyCall.stats.playedMs`)
	p.until(`parleyCall.stats.playedMs > ` + fmt.Sprint(played+800)) // the second answer
	p.do(chromedp.Click("#hang"))
	p.until(`parleyCall.state === "ended" && !document.getElementById("again").hidden`)
	if n := p.number(`parleyCall.stats.sockets`); n != 1 {
		t.Errorf("%v sockets", n)
	}
	id, shown := p.text(`parleyCall.conversationId`), p.text(`JSON.stringify(parleyCall.transcript)`)
	checkHeard(t, ask(t, "GET", address+"/api/v1/conversations/"+id+"/events?limit=1000", key, ""), reallyHeard)
	checkRecord(t, ask(t, "GET", address+"/api/v1/conversations/"+id, key, ""), shown)
	if said := p.complaints(); said != "" {
		t.Errorf("the browser complains: %s", said)
	}
	http.DefaultClient.CloseIdleConnections()
}

// road is a network between the browser and the server that can fail.
type road struct {
	listener net.Listener
	mu       sync.Mutex
	target   string
	open     map[net.Conn]bool
	wg       sync.WaitGroup
}

func newRoad(t *testing.T) *road {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &road{listener: l, open: map[net.Conn]bool{}}
	r.wg.Go(r.accept)
	t.Cleanup(func() {
		_ = l.Close()
		r.fail()
		r.wg.Wait()
	})
	return r
}

func (r *road) accept() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		target := r.target
		r.mu.Unlock()
		far, err := net.Dial("tcp", target)
		if err != nil {
			_ = near.Close()
			continue
		}
		r.mu.Lock()
		r.open[near], r.open[far] = true, true
		r.mu.Unlock()
		for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
			r.wg.Go(func() {
				_, _ = io.Copy(way[0], way[1])
				_, _ = near.Close(), far.Close()
			})
		}
	}
}

// fail cuts every connection off.
func (r *road) fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		_ = c.Close()
	}
	clear(r.open)
}

// TestABrowserComesBack: the network fails in the middle of an answer; the page resumes by itself, the same
// conversation goes on, and the caller is answered again.
func TestABrowserComesBack(t *testing.T) {
	wav := microphone(t, []time.Duration{1500 * time.Millisecond, 7 * time.Second}, "What time do you open tomorrow?", "Are you still there after all of this?")
	ctx := browsertest.Start(t, browsertest.Microphone(wav)...)
	r := newRoad(t)
	origin := "http://" + r.listener.Addr().String()
	address, data := serving(t, "--public-url", origin)
	r.mu.Lock()
	r.target = strings.TrimPrefix(address, "http://")
	r.mu.Unlock()
	key := newAgent(t, address, data)
	p := newTab(t, ctx)
	p.dial(origin, key)
	p.until(`parleyCall.state === "speaking" && parleyCall.stats.playedMs > 1000`)
	id := p.text(`parleyCall.conversationId`)
	p.do(chromedp.Evaluate[chromedp.Void](`globalThis.seen = []; parleyCall.addEventListener("state", (e) => seen.push(e.detail.state))`))
	r.fail()
	p.until(`parleyCall.stats.sockets === 2 && seen[0] === "reconnecting" && seen.length > 1`)
	p.until(`parleyCall.transcript.filter((line) => line.role === "assistant").length === 2`)
	p.until(`parleyCall.state === "speaking"`)
	p.do(chromedp.Click("#hang"))
	p.until(`parleyCall.state === "ended"`)
	if now := p.text(`parleyCall.conversationId`); now != id {
		t.Errorf("another conversation: %s, %s", id, now)
	}
	conv := ask(t, "GET", address+"/api/v1/conversations/"+id, key, "")
	if messages, _ := conv["messages"].([]any); conv["endReason"] != "caller_hangup" || conv["status"] != "completed" || len(messages) != 4 {
		t.Errorf("on record: %v", conv)
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

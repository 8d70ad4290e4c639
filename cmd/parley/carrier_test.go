package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
)

// carrierWorld is what surrounds servers in processes of their own: the carrier with its REST API, the model's
// provider, and one address under which the carrier reaches whichever server is ready.
type carrierWorld struct {
	t              *testing.T
	model          *model.Server
	rest           *phone.REST
	account, token string
	balance        *balancer
	agent          string
}

// subject is what a conversation in these tests is about.
var subject = regexp.MustCompile(`[Oo]rder (\d+)`)

// subjectBrain begins a conversation about an order of its own, and goes on with the one that it is told of.
type subjectBrain struct {
	orders atomic.Int64
	tail   string // of what it says
}

func (b *subjectBrain) Reply(t model.Turn) model.Reply {
	for _, m := range t.Messages {
		if m.Role != "assistant" {
			continue
		}
		if order := subject.FindStringSubmatch(m.Text); order != nil {
			return model.Say("Back to order " + order[1] + ". " + b.tail)
		}
	}
	return model.Say(fmt.Sprintf("Order %d it is. %s", b.orders.Add(1), b.tail))
}

func newCarrierWorld(t *testing.T, tail string) *carrierWorld {
	t.Helper()
	w := &carrierWorld{t: t, account: "AC" + strings.Repeat("7", 32), token: "token-of-the-carrier", balance: newBalancer(t)}
	var err error
	if w.model, err = model.Start(model.Options{Brain: &subjectBrain{tail: tail}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.model.Close() })
	if w.rest, err = phone.ListenREST("127.0.0.1:0", w.account, w.token); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.rest.Close() })
	return w
}

// node is a server in a process of its own.
type node struct {
	*exec.Cmd
	url     string
	log     *watched
	started time.Time
	ended   chan struct{}
}

// serve starts a server on an address and puts it behind the balancer. It does not wait.
func (w *carrierWorld) serve(listen string, args ...string) *node {
	w.t.Helper()
	n := &node{url: "http://" + listen, log: &watched{more: make(chan struct{}, 1)}, ended: make(chan struct{})}
	n.Cmd = exec.Command(os.Args[0], append([]string{
		"serve", "--listen", listen, "--public-url", w.balance.url, "--bootstrap-key", killKey, "--rate-limit", "1000000", "--max-calls", "1000", "--twilio-api-url", w.rest.URL(),
		"--twilio-account-sid", w.account, "--twilio-auth-token", w.token, "--openai-api-key", w.model.Key(), "--openai-base-url", w.model.BaseURL(),
	}, args...)...)
	n.Env = append(os.Environ(), "RUN_MAIN=1")
	n.Stderr = n.log
	n.started = time.Now()
	if err := n.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		defer close(n.ended)
		_ = n.Wait()
	}()
	w.t.Cleanup(func() {
		n.kill()
		if w.t.Failed() {
			w.t.Logf("%s:\n%s", n.url, n.log)
		}
	})
	w.balance.add(n.url)
	return n
}

func (n *node) kill() {
	_ = n.Process.Kill()
	<-n.ended
}

func (n *node) ready() bool { return isReady(n.url) }

func isReady(base string) bool {
	client := http.Client{Timeout: time.Second}
	res, err := client.Get(base + "/readyz")
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// metric reads one value of a server's metrics, -1 when it cannot.
func (n *node) metric(name string) float64 {
	client := http.Client{Timeout: 2 * time.Second}
	res, err := client.Get(n.url + "/metrics")
	if err != nil {
		return -1
	}
	defer func() { _ = res.Body.Close() }()
	var page bytes.Buffer
	if _, err := page.ReadFrom(res.Body); err != nil {
		return -1
	}
	for line := range strings.Lines(page.String()) {
		var value float64
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			if _, err := fmt.Sscan(rest, &value); err == nil {
				return value
			}
		}
	}
	return -1
}

// until polls a condition of other processes.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); !ok(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

// freeAddress is one that a server can take, again and again.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// api asks a server through the balancer.
func (w *carrierWorld) api(method, path string, body, into any) {
	w.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.balance.url+path, bytes.NewReader(raw))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", killKey)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Body = http.NoBody
		r.ContentLength = 0
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer := struct{ Data any }{into}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode/100 != 2 {
		w.t.Fatalf("%s %s: HTTP %d %v", method, path, res.StatusCode, err)
	}
}

// hire makes the agent that is called.
func (w *carrierWorld) hire() {
	w.t.Helper()
	var agent struct{ ID string }
	w.api(http.MethodPost, "/api/v1/agents", map[string]any{
		"name": "Ada", "type": "voice", "config": map[string]any{"greeting": "Hello.", "timeout": 0},
	}, &agent)
	w.agent = agent.ID
}

// caller is a simulated telephone that notes when the agent is heard on each of its streams.
type caller struct {
	*phone.Call
	mu      sync.Mutex
	streams []time.Time // zero until the agent is heard on it
}

// dial places a call. It retries webhooks at once and then asks the number's fallback URL, like the carrier.
func (w *carrierWorld) dial(program ...phone.Step) *caller {
	w.t.Helper()
	c := &caller{}
	var err error
	c.Call, err = phone.Dial(w.t.Context(), phone.Options{
		WebhookURL: w.balance.url + "/twilio/voice", FallbackURL: w.balance.url + "/twilio/resume", StatusCallbackURL: w.balance.url + "/twilio/status",
		AccountSID: w.account, AuthToken: w.token, To: parley.ClientAddressPrefix + w.agent, REST: w.rest,
		RetryDelay: time.Millisecond, Program: program,
		OnEvent: func(e phone.Event) {
			c.mu.Lock()
			defer c.mu.Unlock()
			switch n := len(c.streams); {
			case e.Kind == phone.EventStreamStarted:
				c.streams = append(c.streams, time.Time{})
			case e.Kind == phone.EventAgentSpeaks && n > 0 && c.streams[n-1].IsZero():
				c.streams[n-1] = time.Now()
			}
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		c.Hangup()
		<-c.Done()
		if r := c.Report(); w.t.Failed() {
			w.t.Logf("call %s: notices %q, violations %v, failure %v, streams %+v", r.CallSID, r.Notices, r.Violations, r.Failure, r.Streams)
		}
	})
	return c
}

// heardOn says when the agent was first heard on the n-th stream, from 1; zero = not yet.
func (c *caller) heardOn(n int) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.streams) < n {
		return time.Time{}
	}
	return c.streams[n-1]
}

// callRecord is what is on record about a call.
type callRecord struct {
	Status    string
	EndReason string
	Messages  []parley.Message
	Events    []parley.Event
}

func (w *carrierWorld) record(c *caller) (r callRecord) {
	w.t.Helper()
	id := c.Parameter("conversationId")
	w.api(http.MethodGet, "/api/v1/conversations/"+id, nil, &r)
	w.api(http.MethodGet, "/api/v1/conversations/"+id+"/events?limit=1000", nil, &r)
	return r
}

// orders are the subjects that the agent spoke about, in order.
func (r callRecord) orders() (orders []string) {
	for _, m := range r.Messages {
		if found := subject.FindString(m.Text); m.Role == "assistant" && found != "" {
			orders = append(orders, strings.ToLower(found))
		}
	}
	return orders
}

func (r callRecord) count(typ string) (n int) {
	for _, e := range r.Events {
		if e.Type == typ {
			n++
		}
	}
	return n
}

// balancer is the one public address of several servers: it sends requests to the first one that is ready.
type balancer struct {
	url string

	mu    sync.Mutex
	nodes []string
	up    map[string]bool
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{up: map[string]bool{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			target, _ := url.Parse(b.target())
			r.SetURL(target)
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		Transport:    &http.Transport{DisableKeepAlives: true},
	}
	srv := httptest.NewServer(proxy)
	b.url = srv.URL
	ctx, stop := context.WithCancel(context.Background())
	var looking sync.WaitGroup
	looking.Go(func() { b.look(ctx) })
	t.Cleanup(func() {
		stop()
		looking.Wait()
		srv.CloseClientConnections()
		srv.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return b
}

func (b *balancer) add(node string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, known := range b.nodes {
		if known == node {
			return
		}
	}
	b.nodes = append(b.nodes, node)
}

func (b *balancer) target() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.nodes {
		if b.up[n] {
			return n
		}
	}
	return "http://127.0.0.1:1"
}

// look asks every server again and again whether it is ready.
func (b *balancer) look(ctx context.Context) {
	for ctx.Err() == nil {
		b.mu.Lock()
		nodes := append([]string(nil), b.nodes...)
		b.mu.Unlock()
		for _, n := range nodes {
			up := isReady(n)
			b.mu.Lock()
			b.up[n] = up
			b.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

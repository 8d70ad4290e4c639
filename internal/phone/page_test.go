package phone

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/internal/call"
	"parley/internal/store"
)

// page is a client of docs/web-call.md, written from it: it plays what it gets at 1× in steps of 20 ms, echoes
// marks when the audio before them has been played, and speaks without pause.
type page struct {
	t    *testing.T
	conn *websocket.Conn
	quit chan struct{}
	wg   sync.WaitGroup
	once sync.Once

	mu      sync.Mutex
	more    chan struct{} // closed and renewed when something has changed
	say     []byte        // of the caller, not yet sent
	queue   []any         // []byte or the name of a mark
	played  int           // bytes
	cleared []int         // played at each clear
	got     []map[string]any
	gone    error // why the socket is closed
}

// ticket is what the API answers.
func (h *house) webCall(in call.WebCall) (call.Ticket, error) {
	h.t.Helper()
	in.AgentID = h.agent.ID
	agent, err := h.calls.NewWebCall(h.t.Context(), h.org.ID, in)
	if err != nil {
		return call.Ticket{}, err
	}
	var ticket call.Ticket
	err = h.st.Write(h.t.Context(), func(tx *store.Tx) error {
		var err error
		ticket, err = h.calls.KeepWebCall(h.t.Context(), tx, h.org.ID, agent, in)
		return err
	})
	return ticket, err
}

func (h *house) mint(in call.WebCall) call.Ticket {
	h.t.Helper()
	ticket, err := h.webCall(in)
	if err != nil {
		h.t.Fatal(err)
	}
	return ticket
}

// knock asks for a socket and returns the status; a socket that was opened is the page's.
func (h *house) knock(token, origin string, protocols ...string) (*websocket.Conn, int) {
	h.t.Helper()
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c, resp, err := websocket.Dial(h.t.Context(), "ws"+strings.TrimPrefix(h.url, "http")+"/web-call/"+token,
		&websocket.DialOptions{HTTPHeader: header, Subprotocols: protocols, HTTPClient: &http.Client{Transport: transport}})
	if err != nil && resp == nil {
		h.t.Fatal(err)
	}
	return c, resp.StatusCode
}

func (h *house) open(token string) *page {
	h.t.Helper()
	c, status := h.knock(token, "", "parley.web-call.v1")
	if c == nil {
		h.t.Fatalf("web call refused with %d\n%s", status, h.logs)
	}
	p := &page{t: h.t, conn: c, quit: make(chan struct{}), more: make(chan struct{})}
	p.wg.Add(2)
	go p.read()
	go p.live()
	h.t.Cleanup(p.vanish)
	return p
}

func (p *page) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.more)
	p.more = make(chan struct{})
}

func (p *page) read() {
	defer p.wg.Done()
	for {
		kind, raw, err := p.conn.Read(context.Background())
		if err != nil {
			p.change(func() { p.gone = err })
			return
		}
		if kind == websocket.MessageBinary {
			p.change(func() { p.queue = append(p.queue, raw) })
			continue
		}
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			p.t.Errorf("no JSON: %s", raw)
			continue
		}
		p.change(func() {
			switch m["type"] {
			case "mark":
				p.queue = append(p.queue, m["name"])
				p.echo()
			case "clear":
				p.clear()
			default:
				p.got = append(p.got, m)
			}
		})
	}
}

// echo answers the marks at the head of the queue.
func (p *page) echo() {
	for len(p.queue) > 0 {
		name, ok := p.queue[0].(string)
		if !ok {
			return
		}
		p.queue = p.queue[1:]
		p.send(map[string]string{"type": "mark", "name": name})
	}
}

func (p *page) clear() {
	p.cleared = append(p.cleared, p.played)
	for _, entry := range p.queue {
		if name, ok := entry.(string); ok {
			p.send(map[string]string{"type": "mark", "name": name})
		}
	}
	p.queue = nil
}

// live plays and speaks 20 ms at a time.
func (p *page) live() {
	defer p.wg.Done()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	silence := make([]byte, 160)
	for i := range silence {
		silence[i] = 0xff
	}
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
		}
		frame := silence
		p.change(func() {
			for left := 160; left > 0 && len(p.queue) > 0; p.echo() {
				audio, _ := p.queue[0].([]byte)
				n := min(left, len(audio))
				left, p.played = left-n, p.played+n
				if p.queue[0] = audio[n:]; n == len(audio) {
					p.queue = p.queue[1:]
				}
			}
			if len(p.say) >= 160 {
				frame, p.say = p.say[:160], p.say[160:]
			}
		})
		if p.conn.Write(context.Background(), websocket.MessageBinary, frame) != nil {
			return
		}
	}
}

func (p *page) send(m map[string]string) {
	raw, _ := json.Marshal(m)
	_ = p.conn.Write(context.Background(), websocket.MessageText, raw)
}

func (p *page) speak(ulaw []byte) { p.change(func() { p.say = append(p.say, ulaw...) }) }

func (p *page) hangUp() { p.send(map[string]string{"type": "stop"}) }

// vanish cuts the socket off without a word.
func (p *page) vanish() {
	p.once.Do(func() {
		close(p.quit)
		_ = p.conn.CloseNow()
		p.wg.Wait()
	})
}

// until waits for something to be true of the page.
func (p *page) until(what string, ok func() bool) {
	p.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		p.mu.Lock()
		done, more := ok(), p.more
		gone := p.gone
		p.mu.Unlock()
		if done {
			return
		}
		if gone != nil {
			p.t.Fatalf("%s: the socket is gone: %v; got %v", what, gone, p.got)
		}
		select {
		case <-more:
		case <-limit:
			p.t.Fatalf("%s: not in time; got %v", what, p.got)
		}
	}
}

// message waits for a message of a type with a member of a value, nil for any.
func (p *page) message(typ, member string, value any) map[string]any {
	p.t.Helper()
	var found map[string]any
	p.until(typ+" "+member, func() bool {
		for _, m := range p.got {
			if m["type"] == typ && (value == nil || m[member] == value) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// resumeToken is what the welcome gave.
func (p *page) resumeToken() string {
	p.t.Helper()
	resume, _ := p.message("welcome", "", nil)["resume"].(map[string]any)
	token, _ := resume["token"].(string)
	return token
}

// status is how the server closed the socket.
func (p *page) status() websocket.StatusCode {
	p.t.Helper()
	var status websocket.StatusCode
	limit := time.After(20 * time.Second)
	for {
		p.mu.Lock()
		gone, more := p.gone, p.more
		p.mu.Unlock()
		if gone != nil {
			var e websocket.CloseError
			if errors.As(gone, &e) {
				status = e.Code
			}
			return status
		}
		select {
		case <-more:
		case <-limit:
			p.t.Fatal("the socket stays open")
		}
	}
}

// lines are the transcript as the page shows it, in order.
func (p *page) lines() (texts []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := map[any]int{}
	for _, m := range p.got {
		if m["type"] != "transcript" {
			continue
		}
		text := m["role"].(string) + ": " + m["text"].(string)
		if i, ok := at[m["id"]]; ok {
			texts[i] = text
			continue
		}
		at[m["id"]] = len(texts)
		texts = append(texts, text)
	}
	return texts
}

package phone

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley"
	"parley/internal/audio"
	"parley/internal/sim/model"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// line is a media stream by hand: it sends audio all the time and plays nothing; marks come back at once.
type line struct {
	c    *websocket.Conn
	quit chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex
	heard int // bytes
}

// join opens the stream of a TwiML answer and says connected and start.
func (h *house) join(twiml, streamSID string, say []byte) *line {
	h.t.Helper()
	address := streamURL(h.t, twiml)
	c, _, err := websocket.Dial(h.t.Context(), address, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	l := &line{c: c, quit: make(chan struct{})}
	l.write(h.t, `{"event":"connected","protocol":"Call","version":"1.0.0"}`)
	l.write(h.t, `{"event":"start","sequenceNumber":"1","streamSid":"`+streamSID+`","start":{"streamSid":"`+streamSID+`","accountSid":"`+defaultSID+
		`","callSid":"`+callSID+`","tracks":["inbound"],"customParameters":{},"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}`)
	l.wg.Go(func() { l.talk(h, streamSID, say) })
	l.wg.Go(func() { l.listen(h, streamSID) })
	return l
}

func (l *line) write(t *testing.T, msg string) {
	t.Helper()
	_ = l.c.Write(t.Context(), websocket.MessageText, []byte(msg)) // a closed socket shows in listen
}

func (l *line) talk(h *house, sid string, say []byte) {
	tick := time.NewTicker(audio.FrameDuration)
	defer tick.Stop()
	for n := 2; ; n++ {
		frame := strings.Repeat("\xff", audio.FrameBytes)
		if len(say) >= audio.FrameBytes {
			frame, say = string(say[:audio.FrameBytes]), say[audio.FrameBytes:]
		}
		l.write(h.t, fmt.Sprintf(`{"event":"media","sequenceNumber":"%d","streamSid":"%s","media":{"track":"inbound","chunk":"%d","timestamp":"%d","payload":"%s"}}`,
			n, sid, n, 20*n, base64.StdEncoding.EncodeToString([]byte(frame))))
		select {
		case <-l.quit:
			return
		case <-tick.C:
		}
	}
}

func (l *line) listen(h *house, sid string) {
	for {
		_, raw, err := l.c.Read(h.t.Context())
		if err != nil {
			return
		}
		var m struct {
			Event string
			Media struct{ Payload []byte }
			Mark  struct{ Name string }
		}
		if json.Unmarshal(raw, &m) != nil {
			h.t.Errorf("not JSON: %s", raw)
		}
		switch m.Event {
		case "media":
			l.mu.Lock()
			l.heard += len(m.Media.Payload)
			l.mu.Unlock()
		case "mark":
			l.write(h.t, `{"event":"mark","sequenceNumber":"1","streamSid":"`+sid+`","mark":{"name":"`+m.Mark.Name+`"}}`)
		}
	}
}

func (l *line) heardBytes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard
}

// vanish drops the socket without a stop and without a closing handshake.
func (l *line) vanish() {
	close(l.quit)
	_ = l.c.CloseNow()
	l.wg.Wait()
}

// until polls a condition, for what is seen only from outside.
func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("%s: not in time\n%s", what, h.logs)
		}
	}
}

func (h *house) state() parley.Call {
	h.t.Helper()
	c, err := h.calls.BySID(h.t.Context(), callSID)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *house) epoch() (epoch int64) {
	h.t.Helper()
	events, err := h.st.ListEvents(h.t.Context(), h.org.ID, h.state().ID, 0, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range events {
		var d parley.StreamStartedData
		if e.Type == parley.EventStreamStarted && json.Unmarshal(e.Data, &d) == nil {
			epoch = d.Epoch
		}
	}
	return epoch
}

// told returns what the model was told on its connections so far, from one of them on.
func (h *house) toldSince(n int) (string, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.told[n:], "\n"), len(h.told)
}

func inProgress() url.Values {
	form := incoming(number)
	form.Set("CallStatus", "in-progress")
	return form
}

// TestVanishedStreamIsResumed: the carrier loses the stream and asks what follows. The same conversation goes
// on with what was said, the greeting is not repeated; after three such losses it is a notice.
func TestVanishedStreamIsResumed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st, houseOptions{voice: func(v *parley.VoiceConfig) { v.Greeting = "Hello, this is Ada." }})
		h.model.Script(model.Say("Hello, this is Ada."), model.Say("We open at nine in the morning."))
		_, twiml := h.post("/twilio/voice", defaultToken, incoming(number))
		l := h.join(twiml, "MZ0", nil)
		h.until("the greeting was heard", func() bool {
			told, _ := h.toldSince(0)
			return l.heardBytes() > 8000 && strings.Contains(told, "response.create")
		})
		quiet := l.heardBytes()
		h.until("the greeting ended", func() bool {
			<-time.After(300 * time.Millisecond)
			last := quiet
			quiet = l.heardBytes()
			return last == quiet
		})
		id := h.state().ID
		epoch := h.epoch()
		_, mark := h.toldSince(0)
		for n := 1; n <= 3; n++ {
			l.vanish()
			if n > 1 { // once the carrier may be faster than we are, and finds the session that was kept
				h.until("detached", func() bool { return h.state().State == parley.CallDetached })
				h.host.Close()
			}
			status, body := h.post("/twilio/resume", defaultToken, inProgress())
			if status != 200 || !strings.Contains(body, "<Connect>") || !strings.Contains(body, id) || !strings.Contains(body, "/twilio/resume") {
				t.Fatalf("resume %d: %d %s", n, status, body)
			}
			l = h.join(body, fmt.Sprintf("MZ%d", n), nil)
			h.until("attached again", func() bool { return h.epoch() > epoch })
			if got := h.epoch(); got != epoch+1 {
				t.Errorf("epoch %d after %d", got, epoch)
			}
			epoch = h.epoch()
			var told string
			if n == 1 { // the model's session goes on: it is told of the loss, and nothing again
				h.until("the agent speaks up", func() bool {
					told, _ = h.toldSince(mark)
					return strings.Contains(told, "broke off")
				})
				_, mark = h.toldSince(0)
				continue
			}
			h.until("history replayed", func() bool {
				told, _ = h.toldSince(mark)
				return strings.Contains(told, "response.create")
			})
			if !strings.Contains(told, "Hello, this is Ada.") || strings.Contains(told, "Greet the caller") || !strings.Contains(told, "broke off") {
				t.Errorf("model was told on resume:\n%s", told)
			}
			_, mark = h.toldSince(0)
		}
		if told, _ := h.toldSince(0); strings.Count(told, "session.update") != 3 {
			t.Errorf("%d sessions of the model, want one for the first two streams and one for each other", strings.Count(told, "session.update"))
		}
		if c := h.state(); c.Resumes != 3 || c.ID != id || h.count() != 1 {
			t.Errorf("call %+v, %d conversations", c, h.count())
		}
		l.vanish()
		if _, body := h.post("/twilio/resume", defaultToken, inProgress()); !strings.Contains(body, texts["en"].words[textUnavailable]) || strings.Contains(body, "<Connect>") {
			t.Errorf("after three resumes: %s", body)
		}
		done := inProgress()
		done.Set("CallStatus", "completed")
		h.until("ended by the status", func() bool {
			if status, body := h.post("/twilio/status", defaultToken, done); status != 204 {
				t.Fatalf("status: %d %s", status, body)
			}
			return h.state().State == parley.CallEnded
		})
		if conv, events := h.conversation(); conv.ID != id || strings.Count(types(events), parley.EventConversationEnded) != 1 {
			t.Errorf("conversation %+v:\n%s", conv, types(events))
		}
	})
}

// TestFinalStatusEndsALiveCall: the carrier's callback arrives, the stream's stop never does.
func TestFinalStatusEndsALiveCall(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	_, twiml := h.post("/twilio/voice", defaultToken, incoming(number))
	l := h.join(twiml, "MZ0", nil)
	h.until("live", func() bool { return h.state().State == parley.CallLive && h.handler.Live() == 1 })
	done := incoming(number)
	done.Set("CallStatus", "completed")
	if status, body := h.post("/twilio/status", defaultToken, done); status != 204 {
		t.Fatalf("status: %d %s", status, body)
	}
	if conv, _ := h.conversation(); conv.EndReason != parley.EndCallerHangup {
		t.Errorf("conversation %+v", conv)
	}
	l.vanish()
}

// TestSocketsThatLeaveEarly: before start, and right after it.
func TestSocketsThatLeaveEarly(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	_, twiml := h.post("/twilio/voice", defaultToken, incoming(number))
	c, _, err := websocket.Dial(t.Context(), streamURL(t, twiml), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.CloseNow()
	if s := h.state(); s.State != parley.CallRinging {
		t.Errorf("call %+v", s)
	}
	l := h.join(twiml, "MZ0", nil) // the token was not used up
	l.vanish()
	h.until("detached", func() bool { return h.state().State == parley.CallDetached })
	if _, body := h.post("/twilio/resume", defaultToken, inProgress()); !strings.Contains(body, "<Connect>") {
		t.Errorf("resume: %s", body)
	}
}

// TestStreamsDuringADrain: streams come and go while the server stops.
func TestStreamsDuringADrain(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	_, twiml := h.post("/twilio/voice", defaultToken, incoming(number))
	ctx, cancel := contextIn(5 * time.Second)
	defer cancel()
	h.handler.Drain(ctx)
	_, resp, err := websocket.Dial(t.Context(), streamURL(t, twiml), &websocket.DialOptions{})
	if err == nil || resp == nil || resp.StatusCode != 503 {
		t.Errorf("a stream after the drain: %v", err)
	}
	if _, body := h.post("/twilio/resume", defaultToken, inProgress()); !strings.Contains(body, texts["en"].words[textUnavailable]) {
		t.Errorf("resume: %s", body)
	}
}

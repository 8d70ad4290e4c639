package phone

import (
	"bytes"
	"context"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/internal/audio"
	"parley/internal/sim/schema"
)

// answering is a server that greets, and answers each time the caller has spoken and is silent again.
func answering(greeting, answer []byte) func(p *peer) {
	return func(p *peer) {
		p.until("start")
		p.media(greeting)
		p.mark("greeting")
		spoke := false
		for {
			m, _, ok := p.next()
			switch loud := m.Event == "media" && audio.RMSULaw(m.Media.Payload) > audible; {
			case !ok:
				return
			case loud:
				spoke = true
			case m.Event == "media" && spoke:
				spoke = false
				p.media(answer)
			}
		}
	}
}

func TestConversation(t *testing.T) {
	t.Parallel()
	greeting, answer := speech(300*time.Millisecond), speech(505*time.Millisecond)
	s := newServer(t, always(connect("<Hangup/>")), answering(greeting, answer))
	check := schema.TwilioFrom(t)
	var sent []string
	opt := s.options(
		WaitForAgent(patience), WaitForSilence(240*time.Millisecond, patience),
		Say(speech(200*time.Millisecond)), WaitForAgent(patience), WaitForSilence(240*time.Millisecond, patience),
		DTMF("1#x9"), Hangup())
	opt.OnMessage = func(dir Direction, raw []byte) {
		if dir == Sent {
			check.Check(t, raw)
			sent = append(sent, string(raw))
		}
	}
	r := dial(t, opt)
	if len(r.Violations) > 0 || r.EndedBy != "caller" || r.Status != "completed" || r.GaveUp != "" {
		t.Fatalf("ended by %q, status %q, gave up %q, violations %v", r.EndedBy, r.Status, r.GaveUp, r.Violations)
	}
	if len(r.Spurts) != 2 || r.Spurts[0].Duration != 300*time.Millisecond || r.Spurts[1].Duration != 520*time.Millisecond {
		t.Errorf("heard %+v", r.Spurts)
	}
	played := bytes.ReplaceAll(r.Heard, []byte{audio.Silence}, nil)
	if !bytes.Equal(played, append(greeting, answer...)) {
		t.Errorf("heard %d audible bytes, want exactly the %d that were sent", len(played), len(greeting)+len(answer))
	}
	if len(r.Turns) != 1 || !r.Turns[0].Answered || r.Turns[0].Said != 200*time.Millisecond || r.Turns[0].Latency < 20*time.Millisecond || r.Turns[0].Heard != 520*time.Millisecond {
		t.Errorf("turns %+v", r.Turns)
	}
	if len(r.Marks) != 1 || r.Marks[0].Name != "greeting" || !r.Marks[0].Echoed || r.Marks[0].Cleared || r.Marks[0].EchoedAt < r.Marks[0].At+280*time.Millisecond {
		t.Errorf("marks %+v", r.Marks)
	}
	checkCounters(t, sent)
	st := r.Streams[0]
	if st.Parameters["conversationId"] != "c-1" || st.EndedBy != "phone" || st.BytesReceived != len(greeting)+len(answer) {
		t.Errorf("stream %+v", st)
	}
	if len(r.Heard) < st.FramesSent*audio.FrameBytes {
		t.Errorf("%d frames sent in %d ticks", st.FramesSent, len(r.Heard)/audio.FrameBytes)
	}
}

// checkCounters checks order, sequence numbers, chunks and timestamps of what the phone sent.
func checkCounters(t *testing.T, sent []string) {
	t.Helper()
	if !strings.Contains(sent[0], `"connected"`) || !strings.Contains(sent[1], `"start"`) || !strings.Contains(sent[len(sent)-1], `"stop"`) {
		t.Errorf("begins with %s, %s and ends with %s", sent[0], sent[1], sent[len(sent)-1])
	}
	chunk, digits := 0, ""
	for i, raw := range sent[1:] {
		if !strings.Contains(raw, `"sequenceNumber":"`+strconv.Itoa(i+1)+`"`) {
			t.Fatalf("message %d has another sequence number: %s", i+1, raw)
		}
		if strings.Contains(raw, `"event":"media"`) {
			chunk++
			if want := `"chunk":"` + strconv.Itoa(chunk) + `","timestamp":"` + strconv.Itoa((chunk-1)*20) + `"`; !strings.Contains(raw, want) {
				t.Fatalf("frame %d: %s", chunk, raw)
			}
		}
		if _, after, ok := strings.Cut(raw, `"digit":"`); ok {
			digits += after[:1]
		}
	}
	if digits != "1#9" {
		t.Errorf("digits %q, want 1#9", digits)
	}
}

func TestWebhookCarriesTwiliosFields(t *testing.T) {
	t.Parallel()
	s := newServer(t, always("<Response><Hangup/></Response>"), nil)
	opt := s.options()
	opt.From, opt.ExtraForm = "anonymous", url.Values{"ParleyTest": {"true"}}
	r := dial(t, opt)
	if r.EndedBy != "hangup verb" || r.Status != "completed" || len(r.Violations) > 0 {
		t.Fatalf("report %+v", r)
	}
	form := s.seen()[0].form
	for name, want := range map[string]string{
		"CallSid": r.CallSID, "From": "anonymous", "Caller": "anonymous", "To": "+15550001111", "Called": "+15550001111",
		"CallStatus": "ringing", "Direction": "inbound", "ApiVersion": "2010-04-01", "ParleyTest": "true",
	} {
		if form.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, form.Get(name), want)
		}
	}
	if !strings.HasPrefix(form.Get("AccountSid"), "AC") || !form.Has("FromCity") || s.seen()[0].token == "" {
		t.Errorf("AccountSid %q, FromCity %v, token %q", form.Get("AccountSid"), form["FromCity"], s.seen()[0].token)
	}
}

func TestStreamViolations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(p *peer)
		code int
		text string
	}{
		"binary frame":     {func(p *peer) { _ = p.conn.Write(context.Background(), websocket.MessageBinary, []byte{1}) }, 31950, "binary"},
		"not JSON":         {func(p *peer) { p.send("hello") }, 31951, "not a JSON object"},
		"unknown event":    {func(p *peer) { p.send(`{"event":"dtmf","streamSid":"SID"}`) }, 31951, `unknown event "dtmf"`},
		"extra member":     {func(p *peer) { p.send(`{"event":"clear","streamSid":"SID","a":1}`) }, 31951, "a is not known"},
		"missing member":   {func(p *peer) { p.send(`{"event":"mark","streamSid":"SID"}`) }, 31951, "mark is missing"},
		"other stream":     {func(p *peer) { p.send(`{"event":"clear","streamSid":"MZ0"}`) }, 31951, "not this stream's"},
		"bad close":        {func(p *peer) { _ = p.conn.Close(websocket.StatusInternalError, "") }, 31921, "status 1011"},
		"cut":              {func(p *peer) { _ = p.conn.CloseNow() }, 31921, "abnormally"},
		"message too long": {func(p *peer) { p.send(strings.Repeat(" ", maxMessage+1)) }, 31924, "larger than 1 MiB"},
		"too much audio": {func(p *peer) {
			for range 6 {
				p.media(voiced(400_000))
			}
			p.media(voiced(400_000))
		}, 31930, "waiting to be played"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, always(connect("")), func(p *peer) {
				p.until("start")
				c.do(p)
				p.closeNormally()
			})
			r := dial(t, s.options())
			if len(r.Violations) == 0 || r.Violations[0].Code != c.code || !strings.Contains(r.Violations[0].Text, c.text) {
				t.Errorf("violations %v, want %d: …%s…", r.Violations, c.code, c.text)
			}
			if r.EndedBy != "end of TwiML" {
				t.Errorf("ended by %q", r.EndedBy)
			}
		})
	}
}

func TestMessageBeforeStartIsAViolation(t *testing.T) {
	t.Parallel()
	sid := make(chan string, 1)
	s := newServer(t, always(connect("")), func(p *peer) {
		p.sid = <-sid
		p.clear()
		p.until("start")
		p.closeNormally()
	})
	opt := s.options()
	opt.Delay.Up = 200 * time.Millisecond
	opt.OnEvent = func(e Event) {
		if e.Kind == EventStreamStarted {
			sid <- e.Text
		}
	}
	if r := dial(t, opt); len(r.Violations) != 1 || !strings.Contains(r.Violations[0].Text, "clear before the start") {
		t.Errorf("violations %v", r.Violations)
	}
}

func TestClearDropsAudioAndEchoesMarks(t *testing.T) {
	t.Parallel()
	s := newServer(t, always(connect("")), func(p *peer) {
		p.until("start")
		p.media(speech(20 * time.Second))
		p.mark("a")
		p.until("media")
		p.clear()
		if m, ok := p.until("mark"); !ok || m.Mark.Name != "a" {
			t.Errorf("echo %+v", m)
		}
		p.mark("b")
		if m, ok := p.until("mark"); !ok || m.Mark.Name != "b" {
			t.Errorf("echo %+v", m)
		}
		p.closeNormally()
	})
	r := dial(t, s.options())
	if len(r.Violations) > 0 || len(r.Clears) != 1 || len(r.Marks) != 2 || !r.Marks[0].Cleared || r.Marks[1].Cleared {
		t.Fatalf("clears %+v, marks %+v, violations %v", r.Clears, r.Marks, r.Violations)
	}
	if got := r.Clears[0].Bytes + audible8(r.Heard); got != 20*audio.Rate {
		t.Errorf("%d bytes dropped and heard, want the %d that were sent", got, 20*audio.Rate)
	}
	if r.Duration > patience {
		t.Errorf("the call took %v: marks waited for the cleared audio", r.Duration)
	}
}

// audible8 counts bytes that are not silence.
func audible8(ulaw []byte) int { return len(ulaw) - bytes.Count(ulaw, []byte{audio.Silence}) }

func TestInterruptAndUnderrun(t *testing.T) {
	t.Parallel()
	gap := make(chan struct{})
	s := newServer(t, always(connect("")), func(p *peer) {
		p.until("start")
		p.media(speech(100 * time.Millisecond))
		p.mark("played")
		p.until("mark")
		for range 3 { // three frames of the phone's clock without audio
			p.until("media")
		}
		p.media(speech(10 * time.Second))
		close(gap)
		for {
			m, _, ok := p.next()
			if !ok {
				return
			}
			if m.Event == "media" && audio.RMSULaw(m.Media.Payload) > audible {
				p.clear()
				p.drain()
				return
			}
		}
	})
	r := dial(t, s.options(Interrupt(400*time.Millisecond, patience), Say(speech(100*time.Millisecond)), WaitForSilence(100*time.Millisecond, patience), Hangup()))
	<-gap
	if len(r.Underruns) != 1 || r.Underruns[0].At != r.Spurts[0].At+100*time.Millisecond || r.Underruns[0].Duration < 40*time.Millisecond {
		t.Errorf("underruns %+v", r.Underruns)
	}
	if at := r.Turns[0].SaidAt - r.Spurts[0].At; at != 400*time.Millisecond {
		t.Errorf("interrupted after %v, want 400ms", at)
	}
	if len(r.Clears) != 1 || r.Clears[0].Bytes == 0 || r.EndedBy != "caller" {
		t.Errorf("clears %+v, ended by %q", r.Clears, r.EndedBy)
	}
}

func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	s := newServer(t, always(connect("")), (*peer).drain)
	r := dial(t, s.options(WaitForAgent(100*time.Millisecond)))
	if r.EndedBy != "caller gave up" || !strings.Contains(r.GaveUp, "said nothing for 100ms") {
		t.Errorf("ended by %q: %q", r.EndedBy, r.GaveUp)
	}
}

func TestVanishSendsNoStop(t *testing.T) {
	t.Parallel()
	var stopped atomic.Bool
	done := make(chan struct{})
	s := newServer(t, always(connect("")), func(p *peer) {
		defer close(done)
		_, ok := p.until("stop")
		stopped.Store(ok)
	})
	dial(t, s.options(Wait(100*time.Millisecond), Vanish()))
	<-done
	if stopped.Load() {
		t.Error("a stop message was sent")
	}
}

func TestDelayIsKeptInOrder(t *testing.T) {
	t.Parallel()
	echoed := make(chan time.Duration, 1)
	s := newServer(t, always(connect("")), func(p *peer) {
		p.until("start")
		begin := time.Now()
		for _, name := range []string{"1", "2", "3", "4"} {
			p.mark(name)
		}
		for _, name := range []string{"1", "2", "3", "4"} {
			if m, _ := p.until("mark"); m.Mark.Name != name {
				t.Errorf("mark %q where %q was due", m.Mark.Name, name)
			}
		}
		echoed <- time.Since(begin)
		p.closeNormally()
	})
	opt := s.options()
	opt.Delay = Delay{Up: 30 * time.Millisecond, Down: 50 * time.Millisecond, Jitter: 40 * time.Millisecond, Seed: 7}
	r := dial(t, opt)
	if took := <-echoed; took < 80*time.Millisecond {
		t.Errorf("the round trip took %v, less than both delays", took)
	}
	if len(r.Violations) > 0 {
		t.Errorf("violations %v", r.Violations)
	}
}

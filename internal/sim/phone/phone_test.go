package phone

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/audio"
)

func TestDialChecksOptions(t *testing.T) {
	t.Parallel()
	for want, opt := range map[string]Options{
		"nothing to sign with": {WebhookURL: "http://h/", To: "+1"},
		"To is empty":          {WebhookURL: "http://h/", AuthToken: "x"},
		"not an http":          {WebhookURL: "ftp://h/", AuthToken: "x", To: "+1"},
		"needs Signature":      {WebhookURL: "http://h/", Form: url.Values{"To": {"+1"}}},
	} {
		if _, err := Dial(t.Context(), opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestReadySignedForm(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(path string, _ url.Values) string {
		if path == "/voice" {
			return "<Response><Redirect>/next</Redirect></Response>"
		}
		return "<Response><Hangup/></Response>"
	}, nil)
	form := url.Values{"CallSid": {newSID("CA")}, "AccountSid": {newSID("AC")}, "To": {"client:agent-1"}, "From": {"+1"}, "CallStatus": {"ringing"}}
	var mu sync.Mutex
	var asked []string
	opt := Options{
		WebhookURL: s.http.URL + "/voice", PublicURL: public + "/voice", Form: form, Signature: Signature(testToken, public+"/voice", form),
		StatusCallbackURL: public + "/status",
		Sign: func(_ context.Context, address string, form url.Values) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, address+" "+form.Get("CallStatus"))
			return Signature(testToken, address, form), nil
		},
	}
	r := dial(t, opt)
	if r.EndedBy != "hangup verb" || len(r.Violations) > 0 || r.CallSID != form.Get("CallSid") || r.To != "client:agent-1" {
		t.Fatalf("report %+v", r)
	}
	if want := []string{public + "/next in-progress", public + "/status completed"}; !slices.Equal(asked, want) {
		t.Errorf("asked to sign %q, want %q", asked, want)
	}
}

func TestCancelAndMaxDuration(t *testing.T) {
	t.Parallel()
	s := newServer(t, always(connect("")), (*peer).drain)
	opt := s.options()
	opt.MaxDuration = 200 * time.Millisecond
	if r := dial(t, opt); r.EndedBy != "max duration" || r.Status != "completed" {
		t.Errorf("ended by %q, status %q", r.EndedBy, r.Status)
	}
	ctx, cancel := context.WithCancel(t.Context())
	opt = s.options()
	opt.OnEvent = func(e Event) {
		if e.Kind == EventStreamStarted {
			cancel()
		}
	}
	c, err := Dial(ctx, opt)
	if err != nil {
		t.Fatal(err)
	}
	if r := finished(t, c); r.EndedBy != "canceled" || r.Streams[0].EndedBy != "phone" {
		t.Errorf("ended by %q, stream %+v", r.EndedBy, r.Streams)
	}
}

// The line's clock, without sockets: exactly 50 ticks a second, and no drift.
func TestLineKeepsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opt := Options{WebhookURL: "http://h/", AuthToken: "x", To: "+1", Program: []Step{Wait(time.Second), Say(speech(time.Second))}}
		if err := opt.complete(); err != nil {
			t.Fatal(err)
		}
		c, err := newCall(opt)
		if err != nil {
			t.Fatal(err)
		}
		c.answered = time.Now()
		c.speaker.push(speech(30 * time.Second))
		ctx, cancel := context.WithCancel(t.Context())
		go c.line(ctx)
		for minute := range 3 {
			time.Sleep(time.Minute)
			synctest.Wait()
			if got, want := len(c.Report().Heard)/audio.FrameBytes, (minute+1)*3000+1; got != want {
				t.Errorf("%d ticks after %d min, want %d", got, minute+1, want)
			}
		}
		cancel()
		synctest.Wait()
		r := c.Report()
		if len(r.Spurts) != 1 || r.Spurts[0] != (Spurt{0, 30 * time.Second}) || len(r.Heard) != 9001*audio.FrameBytes {
			t.Errorf("heard %v in %d bytes", r.Spurts, len(r.Heard))
		}
		if r.Turns[0].SaidAt != time.Second || r.Turns[0].Said != time.Second {
			t.Errorf("turns %+v", r.Turns)
		}
	})
}

func TestDelayLine(t *testing.T) {
	t.Parallel()
	var d delayLine
	d.set(50*time.Millisecond, 100*time.Millisecond, 3)
	now := time.Now()
	var got []int
	var dues []time.Time
	for i := range 50 {
		dues = append(dues, d.add(now.Add(time.Duration(i)*time.Millisecond), func() { got = append(got, i) }))
	}
	if !slices.IsSortedFunc(dues, time.Time.Compare) || dues[0].Before(now.Add(50*time.Millisecond)) || dues[49].After(now.Add(200*time.Millisecond)) {
		t.Errorf("due from %v to %v", dues[0].Sub(now), dues[49].Sub(now))
	}
	d.run(dues[20])
	if len(got) < 21 || !slices.IsSorted(got) || !d.next(dues[49].Add(time.Hour)).After(dues[20]) {
		t.Errorf("ran %v", got)
	}
	d.run(dues[49])
	if len(got) != 50 || !slices.IsSorted(got) {
		t.Errorf("ran %v", got)
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	c := &Call{}
	c.tape.ticks = 1000
	c.caller.turns = []turn{{100, 149}, {400, 420}, {700, 720}}
	c.tape.spurts = []spurt{
		{10, 50},               // greeting
		{130, 200}, {210, 300}, // began before the caller had finished, and then again
		{350, 410}, // interrupted: no answer to the second turn
	}
	got := c.turns()
	want := []Turn{
		{SaidAt: ticks(100), Said: ticks(50), Answered: true, Latency: ticks(60), Heard: ticks(71 + 91 + 50)},
		{SaidAt: ticks(400), Said: ticks(21)},
		{SaidAt: ticks(700), Said: ticks(21)},
	}
	if !slices.Equal(got, want) {
		t.Errorf("turns\n%+v, want\n%+v", got, want)
	}
}

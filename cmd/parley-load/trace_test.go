package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/audio"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
)

// line plays the messages of one call into its trace.
type line struct {
	t       trace
	session *model.Conn
}

func newLine() *line {
	l := &line{session: new(model.Conn)}
	l.fromModel(`{"session":{},"type":"session.updated"}`)
	return l
}

func ulaw(n int, fill byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, n))
}

func (l *line) say(fill byte) {
	l.t.phoneMessage(phone.Sent, []byte(`{"event":"media","media":{"track":"inbound","payload":"`+ulaw(audio.FrameBytes, fill)+`"}}`))
}

func (l *line) appended(n int, fill byte) {
	l.t.modelMessage(l.session, model.FromClient, []byte(`{"type":"input_audio_buffer.append","audio":"`+ulaw(n, fill)+`"}`))
}

func (l *line) fromModel(raw string) { l.t.modelMessage(l.session, model.ToClient, []byte(raw)) }

func (l *line) delta(response string, n int, fill byte) {
	l.fromModel(fmt.Sprintf(`{"type":"response.output_audio.delta","response_id":%q,"delta":%q}`, response, ulaw(n, fill)))
}

func (l *line) hear(n int, fill byte) {
	l.t.phoneMessage(phone.Received, []byte(`{"event":"media","streamSid":"MZ","media":{"payload":"`+ulaw(n, fill)+`"}}`))
}

func TestUpstreamLatencyIsMatchedByPosition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		time.Sleep(time.Millisecond)
		l.say(1)
		time.Sleep(20 * time.Millisecond)
		l.say(2)
		time.Sleep(3 * time.Millisecond)
		l.appended(audio.FrameBytes, 1)
		time.Sleep(4 * time.Millisecond)
		l.appended(audio.FrameBytes, 2)
		if want := []time.Duration{23 * time.Millisecond, 7 * time.Millisecond}; fmt.Sprint(l.t.up) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", l.t.up, want)
		}
		if f := l.t.faults(false); len(f) > 0 {
			t.Errorf("faults %q", f)
		}
	})
}

// TestHeldAudioIsNotCounted: what the server keeps until the session is configured is late on purpose.
func TestHeldAudioIsNotCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &line{session: new(model.Conn)}
		l.say(1)
		time.Sleep(20 * time.Millisecond)
		l.say(2)
		time.Sleep(20 * time.Millisecond)
		l.say(3)
		l.fromModel(`{"session":{},"type":"session.updated"}`)
		time.Sleep(time.Millisecond)
		l.appended(audio.FrameBytes, 1)
		l.t.modelReceived(append(bytes.Repeat([]byte{2}, audio.FrameBytes), bytes.Repeat([]byte{3}, audio.FrameBytes)...), time.Now())
		l.say(4)
		time.Sleep(2 * time.Millisecond)
		l.appended(audio.FrameBytes, 4)
		if want := []time.Duration{2 * time.Millisecond}; fmt.Sprint(l.t.up) != fmt.Sprint(want) || l.t.merged != 1 {
			t.Errorf("got %v and %d merged, want %v and 1", l.t.up, l.t.merged, want)
		}
		if f := l.t.faults(false); len(f) > 0 {
			t.Errorf("faults %q", f)
		}
	})
}

func TestDownstreamLatencyOfResponsesThatBeginInSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		time.Sleep(time.Second)
		l.delta("r1", 400, 1)
		time.Sleep(5 * time.Millisecond)
		l.hear(160, 1)
		l.delta("r1", 80, 1)
		l.hear(160, 1)
		if l.t.quiet() {
			t.Error("quiet while audio is missing and playing")
		}
		l.delta("r2", 160, 2) // while r1 plays: it has to wait
		l.hear(160, 1)
		l.hear(160, 2)
		time.Sleep(time.Second)
		if !l.t.quiet() {
			t.Error("not quiet although everything was played")
		}
		l.delta("r3", 160, 3)
		time.Sleep(7 * time.Millisecond)
		l.hear(160, 3)
		if want := []time.Duration{5 * time.Millisecond, 7 * time.Millisecond}; fmt.Sprint(l.t.down) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", l.t.down, want)
		}
		if f := l.t.faults(false); len(f) > 0 {
			t.Errorf("faults %q", f)
		}
	})
}

func TestQuietWaitsForTheEndOfTheResponse(t *testing.T) {
	t.Parallel()
	l := newLine()
	if !l.t.quiet() {
		t.Error("not quiet before anything was said")
	}
	l.fromModel(`{"response":{"id":"r1"},"type":"response.created"}`)
	if l.t.quiet() {
		t.Error("quiet while the model answers")
	}
	l.fromModel(`{"response":{"id":"r1"},"type":"response.done"}`)
	if !l.t.quiet() {
		t.Error("not quiet after the answer")
	}
}

func TestFaultsOfAudio(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		do           func(*line)
		interrupting bool
		want         string // "" = none
	}{
		"lost downstream":         {do: func(l *line) { l.delta("r", 320, 1); l.hear(160, 1) }, want: "320 bytes of audio, the phone received 160"},
		"doubled downstream":      {do: func(l *line) { l.delta("r", 160, 1); l.hear(160, 1); l.hear(160, 1) }, want: "the phone received 320"},
		"changed downstream":      {do: func(l *line) { l.delta("r", 160, 1); l.hear(160, 2) }, want: "other audio than the model sent"},
		"changed upstream":        {do: func(l *line) { l.say(1); l.say(2); l.appended(160, 1); l.appended(160, 3) }, want: "other audio than the phone sent"},
		"invented upstream":       {do: func(l *line) { l.appended(160, 1) }, want: "the phone sent 0 bytes"},
		"lost in the middle":      {do: func(l *line) { l.say(1); l.say(2); l.say(3); l.appended(160, 1); l.appended(160, 3) }, want: "other audio than the phone sent"},
		"in flight at the end":    {do: func(l *line) { l.say(1); l.say(2); l.appended(160, 1) }},
		"lost at the end":         {do: func(l *line) { l.appended(0, 0); repeat(7, func() { l.say(1) }) }, want: "the phone sent 1120 bytes"},
		"clear without cause":     {do: clearing, want: "1 clears"},
		"interrupted":             {do: func(l *line) { l.delta("r", 320, 1); l.hear(160, 1); clearing(l) }, interrupting: true},
		"interruption not heard":  {do: func(l *line) { l.delta("r", 160, 1); l.hear(160, 1) }, interrupting: true, want: "no interruption"},
		"refused by the model":    {do: func(l *line) { l.fromModel(`{"error":{"code":"invalid_value","message":"no"},"type":"error"}`) }, want: "refused: invalid_value: no"},
		"words about an error":    {do: func(l *line) { l.fromModel(`{"delta":"\"error\"","type":"response.output_audio_transcript.delta"}`) }},
		"second model connection": {do: func(l *line) { l.session = new(model.Conn); l.appended(0, 0) }, want: "2 model connections"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLine()
			c.do(l)
			got := strings.Join(l.t.faults(c.interrupting), "; ")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func clearing(l *line) {
	l.t.phoneMessage(phone.Received, []byte(`{"event":"clear","streamSid":"MZ"}`))
}

func repeat(n int, do func()) {
	for range n {
		do()
	}
}

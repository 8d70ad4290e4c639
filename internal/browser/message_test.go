package browser

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"parley/internal/leg"
)

func TestDecodeText(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct {
		kind clientKind
		ev   leg.CarrierEvent
		pong string
		bad  bool
	}{
		`{"type":"mark","name":"g0.1"}`:                                   {kind: clientEvent, ev: leg.CarrierEvent{Kind: leg.CarrierMark, Name: "g0.1"}},
		`{"type":"dtmf","digit":"#"}`:                                     {kind: clientEvent, ev: leg.CarrierEvent{Kind: leg.CarrierDTMF, Name: "#"}},
		`{"type":"stop"}`:                                                 {kind: clientStop, ev: leg.CarrierEvent{Kind: leg.CarrierStop}},
		`{"type":"ping","t":12.5}`:                                        {kind: clientPing, pong: `{"type":"pong","t":12.5}`},
		`{"type":"ping"}`:                                                 {kind: clientPing, pong: `{"type":"pong"}`},
		`{"type":"ping","t":null}`:                                        {kind: clientPing, pong: `{"type":"pong"}`},
		`{"type":"later","name":"x","more":[1]}`:                          {kind: clientUnknown},
		`{"type":"ping","t":"1"}`:                                         {bad: true},
		`{"type":"ping","t":{"a":1}}`:                                     {bad: true},
		`{"type":"ping","t":` + strings.Repeat("9", 33):                   {bad: true},
		`{"type":"mark"}`:                                                 {bad: true},
		`{"type":"mark","name":7}`:                                        {bad: true},
		`{"type":"mark","name":"` + strings.Repeat("x", maxMark+1) + `"}`: {bad: true},
		`{"type":"dtmf","digit":"12"}`:                                    {bad: true},
		`{"type":"dtmf","digit":"E"}`:                                     {bad: true},
		`{"type":"dtmf","digit":""}`:                                      {bad: true},
		`{}`:                                                              {bad: true},
		`[]`:                                                              {bad: true},
		``:                                                                {bad: true},
		`{"type":"stop"`:                                                  {bad: true},
		"{\"type\":\"mark\",\"name\":\"\xff\"}":                           {bad: true},
		`{"type":"x","pad":"` + strings.Repeat("x", maxText) + `"}`: {bad: true},
	} {
		kind, ev, pong, err := decodeText([]byte(raw))
		if (err != nil) != want.bad {
			t.Errorf("%.60s: %v", raw, err)
		}
		if err == nil && (kind != want.kind || ev.Kind != want.ev.Kind || ev.Name != want.ev.Name || string(pong) != want.pong) {
			t.Errorf("%.60s: %d %+v %s", raw, kind, ev, pong)
		}
	}
}

// FuzzDecodeText: whatever a client sends, what comes out is within the protocol.
func FuzzDecodeText(f *testing.F) {
	for _, s := range []string{`{"type":"mark","name":"g0.1"}`, `{"type":"dtmf","digit":"5"}`, `{"type":"ping","t":1e3}`, `{"type":"stop"}`, `{"type":"ping","t":-0}`,
		`{"type":"ping","t":1,"t":"x"}`, `{"TYPE":"stop"}`, `null`, "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		kind, ev, pong, err := decodeText(raw)
		if err != nil {
			return
		}
		switch kind {
		case clientPing:
			if !json.Valid(pong) || len(pong) > 64 {
				t.Errorf("pong %q", pong)
			}
		case clientEvent:
			mark := ev.Kind == leg.CarrierMark && ev.Name != "" && len(ev.Name) <= maxMark
			digit := ev.Kind == leg.CarrierDTMF && len(ev.Name) == 1
			if !mark && !digit {
				t.Errorf("event %+v", ev)
			}
		case clientStop, clientUnknown:
		}
	})
}

func TestFlow(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	f := newFlow(now)
	for range 60 * 50 { // a minute of a microphone that is 5 % fast
		now = now.Add(19 * time.Millisecond)
		if !f.admit(160, now) {
			t.Fatal("an ordinary microphone was refused")
		}
	}
	for range 10 { // a backlog of 10 s after a stall
		now = now.Add(time.Millisecond)
		if !f.admit(8_000, now) {
			t.Fatal("a backlog was refused")
		}
	}
	refused := false
	for range 20 {
		refused = refused || !f.admit(8_000, now)
	}
	if !refused {
		t.Error("20 s of audio in no time were taken")
	}
	f = newFlow(now)
	for range messageBurst {
		f.admit(0, now)
	}
	if f.admit(0, now) {
		t.Error("a flood of small messages was taken")
	}
	if now = now.Add(time.Second); !f.admit(0, now) {
		t.Error("a second later nothing is taken")
	}
}

func TestMood(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond) }
	m := mood{}
	step := func(doing, want string, change func()) {
		t.Helper()
		change()
		if got := m.state(); got != want {
			t.Errorf("%s: %s, want %s", doing, got, want)
		}
	}
	step("at first", stateConnecting, func() {})
	step("model there", stateListening, func() { m.ready = true })
	step("turn committed", stateThinking, func() { m.expects(at(10)) })
	step("audio", stateSpeaking, func() { m.media(at(20)) })
	step("told late of the turn", stateSpeaking, func() { m.expects(at(10)) })
	step("mark sent", stateSpeaking, func() { m.marked("g0.2") })
	step("an older mark", stateSpeaking, func() { m.played("g0.1") })
	step("played", stateListening, func() { m.played("g0.2") })
	step("audio again", stateSpeaking, func() { m.media(at(30)) })
	step("its mark not sent yet", stateSpeaking, func() { m.played("g0.2") })
	step("cleared", stateListening, func() { m.cleared() })
	step("tool", stateThinking, func() { m.tools++ })
	step("tool done", stateThinking, func() { m.tools--; m.expects(at(40)) })
	if _, changed := m.changed(); !changed {
		t.Error("the first state is news")
	}
	if _, changed := m.changed(); changed {
		t.Error("the same state is no news")
	}
}

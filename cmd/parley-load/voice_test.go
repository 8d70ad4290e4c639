package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"parley/internal/audio"
	"parley/internal/sim/speech"
)

func testTemplates() templates {
	return newTemplates(speech.Say("What time do you open tomorrow morning, and for how long?").ULaw)
}

func TestFramesAreKnownAgain(t *testing.T) {
	t.Parallel()
	c := testTemplates()
	for _, number := range []int{0, 1, 15, 16, 4095, 1 << 20, 1<<28 - 1} {
		for template := range len(c) {
			b := c.appendPayload(nil, number, template)
			if got, ok := c.read(b); !ok || got != number || len(b) != frameChars {
				t.Fatalf("frame %d with template %d is read as %d, %v", number, template, got, ok)
			}
		}
	}
	b := c.appendPayload(nil, 7, quietFrame)
	for _, i := range []int{stampChars, stampChars + 100, len(b) - 3} {
		changed := bytes.Clone(b)
		changed[i] = 'A' + changed[i]%2
		if _, ok := c.read(changed); ok {
			t.Errorf("a change at %d was not seen", i)
		}
	}
	if _, ok := c.read(b[4:]); ok {
		t.Error("less than a frame was read")
	}
}

func TestTheBurstIsLoud(t *testing.T) {
	t.Parallel()
	quiet := bytes.Repeat([]byte{audio.Silence}, 100*audio.FrameBytes)
	loud := speech.Say("This is the loud part of it, and it is long enough.").ULaw
	with := newTemplates(append(append(bytes.Clone(quiet), loud...), quiet...))
	silent := 0
	for _, frame := range with[1:] {
		if frame == with[quietFrame] {
			silent++
		}
	}
	if silent > burstTicks/4 { // speech has gaps
		t.Errorf("%d of %d frames of the burst are silent", silent, burstTicks)
	}
}

func TestSocketFrames(t *testing.T) {
	t.Parallel()
	for _, client := range []bool{false, true} {
		for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
			raw := appendFrame([]byte("before"), opText, client, bytes.Repeat([]byte{'x'}, n))[6:]
			for _, cut := range []int{0, 1, len(raw) - 1} {
				if _, _, size, err := parseFrame(raw[:cut]); size != 0 || err != nil {
					t.Fatalf("%d of %d bytes were taken for a frame: %v", cut, len(raw), err)
				}
			}
			op, payload, size, err := parseFrame(append(raw, 'y'))
			if err != nil || op != opText || size != len(raw) || len(payload) != n {
				t.Fatalf("%d bytes: op %d, %d bytes of %d, %v", n, op, len(payload), size, err)
			}
		}
	}
	masked := []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58} // RFC 6455 section 5.7
	if _, payload, _, err := parseFrame(masked); err != nil || string(payload) != "Hello" {
		t.Errorf("%q, %v", payload, err)
	}
	if _, _, _, err := parseFrame([]byte{0x01, 0x01, 'x'}); err == nil {
		t.Error("a fragment was accepted")
	}
}

func TestHeldChunksLeaveInTheirOrder(t *testing.T) {
	t.Parallel()
	var q holdQueue
	next, out := 0, 0
	for step := range 1000 {
		for range 1 + step%3 {
			q.add().number = next
			next++
		}
		for range 1 + step%2 {
			if h := q.first(); h != nil {
				if h.number != out {
					t.Fatalf("%d left instead of %d", h.number, out)
				}
				out++
				q.drop()
			}
		}
	}
	for ; q.first() != nil; q.drop() {
		out++
	}
	if out != next {
		t.Errorf("%d of %d left", out, next)
	}
}

// TestVoiceReport: costs are the median of the rounds, ratios those of the same round.
func TestVoiceReport(t *testing.T) {
	t.Parallel()
	r := newVoiceReport(voiceOptions{Rounds: 2, Duration: time.Minute})
	round := func(cpu time.Duration, memory int64, lost int) voiceRound {
		m := voiceRound{cpu: cpu, took: time.Minute, callMinutes: 10, memory: memory, sent: 100, lost: lost, trip: []time.Duration{time.Millisecond}}
		if lost > 0 {
			m.faults = []string{"a frame was lost"}
		}
		return m
	}
	r.add(10, subjectRelay, round(2*time.Second, 50_000, 0))
	r.add(10, subjectParley, round(3*time.Second, 90_000, 0))
	r.add(10, subjectRelay, round(4*time.Second, 50_000, 0))
	r.add(10, subjectParley, round(4*time.Second, 110_000, 1))
	r.finish()
	w := r.row(10, subjectParley)
	if w.CPURatio != 1.25 || w.CPU != 0.35 || w.Extra != 50 || w.Lost != 1 || r.OK {
		t.Errorf("%+v, ok %v", w, r.OK)
	}
	var out strings.Builder
	if err := r.table(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1.25 ×", "10 calls, parley: a frame was lost", "FAILED"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
}

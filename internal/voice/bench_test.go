package voice

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"parley"
	"parley/internal/leg"
)

// mute legs take everything and keep nothing: what is measured is the session.
type muteCarrier struct{ media int }

func (*muteCarrier) Events() <-chan leg.CarrierEvent { return nil }
func (*muteCarrier) Err() error                      { return nil }
func (c *muteCarrier) SendMedia(b []byte) error      { c.media += len(b); return nil }
func (*muteCarrier) SendMark(string) error           { return nil }
func (*muteCarrier) SendClear() error                { return nil }
func (*muteCarrier) Close()                          {}
func (*muteCarrier) Wait()                           {}

type muteModel struct {
	Model
	audio int
}

func (m *muteModel) AppendAudio(b []byte) error { m.audio += len(b); return nil }

func benchSession() (*Session, *muteCarrier, *muteModel) {
	v := parley.DefaultVoiceConfig()
	c, m := &muteCarrier{}, &muteModel{}
	s := New(c, newTape(), Config{Agent: parley.Agent{Voice: &v}, Log: slog.New(slog.DiscardHandler)})
	s.model, s.ready = m, true
	return s, c, m
}

// BenchmarkCallerFrame is one 20 ms frame of the caller on its way to the model.
func BenchmarkCallerFrame(b *testing.B) {
	s, _, m := benchSession()
	ev := leg.CarrierEvent{Kind: leg.CarrierMedia, Payload: quiet}
	b.ReportAllocs()
	for b.Loop() {
		s.onCarrier(ev, true)
	}
	if m.audio != b.N*frameBytes {
		b.Fatalf("%d bytes of %d frames", m.audio, b.N)
	}
}

// BenchmarkTailOfALongTurn is one frame of a turn that has lasted longer than is kept of it.
func BenchmarkTailOfALongTurn(b *testing.B) {
	e := newTail(0)
	frame := make([]byte, frameBytes)
	e.started(0)
	for range maxTurnAudio / frameBytes {
		e.hear(frame)
	}
	b.ReportAllocs()
	for b.Loop() {
		e.hear(frame)
	}
}

// BenchmarkAgentAudio is one 200 ms delta of the model on its way to the carrier as ten paced frames, with
// their marks and the marks' echoes.
func BenchmarkAgentAudio(b *testing.B) {
	s, c, _ := benchSession()
	now := time.Now()
	s.seq.active = "r1"
	item := 0
	var ev leg.ModelEvent
	b.ReportAllocs()
	for b.Loop() {
		if item%50 == 0 { // items of 10 s
			for _, p := range s.ledger.items {
				p.audioDone, p.done = true, true
			}
			ev = leg.ModelEvent{Kind: leg.ModelAudio, ResponseID: "r1", ItemID: "a" + string(rune('a'+item/50%26)), Audio: make([]byte, 200*bytesPerMs)}
		}
		item++
		s.onAudio(ev, now)
		for range 10 {
			s.pump(now)
			now = now.Add(20 * time.Millisecond)
			_ = s.deadline(now)
		}
		for len(s.ledger.marks) > 2 {
			m := s.ledger.marks[0]
			s.ledger.acknowledge("g0."+strconv.Itoa(m.seq), now)
			s.ledger.finished()
		}
	}
	b.ReportMetric(float64(c.media)/frameBytes/float64(b.N), "frames/op")
}

// BenchmarkEcho is 20 ms of a call in which the model echoes the caller, as parley-load measures it: a frame up, a
// delta down, a frame out at once, and every eighth time a mark and its echo.
func BenchmarkEcho(b *testing.B) {
	s, c, m := benchSession()
	now := time.Now()
	s.seq.active = "r1"
	up := leg.CarrierEvent{Kind: leg.CarrierMedia, Payload: make([]byte, frameBytes)}
	down := leg.ModelEvent{Kind: leg.ModelAudio, ResponseID: "r1", ItemID: "a1", Audio: make([]byte, frameBytes)}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if n++; n%10_000 == 0 { // an item is five minutes at most
			for _, p := range s.ledger.items {
				p.audioDone, p.done = true, true
			}
			down.ItemID = "a" + strconv.Itoa(n)
		}
		s.onCarrier(up, true)
		s.onAudio(down, now)
		s.pump(now)
		_ = s.deadline(now)
		now = now.Add(20 * time.Millisecond)
		for len(s.ledger.marks) > 1 {
			s.ledger.acknowledge("g0."+strconv.Itoa(s.ledger.marks[0].seq), now)
			s.ledger.finished()
		}
	}
	if c.media != m.audio {
		b.Fatalf("%d bytes up, %d down", m.audio, c.media)
	}
}

// liveCarrier and liveModel are mute legs with a session that waits for them.
type liveCarrier struct {
	muteCarrier
	events chan leg.CarrierEvent
}

func (c *liveCarrier) Events() <-chan leg.CarrierEvent { return c.events }

type liveModel struct {
	muteModel
	events chan leg.ModelEvent
	heard  chan struct{}
}

func (m *liveModel) Events() <-chan leg.ModelEvent { return m.events }
func (m *liveModel) AppendAudio([]byte) error      { m.heard <- struct{}{}; return nil }

func (*liveModel) Configure(leg.SessionConfig) (string, error) { return "", nil }
func (*liveModel) Close()                                      {}
func (*liveModel) Wait()                                       {}

// BenchmarkWake is one 20 ms frame of the caller for a session that sleeps until it comes: its way through the channel,
// what ends a session, and what is due.
func BenchmarkWake(b *testing.B) {
	v := parley.DefaultVoiceConfig()
	v.Greeting, v.Timeout, v.MaxDuration = "", 0, 0
	c := &liveCarrier{events: make(chan leg.CarrierEvent, 1)}
	m := &liveModel{events: make(chan leg.ModelEvent), heard: make(chan struct{})}
	open := make(chan struct{})
	s := New(c, newTape(), Config{
		Agent: parley.Agent{Voice: &v}, Log: slog.New(slog.DiscardHandler), Over: open, Taken: open, HandOver: open,
		Dial: func(context.Context) (Model, error) { return m, nil },
	})
	ended := make(chan struct{})
	ctx, stop := context.WithCancel(b.Context())
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	m.events <- leg.ModelEvent{Kind: leg.ModelSessionUpdated}
	ev := leg.CarrierEvent{Kind: leg.CarrierMedia, Payload: make([]byte, frameBytes)}
	b.ReportAllocs()
	for b.Loop() {
		c.events <- ev
		<-m.heard
	}
	stop()
	<-ended
	s.Wait()
}

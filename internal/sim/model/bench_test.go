package model

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// BenchmarkAppend is the cost of one 20 ms message of the caller, decoding and VAD included.
func BenchmarkAppend(b *testing.B) {
	s := start(b, quick)
	c := &Conn{srv: s, opt: s.options(), ctx: b.Context()}
	c.session = defaultSession("sess_sim_1", "m", time.Now())
	c.cfg = configOf(c.session)
	c.cfg.in = format{"audio/pcmu", 8}
	c.input.configure(c.cfg)
	raw := []byte(`{"type":"input_audio_buffer.append","audio":"` + base64.StdEncoding.EncodeToString(silence(20)) + `"}`)
	b.ReportAllocs()
	for b.Loop() {
		c.handle(raw)
	}
}

// BenchmarkHundredCallers runs 100 sessions in real time, each hearing a turn and answering it, with plain
// clients in the same process: the CPU time is an upper bound of what the simulator itself needs.
func BenchmarkHundredCallers(b *testing.B) {
	const callers = 100
	s := start(b, Options{})
	audio := caller()
	clients := make([]*client, callers)
	for i := range clients {
		clients[i] = dial(b, s)
		clients[i].send(fmt.Sprintf(phoneSession, "true", "true"))
	}
	before := cpu(b)
	b.ResetTimer()
	seconds := 0.0
	for b.Loop() {
		began := time.Now()
		var all sync.WaitGroup
		for _, c := range clients {
			all.Go(func() { c.realTime(audio) })
			all.Go(c.drain)
		}
		all.Wait()
		seconds += time.Since(began).Seconds()
	}
	b.ReportMetric(1000*(cpu(b)-before).Seconds()/seconds/callers, "cpu-ms/call-s")
}

func (c *client) realTime(audio []byte) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ; len(audio) > 0; audio = audio[min(160, len(audio)):] {
		<-tick.C
		raw := `{"type":"input_audio_buffer.append","audio":"` + base64.StdEncoding.EncodeToString(audio[:min(160, len(audio))]) + `"}`
		if err := c.ws.Write(c.ctx, websocket.MessageText, []byte(raw)); err != nil {
			c.t.Errorf("writing: %v", err)
			return
		}
	}
}

func (c *client) drain() {
	for {
		_, raw, err := c.ws.Read(c.ctx)
		if err != nil {
			c.t.Errorf("reading: %v", err)
			return
		}
		if bytes.Contains(raw[:min(200, len(raw))], []byte("response.done")) || bytes.Contains(raw[max(0, len(raw)-100):], []byte("response.done")) {
			return
		}
	}
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"sync"
	"time"

	"parley/internal/audio"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
)

// trace follows the audio of one call at both ends of the server, on one clock: what the phone sent and the
// model received (up), and what the model sent and the phone received (down). It matches them by position in
// the stream of bytes, so that it needs no help of the server. Safe for concurrent use.
type trace struct {
	mu sync.Mutex

	frames     []frame // sent by the phone
	sum        uint32  // of everything the phone sent
	appended   int64   // bytes the model received
	heardSum   uint32
	configured time.Time // when the model said that the session is configured
	up         []time.Duration
	merged     int // appends of more than one frame

	spoken      int64 // bytes the model sent
	spokenSum   uint32
	received    int64 // bytes the phone received
	receivedSum uint32
	response    string
	answering   bool      // between response.created and response.done
	asked       time.Time // the first delta of a response left, and its first frame has not arrived
	playing     time.Time // until when the received audio plays
	down        []time.Duration

	clears   int
	sessions map[*model.Conn]bool
	refusals []string // error events of the model
	scratch  []byte
}

// frame is one media message of the phone.
type frame struct {
	at  time.Time
	end int64  // of the caller's audio so far
	sum uint32 // of the caller's audio so far
}

// phoneMessage is the tap of the call's phone.
func (t *trace) phoneMessage(dir phone.Direction, raw []byte) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case bytes.Contains(raw, []byte(`"event":"media"`)):
		ulaw := t.decode(raw, "payload")
		if dir == phone.Sent {
			t.phoneSent(ulaw, now)
		} else {
			t.phoneReceived(ulaw, now)
		}
	case dir == phone.Received && bytes.Contains(raw, []byte(`"event":"clear"`)):
		t.clears++
		t.asked, t.playing = time.Time{}, now
	}
}

// modelMessage is the tap of the model's connection for this call.
func (t *trace) modelMessage(c *model.Conn, dir model.Direction, raw []byte) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions == nil {
		t.sessions = map[*model.Conn]bool{}
	}
	t.sessions[c] = true
	switch {
	case dir == model.FromClient && bytes.Contains(raw, []byte(`"input_audio_buffer.append"`)):
		t.modelReceived(t.decode(raw, "audio"), now)
	case dir == model.FromClient:
	case bytes.Contains(raw, []byte(`"response.output_audio.delta"`)):
		t.modelSent(string(member(raw, "response_id")), t.decode(raw, "delta"), now)
	case bytes.Contains(raw, []byte(`"response.created"`)):
		t.answering = true
	case bytes.Contains(raw, []byte(`"response.done"`)):
		t.answering = false
	case t.configured.IsZero() && bytes.Contains(raw, []byte(`"session.updated"`)):
		t.configured = now
	case bytes.Contains(raw, []byte(`"error"`)):
		t.refused(raw)
	}
}

func (t *trace) phoneSent(ulaw []byte, now time.Time) {
	f := frame{at: now, end: int64(len(ulaw))}
	if n := len(t.frames); n > 0 {
		f.end += t.frames[n-1].end
	}
	t.sum = crc32.Update(t.sum, crc32.IEEETable, ulaw)
	f.sum = t.sum
	t.frames = append(t.frames, f)
}

// modelReceived counts the latency of an append that is exactly one frame. The server holds what the caller
// says before the model's session is configured, on purpose; that arrives merged or late and is left out.
func (t *trace) modelReceived(ulaw []byte, now time.Time) {
	t.appended += int64(len(ulaw))
	t.heardSum = crc32.Update(t.heardSum, crc32.IEEETable, ulaw)
	if len(ulaw) != audio.FrameBytes {
		t.merged++
		return
	}
	i := int(t.appended/audio.FrameBytes) - 1
	if i < 0 || i >= len(t.frames) || t.frames[i].end != t.appended {
		return
	}
	if sent := t.frames[i].at; !t.configured.IsZero() && sent.After(t.configured) {
		t.up = append(t.up, now.Sub(sent))
	}
}

// modelSent notes the beginning of a response while nothing is playing: that one the server can pass on at
// once. While something plays it has to wait for its turn, which is no latency.
func (t *trace) modelSent(response string, ulaw []byte, now time.Time) {
	if response != t.response {
		t.response = response
		if !now.Before(t.playing) {
			t.asked = now
		}
	}
	t.spoken += int64(len(ulaw))
	t.spokenSum = crc32.Update(t.spokenSum, crc32.IEEETable, ulaw)
}

func (t *trace) phoneReceived(ulaw []byte, now time.Time) {
	t.received += int64(len(ulaw))
	t.receivedSum = crc32.Update(t.receivedSum, crc32.IEEETable, ulaw)
	if !t.asked.IsZero() {
		t.down = append(t.down, now.Sub(t.asked))
		t.asked = time.Time{}
	}
	if t.playing.Before(now) {
		t.playing = now
	}
	t.playing = t.playing.Add(audio.Duration(len(ulaw)))
}

func (t *trace) refused(raw []byte) {
	var m struct {
		Type  string
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(raw, &m); err == nil && m.Type == "error" {
		t.refusals = append(t.refusals, m.Error.Code+": "+m.Error.Message)
	}
}

// quiet reports whether nothing is on its way to the caller or being played.
func (t *trace) quiet() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.answering && t.received >= t.spoken && time.Now().After(t.playing)
}

// decode returns the audio of a message, valid until the next call. Audio that is no base64 becomes none, and
// is then missed in the comparison.
func (t *trace) decode(raw []byte, name string) []byte {
	b64 := member(raw, name)
	t.scratch = append(t.scratch[:0], make([]byte, base64.StdEncoding.DecodedLen(len(b64)))...)
	n, err := base64.StdEncoding.Decode(t.scratch, b64)
	if err != nil {
		return nil
	}
	return t.scratch[:n]
}

// member returns the value of a string member that needs no unescaping; base64 and ids do not.
func member(raw []byte, name string) []byte {
	_, rest, ok := bytes.Cut(raw, []byte(`"`+name+`":"`))
	if !ok {
		return nil
	}
	value, _, ok := bytes.Cut(rest, []byte(`"`))
	if !ok {
		return nil
	}
	return value
}

// inFlight is how many bytes of the caller's audio may still be on their way when the call ends: a few frames,
// and as many more as the slowest frame of this call would have let pile up.
func (t *trace) inFlight() int64 {
	slowest := time.Duration(0)
	for _, d := range t.up {
		slowest = max(slowest, d)
	}
	return audio.FrameBytes * int64(5+slowest/audio.FrameDuration)
}

// faults says what is wrong with the call's audio. After an interruption less has to arrive than was sent.
func (t *trace) faults(interrupting bool) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	fault := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch {
	case t.received > t.spoken, !interrupting && t.received != t.spoken:
		fault("the model sent %d bytes of audio, the phone received %d", t.spoken, t.received)
	case !interrupting && t.receivedSum != t.spokenSum:
		fault("the phone received other audio than the model sent")
	}
	if interrupting && t.clears == 0 {
		fault("no interruption cleared the phone's buffer")
	} else if !interrupting && t.clears > 0 {
		fault("%d clears, although nobody interrupted", t.clears)
	}
	var sent int64
	if n := len(t.frames); n > 0 {
		sent = t.frames[n-1].end
	}
	if missing := sent - t.appended; missing < 0 || missing > t.inFlight() {
		fault("the phone sent %d bytes of audio, the model received %d", sent, t.appended)
	} else if i := t.appended/audio.FrameBytes - 1; i >= 0 && t.frames[i].sum != t.heardSum {
		fault("the model received other audio than the phone sent")
	}
	if len(t.sessions) != 1 {
		fault("%d model connections instead of one", len(t.sessions))
	}
	for _, r := range t.refusals {
		fault("the model refused: %s", r)
	}
	return out
}

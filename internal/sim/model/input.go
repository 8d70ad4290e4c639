package model

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"parley/internal/audio"
)

// windowMs is the grain of voice activity detection.
const windowMs = 10

// onset is how many of the last eight windows must be loud before speech has begun: clicks are shorter.
const onset = 5

// input is the caller's audio: its length, and the detection of speech by energy. It keeps no samples.
type input struct {
	format  format
	vad     *vadConfig
	loud    float64 // mean square of a loud window
	quiet   float64 // below this a window is silent: 6 dB of hysteresis
	heardMs int     // since the session began
	heldMs  int     // in the buffer: since the last commit or clear

	carry  []byte  // less than a sample
	sum    float64 // of squares in the current window
	count  int     // samples in it
	recent uint8   // a bit per window: loud or not
	itemID string  // of the speech in progress; "" between
	fromMs int     // where it began, prefix included
	lastMs int     // end of the last loud window
}

func (in *input) configure(cfg config) {
	in.format, in.vad = cfg.in, cfg.vad
	if in.vad != nil {
		// 0.5 is −40 dBFS: telephone speech lies at −20, its weak sounds at −35, a quiet line below −55.
		db := -65 + 50*in.vad.threshold
		in.loud = math.Pow(10, db/10) * 32768 * 32768
		in.quiet = in.loud / 4
	}
	in.reset()
}

func (in *input) reset() {
	in.carry, in.sum, in.count, in.recent, in.itemID = in.carry[:0], 0, 0, 0, ""
}

func (in *input) clear() {
	in.reset()
	in.heldMs = 0
}

// squares is the square of each µ-law and A-law byte's sample.
var squares = func() (t [256]float64) {
	for i, s := range audio.DecodeULaw(allBytes()) {
		t[i] = float64(s) * float64(s)
	}
	return t
}()

func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// windows calls each for every complete window of the audio, with its mean square.
func (in *input) windows(raw []byte, each func(mean float64)) {
	if in.format.name == "audio/pcmu" {
		for _, b := range raw {
			in.sum += squares[b]
			if in.count++; in.count == 8*windowMs {
				in.window(each)
			}
		}
		return
	}
	size, perWindow := 2, 24*windowMs
	if in.format.name == "audio/pcma" {
		size, perWindow = 1, 8*windowMs
	}
	in.carry = append(in.carry, raw...)
	for len(in.carry) >= size {
		var s float64
		if size == 2 {
			s = float64(int16(binary.LittleEndian.Uint16(in.carry)))
		} else {
			s = float64(decodeALaw(in.carry[0]))
		}
		in.carry = in.carry[size:]
		in.sum += s * s
		if in.count++; in.count == perWindow {
			in.window(each)
		}
	}
}

func (in *input) window(each func(float64)) {
	mean := in.sum / float64(in.count)
	in.sum, in.count = 0, 0
	in.heardMs += windowMs
	in.heldMs += windowMs
	each(mean)
}

// decodeALaw expands one G.711 A-law byte.
func decodeALaw(b byte) int16 {
	b ^= 0x55
	v, exponent := int(b&0x0F)<<4+8, b>>4&7
	if exponent > 0 {
		v = (v + 0x100) << (exponent - 1)
	}
	if b&0x80 == 0 {
		v = -v
	}
	return int16(v)
}

// hear runs voice activity detection on appended audio.
func (c *Conn) hear(raw []byte) {
	in := &c.input
	in.windows(raw, func(mean float64) {
		if in.vad == nil {
			return
		}
		loud := mean >= in.loud || in.itemID != "" && mean >= in.quiet
		in.recent <<= 1
		if loud {
			in.recent |= 1
			in.lastMs = in.heardMs
		}
		switch {
		case in.itemID == "" && ones(in.recent) >= onset:
			c.speechStarted()
		case in.itemID != "" && in.heardMs-in.lastMs >= max(windowMs, in.vad.silenceMs):
			c.speechStopped()
		}
	})
}

func ones(b uint8) (n int) {
	for ; b != 0; b &= b - 1 {
		n++
	}
	return n
}

func (c *Conn) speechStarted() {
	in := &c.input
	c.forget(c.idle)
	in.itemID = c.srv.id("item")
	in.fromMs = max(0, in.heardMs-8*windowMs-in.vad.prefixMs)
	c.send("input_audio_buffer.speech_started", members{"audio_start_ms": in.fromMs, "item_id": in.itemID})
	if in.vad.interrupt && c.active != nil && !c.active.ending {
		c.cancel(c.active, "turn_detected")
	}
}

func (c *Conn) speechStopped() {
	in := &c.input
	id, ms, create := in.itemID, in.heardMs-in.fromMs, in.vad.createResponse
	c.send("input_audio_buffer.speech_stopped", members{"audio_end_ms": in.heardMs, "item_id": id})
	c.commit(id, ms)
	if create {
		c.autoResponse()
	}
}

// commit turns the buffer into a user item.
func (c *Conn) commit(id string, ms int) {
	in := &c.input
	it := &item{id: id, kind: "user", status: "completed", userMs: ms}
	c.items = append(c.items, it)
	in.reset()
	in.heldMs = 0
	c.send("input_audio_buffer.committed", members{"previous_item_id": c.previous(it), "item_id": id})
	c.announce("conversation.item.added", it)
	c.announce("conversation.item.done", it)
	if c.cfg.transcription != "" {
		c.transcribeLater(it)
	}
}

func (c *Conn) commitByClient() *apiError {
	in := &c.input
	if in.heldMs < 100 {
		return refuse("input_audio_buffer_commit_empty", "", "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has %.2fms of audio.", float64(in.heldMs))
	}
	id, ms := in.itemID, in.heldMs
	if id == "" {
		id = c.srv.id("item")
	}
	c.commit(id, ms)
	return nil
}

// watchIdle arms idle_timeout_ms, which counts from the end of playback as the server estimates it.
func (c *Conn) watchIdle(playback time.Duration) {
	c.forget(c.idle)
	if v := c.cfg.vad; v != nil && v.idle > 0 {
		c.idle = c.after(playback+v.idle, c.idleTimeout)
	}
}

func (c *Conn) idleTimeout() {
	in := &c.input
	if c.active != nil || in.itemID != "" || in.vad == nil {
		return
	}
	id, from := c.srv.id("item"), max(0, in.heardMs-in.heldMs)
	c.send("input_audio_buffer.timeout_triggered", members{"audio_start_ms": from, "audio_end_ms": in.heardMs, "item_id": id})
	c.commit(id, in.heldMs)
	c.autoResponse()
}

func (c *Conn) transcribeLater(it *item) {
	do := func() { c.transcribe(it) }
	if c.opt.TranscriptAfterResponse {
		c.held = append(c.held, do)
		return
	}
	c.after(c.opt.TranscriptionDelay, do)
}

// transcribe says honestly that words are not understood.
func (c *Conn) transcribe(it *item) {
	const prefix = "conversation.item.input_audio_transcription."
	if c.opt.FailTranscription {
		c.send(prefix+"failed", members{"item_id": it.id, "content_index": 0, "error": members{
			"type": "transcription_error", "code": "audio_unintelligible", "message": "The audio could not be transcribed.", "param": nil}})
		return
	}
	head, tail := "(simulated transcript:", fmt.Sprintf(" %.1f s of speech)", float64(it.userMs)/1000)
	for _, delta := range []string{head, tail} {
		c.send(prefix+"delta", members{"item_id": it.id, "content_index": 0, "delta": delta})
	}
	usage := members{"type": "duration", "seconds": float64(it.userMs) / 1000}
	if c.cfg.transcription != "whisper-1" {
		audioTokens, words := it.userMs/100, textTokens(head+tail)
		usage = members{"type": "tokens", "input_tokens": audioTokens, "output_tokens": words, "total_tokens": audioTokens + words,
			"input_token_details": members{"text_tokens": 0, "audio_tokens": audioTokens}}
	}
	c.send(prefix+"completed", members{"item_id": it.id, "content_index": 0, "transcript": head + tail, "usage": usage})
}

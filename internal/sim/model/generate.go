package model

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"parley/internal/audio"
	"parley/internal/sim/speech"
)

// transcriptLeadMs is how far the words run ahead of their audio.
const transcriptLeadMs = 400

// plan turns the reply into steps.
func (c *Conn) plan(r *response) {
	r.steps = append(r.steps, step{wait: max(time.Microsecond, max(0, c.opt.FirstDelta)+r.reply.Delay), do: func() {}})
	for index, o := range r.reply.Items {
		if r.cut {
			break
		}
		switch {
		case o.Call != nil:
			c.planCall(r, index, o)
		case r.audio:
			c.planSpeech(r, index, o)
		default:
			c.planText(r, index, o)
		}
	}
	switch {
	case r.reply.Drop:
		r.steps = append(r.steps, step{do: c.drop})
	case r.reply.Stall:
	default:
		r.steps = append(r.steps, step{do: func() { c.conclude(r) }})
	}
}

// conclude ends a response that was generated to its end.
func (c *Conn) conclude(r *response) {
	switch f := r.reply.Fail; {
	case f != nil:
		if f.AlsoEvent != "" {
			c.sendError(&apiError{Type: f.Type, Code: &f.Code, Message: f.AlsoEvent}, "")
		}
		c.finish(r, "failed", members{"type": "failed", "error": members{"type": f.Type, "code": f.Code}})
	case r.cut:
		c.finish(r, "incomplete", members{"type": "incomplete", "reason": "max_output_tokens"})
	case r.reply.Incomplete != "":
		c.finish(r, "incomplete", members{"type": "incomplete", "reason": r.reply.Incomplete})
	default:
		c.finish(r, "completed", nil)
	}
}

// allowance is how many output tokens are left; ok is false when there is no limit.
func (c *Conn) allowance(r *response) (int, bool) {
	limit := intAt(c.setting(r, "max_output_tokens"))
	return limit - r.tokens, limit > 0
}

func (c *Conn) planSpeech(r *response, index int, o Output) {
	clip := speech.SayAt(o.Say, c.cfg.speed)
	if o.ULaw != nil {
		clip = speech.Clip{ULaw: o.ULaw, Words: o.Words}
		if o.Words == nil {
			clip.Words = []speech.Word{{Text: o.Say}}
		}
	}
	if left, limited := c.allowance(r); limited && clip.Ms() > left*50 {
		clip.ULaw, r.cut = clip.ULaw[:max(0, left*50*8)], true
	}
	r.tokens += clip.Ms() / 50
	it := &item{id: c.srv.id("item"), kind: "assistant", spoken: true, status: "in_progress", out: r.out}
	d := delta{conn: c, r: r, it: it, index: index}
	r.steps = append(r.steps, step{wait: o.Pause, do: func() { c.openItem(r, it, index) }})
	word, wait := 0, time.Duration(0)
	for at, n := 0, c.responses; at < len(clip.ULaw); n++ {
		end := min(len(clip.ULaw), at+8*max(1, c.opt.ChunkMs[n%len(c.opt.ChunkMs)]))
		chunk := clip.ULaw[at:end]
		if o.Hang > 0 && at < len(clip.ULaw)/2 && end >= len(clip.ULaw)/2 {
			wait += o.Hang
		}
		for ; word < len(clip.Words) && clip.Words[word].StartMs < end/8+transcriptLeadMs; word++ {
			if end == len(clip.ULaw) || !r.cut || clip.Words[word].StartMs < len(clip.ULaw)/8 {
				r.steps = append(r.steps, d.words("response.output_audio_transcript.delta", spaced(word, clip.Words[word].Text), wait))
				wait = 0
			}
		}
		r.steps = append(r.steps, step{wait: wait, delta: true, do: func() { d.audio(chunk) }})
		wait = time.Duration(float64(len(chunk)/8) * float64(time.Millisecond) / c.opt.Speed)
		at = end
	}
	r.steps = append(r.steps, step{wait: wait, do: func() { c.closeItem(r, "completed") }})
}

func (c *Conn) planText(r *response, index int, o Output) {
	it := &item{id: c.srv.id("item"), kind: "assistant", status: "in_progress", out: r.out}
	d := delta{conn: c, r: r, it: it, index: index}
	r.steps = append(r.steps, step{wait: o.Pause, do: func() { c.openItem(r, it, index) }})
	words := strings.Fields(o.Say)
	for i, w := range words {
		if left, limited := c.allowance(r); limited && left <= 0 {
			r.cut = true
			break
		}
		r.tokens += textTokens(w)
		wait := 8 * time.Millisecond
		if i == len(words)/2 {
			wait += o.Hang
		}
		r.steps = append(r.steps, d.words("response.output_text.delta", spaced(i, w), wait))
	}
	r.steps = append(r.steps, step{do: func() { c.closeItem(r, "completed") }})
}

func (c *Conn) planCall(r *response, index int, o Output) {
	it := &item{id: c.srv.id("item"), kind: "function_call", status: "in_progress", call: *o.Call, callID: c.srv.id("call"), out: r.out}
	r.steps = append(r.steps, step{wait: o.Pause, do: func() { c.openItem(r, it, index) }})
	const piece = 6
	for rest := o.Call.Arguments; rest != ""; {
		part := rest[:min(piece, len(rest))]
		part = strings.ToValidUTF8(part, "")
		if part == "" { // a rune longer than what is left of the piece cannot happen below 4 bytes
			part = rest
		}
		rest = rest[len(part):]
		r.steps = append(r.steps, step{wait: 4 * time.Millisecond, delta: true, do: func() {
			c.send("response.function_call_arguments.delta", members{"response_id": r.id, "item_id": it.id, "output_index": index, "call_id": it.callID, "delta": part})
		}})
	}
	r.steps = append(r.steps, step{wait: o.Hang, do: func() { c.closeItem(r, "completed") }})
}

func spaced(i int, word string) string {
	if i == 0 {
		return word
	}
	return " " + word
}

func (c *Conn) openItem(r *response, it *item, index int) {
	r.open, r.items = it, append(r.items, it)
	if !it.out {
		c.items = append(c.items, it)
	}
	c.send("response.output_item.added", members{"response_id": r.id, "output_index": index, "item": it.json()})
	c.announce("conversation.item.added", it)
	if it.kind == "assistant" {
		c.send("response.content_part.added", members{"response_id": r.id, "item_id": it.id, "output_index": index, "content_index": 0, "part": it.part("")})
	}
}

// part is a content part; its types are "audio" and "text" even in GA, unlike those of items.
func (it *item) part(words string) members {
	if it.spoken {
		return members{"type": "audio", "transcript": words}
	}
	return members{"type": "text", "text": words}
}

// closeItem sends the …done events, which come for interrupted items too, with what was generated.
func (c *Conn) closeItem(r *response, status string) {
	it := r.open
	r.open = nil
	index := len(r.items) - 1
	at := func(m members) members {
		m["response_id"], m["item_id"], m["output_index"], m["content_index"] = r.id, it.id, index, 0
		return m
	}
	switch {
	case it.kind == "function_call":
		m := at(members{"call_id": it.callID, "name": it.call.Name, "arguments": it.call.Arguments})
		delete(m, "content_index")
		c.send("response.function_call_arguments.done", m)
	case it.spoken:
		c.send("response.output_audio.done", at(members{}))
		c.send("response.output_audio_transcript.done", at(members{"transcript": it.words}))
	default:
		c.send("response.output_text.done", at(members{"text": it.words}))
	}
	if it.kind == "assistant" {
		c.send("response.content_part.done", at(members{"part": it.part(it.words)}))
	}
	it.status = status
	if c.find(it.id) != nil {
		c.announce("conversation.item.done", it)
	}
	c.send("response.output_item.done", members{"response_id": r.id, "output_index": index, "item": it.json()})
}

// delta sends the pieces of one item.
type delta struct {
	conn  *Conn
	r     *response
	it    *item
	index int
}

func (d delta) words(typ, words string, wait time.Duration) step {
	return step{wait: wait, delta: true, do: func() {
		if !d.it.truncated { // truncation has deleted the words; late ones do not bring them back
			d.it.words += words
		}
		d.conn.send(typ, members{"response_id": d.r.id, "item_id": d.it.id, "output_index": d.index, "content_index": 0, "delta": words})
	}}
}

// audio encodes by hand: this is the one event that is large and frequent.
func (d delta) audio(ulaw []byte) {
	c := d.conn
	c.spoken = true
	if !d.it.truncated {
		d.it.audioMs += len(ulaw) / 8
	}
	d.r.sentMs += len(ulaw) / 8
	b := make([]byte, 0, 256+2*len(ulaw)*d.r.format.bytesPerMs/8)
	b = append(b, `{"type":"response.output_audio.delta","event_id":"`...)
	b = append(b, c.srv.id("event")...)
	b = append(b, `","response_id":"`...)
	b = append(b, d.r.id...)
	b = append(b, `","item_id":"`...)
	b = append(b, d.it.id...)
	b = append(b, `","output_index":`...)
	b = strconv.AppendInt(b, int64(d.index), 10)
	b = append(b, `,"content_index":0,"delta":"`...)
	b = base64.StdEncoding.AppendEncode(b, encodeAs(d.r.format, ulaw))
	b = append(b, `"}`...)
	c.write(b)
}

// encodeAs converts µ-law to the session's output format. PCM at 24 kHz repeats samples with straight lines
// between them.
func encodeAs(f format, ulaw []byte) []byte {
	switch f.name {
	case "audio/pcmu":
		return ulaw
	case "audio/pcma":
		out := make([]byte, len(ulaw))
		for i, s := range audio.DecodeULaw(ulaw) {
			out[i] = encodeALaw(s)
		}
		return out
	}
	pcm := audio.DecodeULaw(ulaw)
	out := make([]byte, 0, 6*len(pcm))
	for i, s := range pcm {
		next := s
		if i+1 < len(pcm) {
			next = pcm[i+1]
		}
		for k := range 3 {
			out = binary.LittleEndian.AppendUint16(out, uint16(int16((int(s)*(3-k)+int(next)*k)/3)))
		}
	}
	return out
}

// encodeALaw compresses a sample to G.711 A-law: the byte whose expansion is nearest.
func encodeALaw(s int16) byte {
	v, sign := int(s), byte(0x80)
	if v < 0 {
		v, sign = -v-1, 0
	}
	exponent := byte(7)
	for mask := 0x4000; exponent > 0 && v&mask == 0; mask >>= 1 {
		exponent--
	}
	shift := max(4, int(exponent)+3)
	return (sign | exponent<<4 | byte(v>>shift)&0x0F) ^ 0x55
}

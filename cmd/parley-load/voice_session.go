package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// session is the model's side of a line in echo mode: a Realtime session (GA) whose answers are what the caller
// says, 20 ms later. Voice detection is not heard but told by the line.
type session struct {
	configured bool
	creates    bool // turn_detection.create_response
	interrupts bool // turn_detection.interrupt_response
	transcribe bool // input.transcription
	waiting    bool // the caller has spoken and no answer has begun
	answering  bool
	response   int // number of the newest response
	spoken     int // number of the newest item of the caller
	started    int // frame at which the response began, for its length
	events     int
	prefix     []byte // of a delta of the response, up to its event's number
	middle     []byte // from there up to the audio
	message    []byte
}

// clientMessage has the members that are read of what the bridge sends.
type clientMessage struct {
	Type         string `json:"type"`
	EventID      string `json:"event_id"`
	ItemID       string `json:"item_id"`
	ContentIndex int    `json:"content_index"`
	AudioEndMs   int    `json:"audio_end_ms"`
	Item         struct {
		ID string `json:"id"`
	} `json:"item"`
	Session struct {
		Audio struct {
			Input struct {
				Transcription *struct{} `json:"transcription"`
				TurnDetection *struct {
					Create    *bool `json:"create_response"`
					Interrupt *bool `json:"interrupt_response"`
				} `json:"turn_detection"`
			} `json:"input"`
		} `json:"audio"`
	} `json:"session"`
}

// take is what the model receives.
func (l *rigCall) take(raw []byte, now time.Duration) {
	if has(raw, `"input_audio_buffer.append"`) {
		l.append(member(raw, "audio"), now)
		return
	}
	var m clientMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		l.fault("the model received what is not JSON: " + err.Error())
		return
	}
	s := &l.session
	switch m.Type {
	case "session.update":
		if t := m.Session.Audio.Input.TurnDetection; t != nil { // else it only asks for a sign of life
			s.creates, s.interrupts = t.Create == nil || *t.Create, t.Interrupt == nil || *t.Interrupt
			s.transcribe = m.Session.Audio.Input.Transcription != nil
		}
		s.configured = true
		s.say(l, `"type":"session.updated","session":{"type":"realtime","object":"realtime.session","output_modalities":["audio"]}`)
	case "response.create":
		if s.answering {
			s.say(l, fmt.Sprintf(`"type":"error","error":{"type":"invalid_request_error","code":"conversation_already_has_active_response","message":"Conversation already has an active response","param":null,"event_id":%q}`, m.EventID))
			return
		}
		s.begin(l)
	case "response.cancel":
		if !s.answering {
			s.say(l, fmt.Sprintf(`"type":"error","error":{"type":"invalid_request_error","code":"response_cancel_not_active","message":"Cancellation failed: no active response found","param":null,"event_id":%q}`, m.EventID))
			return
		}
		s.cancel(l, "client_cancelled")
	case "conversation.item.truncate":
		s.say(l, fmt.Sprintf(`"type":"conversation.item.truncated","item_id":%q,"content_index":%d,"audio_end_ms":%d`, m.ItemID, m.ContentIndex, m.AudioEndMs))
	case "conversation.item.delete":
		s.say(l, fmt.Sprintf(`"type":"conversation.item.deleted","item_id":%q`, m.ItemID))
	case "conversation.item.create", "input_audio_buffer.clear":
	default:
		l.fault("the model received " + m.Type)
	}
}

// append holds a frame for its echo. Audio that comes while no answer is under way has none.
func (l *rigCall) append(payload []byte, now time.Duration) {
	n, ok := l.rig.clips.read(payload)
	if !ok {
		l.merged++ // what the bridge kept while the session was opened
		return
	}
	l.gotAt[n%ringSize] = now
	if !l.session.answering {
		return
	}
	h := l.rig.held.add()
	h.due, h.line, h.response, h.number = now+echoDelay, l, l.session.response, n
	copy(h.payload[:], payload)
}

// echo sends a frame back, if the answer it belongs to is still being given.
func (l *rigCall) echo(h *held, now time.Duration) {
	s := &l.session
	if !s.answering || s.response != h.response || l.model.gone {
		return
	}
	l.echoedAt[h.number%ringSize] = now
	s.events++
	b := append(s.message[:0], s.prefix...)
	b = strconv.AppendInt(b, int64(s.events), 10)
	b = append(b, s.middle...)
	b = append(b, h.payload[:]...)
	b = append(b, `"}`...)
	s.message = b
	l.model.text(b)
}

// say sends an event; members is its inside without the event's id.
func (s *session) say(l *rigCall, members string) {
	s.events++
	l.model.text(fmt.Appendf(nil, `{"event_id":"event_%d",%s}`, s.events, members))
}

// open is the session's first word.
func (s *session) open(l *rigCall) {
	s.say(l, `"type":"session.created","session":{"type":"realtime","object":"realtime.session","id":"sess_echo"}`)
}

// startSpeech tells of the caller's speech. A bridge that has not asked to decide itself finds its answer
// canceled.
func (s *session) startSpeech(l *rigCall) {
	s.spoken++
	s.say(l, fmt.Sprintf(`"type":"input_audio_buffer.speech_started","audio_start_ms":%d,"item_id":"item_u%d"`, 20*max(0, l.number-detectTick), s.spoken))
	if s.answering && s.interrupts {
		s.cancel(l, "turn_detected")
	}
}

// endSpeech makes the caller's speech a turn.
func (s *session) endSpeech(l *rigCall) {
	s.say(l, fmt.Sprintf(`"type":"input_audio_buffer.speech_stopped","audio_end_ms":%d,"item_id":"item_u%d"`, 20*l.number, s.spoken))
	s.say(l, fmt.Sprintf(`"type":"input_audio_buffer.committed","previous_item_id":null,"item_id":"item_u%d"`, s.spoken))
	item := fmt.Sprintf(`"previous_item_id":null,"item":{"id":"item_u%d","object":"realtime.item","type":"message","status":"completed","role":"user","content":[{"type":"input_audio","transcript":null}]}`, s.spoken)
	s.say(l, `"type":"conversation.item.added",`+item)
	s.say(l, `"type":"conversation.item.done",`+item)
	if s.transcribe {
		s.say(l, fmt.Sprintf(`"type":"conversation.item.input_audio_transcription.completed","item_id":"item_u%d","content_index":0,"transcript":"Could you say that once more, please?","usage":{"type":"duration","seconds":2}`, s.spoken))
	}
	if s.answering {
		return // the bridge took it for no interruption
	}
	if s.waiting = true; s.creates {
		s.begin(l)
	}
}

// item is the spoken item of the response.
func (s *session) item(status string) string {
	return fmt.Sprintf(`"item":{"id":"item_a%d","object":"realtime.item","type":"message","status":%q,"role":"assistant","content":[]}`, s.response, status)
}

// begin starts an answer.
func (s *session) begin(l *rigCall) {
	s.response++
	s.answering, s.waiting, s.started = true, false, l.number
	s.say(l, fmt.Sprintf(`"type":"response.created","response":{"object":"realtime.response","id":"resp_%d","status":"in_progress","status_details":null,"output":[],"usage":null}`, s.response))
	s.say(l, fmt.Sprintf(`"type":"response.output_item.added","response_id":"resp_%d","output_index":0,%s`, s.response, s.item("in_progress")))
	s.say(l, `"type":"conversation.item.added","previous_item_id":null,`+s.item("in_progress"))
	s.say(l, fmt.Sprintf(`"type":"response.content_part.added","response_id":"resp_%d","item_id":"item_a%d","output_index":0,"content_index":0,"part":{"type":"audio","transcript":""}`, s.response, s.response))
	s.prefix = append(s.prefix[:0], `{"type":"response.output_audio.delta","event_id":"event_`...)
	s.middle = fmt.Appendf(s.middle[:0], `","response_id":"resp_%d","item_id":"item_a%d","output_index":0,"content_index":0,"delta":"`, s.response, s.response)
}

// cancel ends the answer.
func (s *session) cancel(l *rigCall, reason string) {
	s.answering = false
	at := fmt.Sprintf(`"response_id":"resp_%d","item_id":"item_a%d","output_index":0,"content_index":0`, s.response, s.response)
	s.say(l, `"type":"response.output_audio.done",`+at)
	s.say(l, `"type":"response.output_audio_transcript.done",`+at+`,"transcript":""`)
	s.say(l, fmt.Sprintf(`"type":"response.output_item.done","response_id":"resp_%d","output_index":0,%s`, s.response, s.item("incomplete")))
	tokens := (l.number - s.started) * 20 / 50
	s.say(l, fmt.Sprintf(`"type":"response.done","response":{"object":"realtime.response","id":"resp_%d","status":"cancelled","status_details":{"type":"cancelled","reason":%q},"output":[],"usage":{"total_tokens":%d,"input_tokens":0,"output_tokens":%d,"input_token_details":{"text_tokens":0,"audio_tokens":0,"cached_tokens":0},"output_token_details":{"text_tokens":0,"audio_tokens":%d}}}`, s.response, reason, tokens, tokens, tokens))
}

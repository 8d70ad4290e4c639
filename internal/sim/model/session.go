package model

import (
	"encoding/json"
	"maps"
	"time"
)

// format is an audio encoding on one side of a session.
type format struct {
	name       string // audio/pcmu, audio/pcma or audio/pcm (24 kHz, 16 bit)
	bytesPerMs int
}

// config is what the running session needs of its settings.
type config struct {
	in, out       format
	vad           *vadConfig // nil: the client commits
	transcription string     // model; "" for none
	audio         bool       // answers are spoken
	speed         float64    // of the voice, 0.25…1.5
}

type vadConfig struct {
	threshold      float64 // 0…1
	prefixMs       int
	silenceMs      int
	createResponse bool
	interrupt      bool
	idle           time.Duration // 0: none
}

func defaultSession(id, model string, expires time.Time) map[string]any {
	return toMap(members{
		"type": "realtime", "object": "realtime.session", "id": id, "model": model, "expires_at": expires.Unix(),
		"output_modalities": []string{"audio"},
		"instructions":      "You are Parley's simulated model.",
		"tools":             []any{}, "tool_choice": "auto", "max_output_tokens": "inf", "truncation": "auto",
		"tracing": nil, "prompt": nil, "include": nil,
		"audio": members{
			"input": members{
				"format": members{"type": "audio/pcm", "rate": 24000}, "transcription": nil, "noise_reduction": nil,
				"turn_detection": defaultVAD(),
			},
			"output": members{"format": members{"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1},
		},
	})
}

func defaultVAD() map[string]any {
	return toMap(members{"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500,
		"create_response": true, "interrupt_response": true, "idle_timeout_ms": nil})
}

// updateSession applies the members that are present, all or none.
func (c *Conn) updateSession(update map[string]any) *apiError {
	if m, ok := update["model"]; ok && m != c.session["model"] {
		return refuse("invalid_value", "session.model", "Cannot change the model of a session; it is '%v'.", c.session["model"])
	}
	next := maps.Clone(c.session)
	for name, value := range update {
		if name != "audio" {
			next[name] = value
			continue
		}
		audio := maps.Clone(c.session["audio"].(map[string]any))
		for side, settings := range value.(map[string]any) {
			merged := maps.Clone(audio[side].(map[string]any))
			maps.Copy(merged, settings.(map[string]any))
			audio[side] = merged
		}
		next["audio"] = audio
	}
	if err := c.refuseUpdate(update, next); err != nil {
		return err
	}
	completeVAD(next)
	completePCM(next, "input")
	completePCM(next, "output")
	before := c.cfg
	c.session, c.cfg = next, configOf(next)
	if before.in != c.cfg.in || !sameVAD(before.vad, c.cfg.vad) {
		c.input.configure(c.cfg)
	}
	c.send("session.updated", members{"session": c.session})
	return nil
}

// refuseUpdate holds the rules that concern more than one member or the state of the session.
func (c *Conn) refuseUpdate(update, next map[string]any) *apiError {
	voiceNow, voiceNext := member(c.session, "audio", "output", "voice"), member(next, "audio", "output", "voice")
	if id := stringAt(voiceNext, "id"); id != "" {
		return refuse("invalid_value", "session.audio.output.voice", "Custom voice '%s' not found.", id)
	}
	if c.spoken && voiceNext != voiceNow {
		return refuse("cannot_update_voice", "session.audio.output.voice", "Cannot update a conversation's voice if assistant audio is present.")
	}
	if c.active != nil && member(update, "audio", "output", "speed") != nil &&
		member(next, "audio", "output", "speed") != member(c.session, "audio", "output", "speed") {
		return refuse("invalid_value", "session.audio.output.speed", "Cannot update the speed while a response is in progress.")
	}
	t := member(update, "audio", "input", "transcription")
	switch model := stringAt(t, "model"); {
	case t == nil:
	case model == "":
		return refuse("missing_required_parameter", "session.audio.input.transcription.model", "Missing required parameter: 'session.audio.input.transcription.model'.")
	case model != "gpt-transcribe" && model != "gpt-live-transcribe" && (member(t, "languages") != nil || member(t, "keywords") != nil):
		return refuse("invalid_value", "session.audio.input.transcription", "Languages and keywords are not supported by the transcription model '%s'.", model)
	case model != "gpt-realtime-whisper" && member(t, "delay") != nil:
		return refuse("invalid_value", "session.audio.input.transcription.delay", "Delay is not supported by the transcription model '%s'.", model)
	case model == "gpt-realtime-whisper" && member(t, "prompt") != nil:
		return refuse("invalid_value", "session.audio.input.transcription.prompt", "A prompt is not supported by the transcription model '%s'.", model)
	}
	return nil
}

// completeVAD fills in the defaults of a turn detection that was given in part.
func completeVAD(session map[string]any) {
	in := member(session, "audio", "input").(map[string]any)
	given, ok := in["turn_detection"].(map[string]any)
	if !ok {
		return
	}
	full := defaultVAD()
	if given["type"] == "semantic_vad" {
		full = map[string]any{"eagerness": "auto", "create_response": true, "interrupt_response": true}
	}
	maps.Copy(full, given)
	in["turn_detection"] = full
}

func completePCM(session map[string]any, side string) {
	s := member(session, "audio", side).(map[string]any)
	if f, ok := s["format"].(map[string]any); ok && f["type"] == "audio/pcm" && f["rate"] == nil {
		s["format"] = map[string]any{"type": "audio/pcm", "rate": json.Number("24000")}
	}
}

func configOf(session map[string]any) config {
	cfg := config{
		in:            formatOf(member(session, "audio", "input", "format")),
		out:           formatOf(member(session, "audio", "output", "format")),
		transcription: stringAt(session, "audio", "input", "transcription", "model"),
	}
	if n, ok := member(session, "audio", "output", "speed").(json.Number); ok {
		cfg.speed, _ = n.Float64()
	}
	cfg.audio = speaks(session["output_modalities"])
	td, ok := member(session, "audio", "input", "turn_detection").(map[string]any)
	if !ok {
		return cfg
	}
	v := &vadConfig{threshold: 0.5, prefixMs: 300, createResponse: td["create_response"] == true, interrupt: td["interrupt_response"] == true}
	if td["type"] == "server_vad" {
		n, _ := td["threshold"].(json.Number)
		v.threshold, _ = n.Float64()
		v.prefixMs = intAt(td, "prefix_padding_ms")
		v.silenceMs = intAt(td, "silence_duration_ms")
		v.idle = time.Duration(intAt(td, "idle_timeout_ms")) * time.Millisecond
	} else {
		// The real one listens for the end of a thought, at most 8, 4 or 2 s. Energy alone cannot: a fixed wait.
		v.silenceMs = map[string]int{"low": 1600, "medium": 900, "auto": 900, "high": 500}[stringAt(td, "eagerness")]
	}
	cfg.vad = v
	return cfg
}

func formatOf(v any) format {
	switch name := stringAt(v, "type"); name {
	case "audio/pcmu", "audio/pcma":
		return format{name, 8}
	}
	return format{"audio/pcm", 48}
}

func speaks(modalities any) bool {
	l, _ := modalities.([]any)
	return len(l) == 1 && l[0] == "audio"
}

func sameVAD(a, b *vadConfig) bool {
	return a == b || a != nil && b != nil && *a == *b
}

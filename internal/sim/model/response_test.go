package model

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func (c *client) refused(raw, want string) {
	c.t.Helper()
	c.send(raw)
	for {
		m := c.next()
		if m["type"] == "error" {
			e := m["error"].(map[string]any)
			if !strings.Contains(e["message"].(string), want) && e["code"] != want {
				c.t.Errorf("refused with %v, want %q", e, want)
			}
			return
		}
		if m["type"] == "response.done" {
			c.t.Fatalf("%s was not refused", raw)
		}
	}
}

func phone(t *testing.T, s *Server, create, interrupt bool) *client {
	t.Helper()
	c := dial(t, s)
	c.send(fmt.Sprintf(phoneSession, fmt.Sprint(create), fmt.Sprint(interrupt)))
	c.until("session.updated")
	return c
}

func status(m map[string]any) (string, string) {
	r := m["response"].(map[string]any)
	d, _ := r["status_details"].(map[string]any)
	reason, _ := d["reason"].(string)
	return r["status"].(string), reason
}

func TestGreetingIsSaid(t *testing.T) {
	t.Parallel()
	c := phone(t, start(t, quick), false, false)
	c.send(`{"type":"response.create","response":{"instructions":"Say exactly this and nothing else: “Hello, you have reached Parley.”"}}`)
	c.until("response.done")
	for _, m := range c.seen {
		if m["type"] == "response.output_audio_transcript.done" && m["transcript"] != "Hello, you have reached Parley." {
			t.Errorf("said %v", m["transcript"])
		}
	}
}

func TestBargeIn(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Speed: 20, FirstDelta: -1})
	c := phone(t, s, false, false)
	s.Script(Say(lines[1]))
	c.send(`{"type":"response.create"}`)
	c.refused(`{"type":"response.create"}`, "conversation_already_has_active_response")
	c.refused(`{"type":"conversation.item.truncate","item_id":"item_none","content_index":0,"audio_end_ms":0}`, "item_truncate_invalid_item_id")
	first := c.until("response.output_audio.delta")
	id := first["item_id"].(string)
	c.seen = nil
	c.send(`{"type":"response.cancel"}`)
	if got, reason := status(c.until("response.done")); got != "cancelled" || reason != "client_cancelled" {
		t.Errorf("ended %s (%s)", got, reason)
	}
	types := strings.Join(c.types(), " ")
	for _, want := range []string{"delta", "response.output_audio.done", "response.output_audio_transcript.done", "response.output_item.done"} {
		if !strings.Contains(types, want) {
			t.Errorf("no %s after the cancel: %s", want, types)
		}
	}
	c.refused(`{"type":"response.cancel"}`, "response_cancel_not_active")
	truncate := `{"type":"conversation.item.truncate","item_id":"` + id + `","content_index":0,"audio_end_ms":%d}`
	c.refused(fmt.Sprintf(truncate, 600_000), "is already shorter than 600000ms")
	c.send(fmt.Sprintf(truncate, 40))
	c.until("conversation.item.truncated")
	c.refused(fmt.Sprintf(truncate, 50), "Audio content of 40ms is already shorter than 50ms")
	c.send(`{"type":"conversation.item.retrieve","item_id":"` + id + `"}`)
	item := c.until("conversation.item.retrieved")["item"].(map[string]any)
	if words := item["content"].([]any)[0].(map[string]any)["transcript"]; words != "" {
		t.Errorf("truncation kept the words %q", words)
	}
	c.refused(`{"type":"session.update","session":{"type":"realtime","audio":{"output":{"voice":"ash"}}}}`, "cannot_update_voice")
	c.send(`{"type":"conversation.item.delete","item_id":"` + id + `"}`)
	c.until("conversation.item.deleted")
}

func TestSpeechInterrupts(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Speed: 2, FirstDelta: -1})
	c := phone(t, s, false, true)
	s.Script(Say(lines[1]))
	c.send(`{"type":"response.create"}`)
	c.until("response.output_audio.delta")
	c.hear(caller())
	if got, reason := status(c.until("response.done")); got != "cancelled" || reason != "turn_detected" {
		t.Errorf("ended %s (%s)", got, reason)
	}
}

func TestToolTurn(t *testing.T) {
	t.Parallel()
	c := phone(t, start(t, quick), true, true)
	c.hear(caller())
	c.until("response.done")
	c.hear(caller())
	output := c.until("response.done")["response"].(map[string]any)["output"].([]any)
	if len(output) != 2 {
		t.Fatalf("second turn has %d items, want speech and a call", len(output))
	}
	call := output[1].(map[string]any)
	if call["type"] != "function_call" || call["name"] != "current_time" || call["arguments"] != "{}" || call["status"] != "completed" {
		t.Fatalf("call %v", call)
	}
	c.send(fmt.Sprintf(`{"type":"conversation.item.create","item":{"type":"function_call_output","call_id":%q,"output":"{\"time\":\"14:05\"}"}}`, call["call_id"]))
	c.until("conversation.item.done")
	c.seen = nil
	c.send(`{"type":"response.create"}`)
	c.until("response.done")
	for _, m := range c.seen {
		if m["type"] == "response.output_audio_transcript.done" && m["transcript"] != lineResult+" time 14:05" {
			t.Errorf("said %q", m["transcript"])
		}
	}
}

func TestManualCommitAndClear(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, quick))
	c.send(`{"type":"session.update","session":{"type":"realtime","audio":{"input":{"format":{"type":"audio/pcmu"},"turn_detection":null}}}}`)
	c.until("session.updated")
	c.hear(silence(90))
	c.refused(`{"type":"input_audio_buffer.commit"}`, "only has 90.00ms")
	c.hear(silence(20))
	c.send(`{"type":"input_audio_buffer.commit"}`)
	c.until("conversation.item.done")
	c.hear(silence(500))
	c.send(`{"type":"input_audio_buffer.clear"}`)
	c.until("input_audio_buffer.cleared")
	c.refused(`{"type":"input_audio_buffer.commit"}`, "input_audio_buffer_commit_empty")
}

func TestSpeechPositions(t *testing.T) {
	t.Parallel()
	c := phone(t, start(t, quick), false, false)
	c.hear(caller())
	started := c.until("input_audio_buffer.speech_started")
	if ms := started["audio_start_ms"].(float64); ms < 50 || ms > 250 { // 400 ms of silence less 300 of prefix
		t.Errorf("speech began at %v ms", ms)
	}
	stopped := c.until("input_audio_buffer.speech_stopped")
	end := float64(len(caller())/8) - 900 + 500
	if ms := stopped["audio_end_ms"].(float64); ms < end-200 || ms > end+20 {
		t.Errorf("speech ended at %v ms, want about %v", ms, end)
	}
	if id := c.until("input_audio_buffer.committed")["item_id"]; id != started["item_id"] {
		t.Errorf("committed %v, started %v", id, started["item_id"])
	}
	c.hear(silence(60))
	c.send(`{"type":"input_audio_buffer.clear"}`)
	c.until("input_audio_buffer.cleared")
	for _, m := range c.seen {
		if m["type"] == "response.created" {
			t.Error("answered although create_response is false")
		}
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, create   string
		reply          Reply
		status, reason string
	}{
		{"failed", `{}`, Reply{Fail: &Failure{Type: "server_error", Code: "inference_rate_limit_exceeded"}}, "failed", ""},
		{"filtered", `{}`, Reply{Incomplete: "content_filter"}, "incomplete", "content_filter"},
		{"too long", `{"max_output_tokens":10}`, Say(lines[1]), "incomplete", "max_output_tokens"},
		{"text", `{"output_modalities":["text"],"conversation":"none","metadata":{"k":"v"}}`, Say("Written words."), "completed", ""},
		{"several items", `{}`, Reply{Items: []Output{{Say: "One."}, {Say: "Two.", Pause: time.Millisecond}, {Call: &Call{"f", `{"ä":1}`}}}}, "completed", ""},
		{"pcm", `{"audio":{"output":{"format":{"type":"audio/pcm","rate":24000}}}}`, Say("One."), "completed", ""},
	}
	s := start(t, quick)
	c := phone(t, s, false, false)
	for _, tc := range cases {
		s.Script(tc.reply)
		c.send(`{"type":"response.create","response":` + tc.create + `}`)
		done := c.until("response.done")
		if got, reason := status(done); got != tc.status || reason != tc.reason {
			t.Errorf("%s: %s (%s), want %s (%s)", tc.name, got, reason, tc.status, tc.reason)
		}
		if n := len(done["response"].(map[string]any)["output"].([]any)); n != len(tc.reply.Items) {
			t.Errorf("%s: %d items", tc.name, n)
		}
	}
}

func TestTranscripts(t *testing.T) {
	t.Parallel()
	opt := quick
	opt.TranscriptAfterResponse = true
	s := start(t, opt)
	c := phone(t, s, true, true)
	c.hear(caller())
	c.until("response.done")
	for _, m := range c.seen {
		if strings.HasPrefix(m["type"].(string), "conversation.item.input_audio_transcription") {
			t.Error("the transcript came before the response was done")
		}
	}
	done := c.until("conversation.item.input_audio_transcription.completed")
	if !strings.HasPrefix(done["transcript"].(string), "(simulated transcript: ") {
		t.Errorf("transcript %q", done["transcript"])
	}
	s.Configure(func(o *Options) { o.TranscriptAfterResponse, o.FailTranscription = false, true })
	c = phone(t, s, false, false)
	c.hear(caller())
	c.until("conversation.item.input_audio_transcription.failed")
}

func TestEnds(t *testing.T) {
	t.Parallel()
	s := start(t, quick)
	c := phone(t, s, false, false)
	s.Conns()[0].Expire()
	if m := c.next(); m["type"] != "error" || m["error"].(map[string]any)["code"] != "session_expired" {
		t.Errorf("got %v", m)
	}
	if _, _, err := c.ws.Read(c.ctx); err == nil || !strings.Contains(err.Error(), "StatusGoingAway") {
		t.Errorf("closed with %v, want 1001", err)
	}
	c = phone(t, s, false, false)
	s.Script(Reply{Items: []Output{{Say: "One."}}, Drop: true})
	c.send(`{"type":"response.create"}`)
	for {
		_, raw, err := c.ws.Read(c.ctx)
		if err != nil {
			break
		}
		var m map[string]any
		if _ = json.Unmarshal(raw, &m); m["type"] == "response.done" {
			t.Fatal("the response was done although the connection was to be cut")
		}
	}
	if err := s.WaitConns(c.ctx, 0); err != nil {
		t.Error(err)
	}
}

func TestOutOfBand(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Speed: 3, FirstDelta: -1})
	c := phone(t, s, false, false)
	s.Script(Say(lines[1]), Say(lines[1]))
	c.send(`{"type":"response.create"}`)
	inBand := c.until("response.created")["response"].(map[string]any)
	c.send(`{"type":"response.create","response":{"conversation":"none","output_modalities":["text"],"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Summarize."}]}]}}`)
	out := c.until("response.created")["response"].(map[string]any)
	if out["conversation_id"] != nil || inBand["conversation_id"] == nil {
		t.Errorf("conversation ids %v and %v", inBand["conversation_id"], out["conversation_id"])
	}
	c.send(fmt.Sprintf(`{"type":"response.cancel","response_id":%q}`, out["id"]))
	done := c.until("response.done")
	if got := done["response"].(map[string]any)["id"]; got != out["id"] {
		t.Fatalf("the cancel of %v ended %v", out["id"], got)
	}
	c.send(`{"type":"response.cancel"}`)
	if got := c.until("response.done")["response"].(map[string]any)["id"]; got != inBand["id"] {
		t.Errorf("ended %v, want %v", got, inBand["id"])
	}
}

func TestSemanticVAD(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, quick))
	c.send(`{"type":"session.update","session":{"type":"realtime","audio":{"input":{"format":{"type":"audio/pcmu"},"turn_detection":{"type":"semantic_vad","eagerness":"low"}}}}}`)
	c.until("session.updated")
	c.hear(caller()) // 900 ms of silence are not enough at low eagerness
	c.hear(silence(600))
	c.send(`{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"x"}]}}`)
	c.until("conversation.item.done")
	if strings.Contains(strings.Join(c.types(), " "), "speech_stopped") {
		t.Error("the turn ended before 1600 ms of silence")
	}
	c.hear(silence(300))
	c.until("input_audio_buffer.speech_stopped")
	c.until("response.done")
}

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	s := start(t, quick)
	c := dial(t, s)
	c.send(`{"type":"session.update","session":{"type":"realtime","audio":{"input":{"format":{"type":"audio/pcmu"},"turn_detection":{"type":"server_vad","idle_timeout_ms":5000}}}}}`)
	c.until("session.updated")
	s.Script(Say("One."))
	c.send(`{"type":"response.create"}`)
	c.until("response.done")
	conn := s.Conns()[0]
	armed := make(chan time.Time, 1)
	conn.ask(func() {
		armed <- conn.idle.at
		conn.idle.do() // as after five seconds
	})
	if in := time.Until(<-armed); in < 4*time.Second || in > 7*time.Second {
		t.Errorf("armed for %v, want 5 s after the end of playback", in)
	}
	c.until("input_audio_buffer.timeout_triggered")
	c.until("input_audio_buffer.committed")
	c.until("response.done")
}

func TestThreshold(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, quick))
	set := `{"type":"session.update","session":{"type":"realtime","audio":{"input":{"format":{"type":"audio/pcmu"},"turn_detection":{"type":"server_vad","threshold":%v,"create_response":false}}}}}`
	c.send(fmt.Sprintf(set, 1))
	c.until("session.updated")
	c.hear(caller())
	c.send(fmt.Sprintf(set, 0.5))
	c.until("session.updated")
	if strings.Contains(strings.Join(c.types(), " "), "speech_started") {
		t.Error("ordinary speech passes the highest threshold")
	}
	click := append(silence(100), []byte(strings.Repeat("\x00", 8*30))...) // 30 ms at full scale
	c.hear(append(click, silence(600)...))
	c.send(fmt.Sprintf(set, 0.4))
	c.until("session.updated")
	if strings.Contains(strings.Join(c.types(), " "), "speech_started") {
		t.Error("a click counts as speech")
	}
	c.hear(caller())
	c.until("input_audio_buffer.speech_stopped")
}

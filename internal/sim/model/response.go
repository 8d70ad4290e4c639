package model

import (
	"encoding/json"
	"slices"
	"time"
)

// response is one response in progress: a list of steps that are taken one after the other.
type response struct {
	id     string
	params map[string]any
	out    bool // out of band: nothing of it enters the conversation
	audio  bool
	format format
	reply  Reply
	steps  []step
	timer  *task
	items  []*item // opened so far
	open   *item   // the one being generated
	ending bool    // cancelled, sending its last deltas
	began  time.Time
	sentMs int
	tokens int  // output tokens planned, against max_output_tokens
	cut    bool // by max_output_tokens
}

// step is something the response does after waiting.
type step struct {
	wait  time.Duration
	delta bool // a delta: what still comes after a cancel
	do    func()
}

// createResponse serves response.create.
func (c *Conn) createResponse(params map[string]any) *apiError {
	out := params["conversation"] == "none"
	if !out && c.active != nil {
		return refuse("conversation_already_has_active_response", "", "Conversation already has an active response in progress: %s. Wait until the response is finished before creating a new one.", c.active.id)
	}
	if id := stringAt(params, "audio", "output", "voice", "id"); id != "" {
		return refuse("invalid_value", "response.audio.output.voice", "Custom voice '%s' not found.", id)
	}
	if v := member(params, "audio", "output", "voice"); v != nil && c.spoken && v != member(c.session, "audio", "output", "voice") {
		return refuse("cannot_update_voice", "response.audio.output.voice", "Cannot update a conversation's voice if assistant audio is present.")
	}
	for _, ref := range inputs(params) {
		if stringAt(ref, "type") == "item_reference" && c.find(stringAt(ref, "id")) == nil {
			return refuse("invalid_value", "response.input", "Item with id '%s' not found.", stringAt(ref, "id"))
		}
	}
	c.startResponse(params, out)
	return nil
}

// autoResponse answers a turn of the caller when create_response is on.
func (c *Conn) autoResponse() {
	switch {
	case c.active == nil:
		c.startResponse(nil, false)
	case c.active.ending:
		c.autoNext = true
	default:
		c.sendError(c.createResponse(nil), "")
	}
}

func inputs(params map[string]any) []any {
	l, _ := params["input"].([]any)
	return l
}

func (c *Conn) startResponse(params map[string]any, out bool) {
	c.forget(c.idle)
	c.responses++
	r := &response{id: c.srv.id("resp"), params: params, out: out, audio: c.cfg.audio, format: c.cfg.out, began: time.Now()}
	if m, ok := params["output_modalities"]; ok {
		r.audio = speaks(m)
	}
	if f := member(params, "audio", "output", "format"); f != nil {
		r.format = formatOf(f)
	}
	if out {
		c.side = append(c.side, r)
	} else {
		c.active = r
	}
	r.reply = c.decide(r)
	c.send("response.created", members{"response": c.responseJSON(r, "in_progress", nil, nil)})
	tokens := members{"name": "tokens", "limit": 40000, "remaining": 39000, "reset_seconds": 1.5}
	if r.reply.ResetSeconds > 0 {
		tokens["remaining"], tokens["reset_seconds"] = 0, r.reply.ResetSeconds
	}
	c.send("rate_limits.updated", members{"rate_limits": []any{
		members{"name": "requests", "limit": 1000, "remaining": 999, "reset_seconds": 0.06}, tokens,
	}})
	c.plan(r)
	c.schedule(r)
}

// decide asks the scripts, then the brain.
func (c *Conn) decide(r *response) Reply {
	c.mu.Lock()
	reply, ok := shift(&c.script)
	c.mu.Unlock()
	if ok {
		return reply
	}
	if reply, ok := c.srv.scripted(); ok {
		return reply
	}
	return c.opt.Brain.Reply(c.turn(r))
}

func (c *Conn) turn(r *response) Turn {
	t := Turn{Conn: c, Number: c.responses, Instructions: stringAt(c.session, "instructions"), Metadata: map[string]string{}}
	if s, ok := r.params["instructions"].(string); ok {
		t.Instructions, t.Asked = s, true
	}
	choice := c.setting(r, "tool_choice")
	if list, ok := c.setting(r, "tools").([]any); ok && choice != "none" {
		for _, v := range list {
			if stringAt(v, "type") == "function" {
				parameters, _ := member(v, "parameters").(map[string]any)
				t.Tools = append(t.Tools, Tool{Name: stringAt(v, "name"), Parameters: parameters})
			}
		}
	}
	if t.Forced = stringAt(choice, "name"); choice == "required" && len(t.Tools) > 0 {
		t.Forced = t.Tools[0].Name
	}
	context := c.context(r)
	for _, it := range context {
		if it.role() == "user" {
			t.UserTurns++
			t.UserText = it.typed()
		}
		if role := it.role(); role == "user" || role == "assistant" || role == "system" {
			t.Messages = append(t.Messages, Line{role, it.words + it.typed()})
		}
		if it.body != nil && it.body["type"] == "function_call_output" {
			t.Outputs = append(t.Outputs, stringAt(it.body, "output"))
		}
	}
	if n := len(context); n > 0 && context[n-1].body != nil && context[n-1].body["type"] == "function_call_output" {
		t.ToolOutput, t.HasOutput = stringAt(context[n-1].body, "output"), true
	}
	for k, v := range toMap(r.params["metadata"]) {
		t.Metadata[k], _ = v.(string)
	}
	return t
}

// context is what the response reads: the conversation, or the items given with response.create.
func (c *Conn) context(r *response) []*item {
	if _, given := r.params["input"]; !given {
		return slices.DeleteFunc(slices.Clone(c.items), func(it *item) bool { return it.status == "in_progress" })
	}
	var items []*item
	for _, v := range inputs(r.params) {
		if stringAt(v, "type") == "item_reference" {
			items = append(items, c.find(stringAt(v, "id")))
			continue
		}
		body, _ := v.(map[string]any)
		items = append(items, &item{body: body, status: "completed"})
	}
	return items
}

// setting is a member of response.create, or else of the session.
func (c *Conn) setting(r *response, name string) any {
	if v, ok := r.params[name]; ok {
		return v
	}
	return c.session[name]
}

// schedule arms the timer for the response's next step.
func (c *Conn) schedule(r *response) {
	c.forget(r.timer)
	r.timer = nil
	if len(r.steps) == 0 {
		return
	}
	r.timer = c.after(r.steps[0].wait, func() {
		for len(r.steps) > 0 && c.err == nil {
			s := r.steps[0]
			r.steps = r.steps[1:]
			s.do()
			if len(r.steps) > 0 && r.steps[0].wait > 0 {
				break
			}
		}
		c.schedule(r)
	})
}

// cancelByClient serves response.cancel.
func (c *Conn) cancelByClient(id string) *apiError {
	r := c.active
	for _, o := range c.side {
		if o.id == id {
			r = o
		}
	}
	if r == nil || r.ending || id != "" && id != r.id {
		return refuse("response_cancel_not_active", "", "Cancellation failed: no active response found")
	}
	c.cancel(r, "client_cancelled")
	return nil
}

// cancel lets a few more deltas out, as the real API does because they are on their way, then closes the open
// item as incomplete and ends the response.
func (c *Conn) cancel(r *response, reason string) {
	r.ending = true
	late := c.opt.LateDeltas
	if r.reply.LateDeltas != 0 {
		late = r.reply.LateDeltas
	}
	var last []step
	for _, s := range r.steps {
		if !s.delta || len(last) >= late {
			break
		}
		s.wait = 4 * time.Millisecond
		last = append(last, s)
	}
	r.steps = append(last, step{do: func() {
		if r.open != nil {
			c.closeItem(r, "incomplete")
		}
		c.finish(r, "cancelled", members{"type": "cancelled", "reason": reason})
	}})
	c.schedule(r)
}

// finish sends response.done, whatever the outcome.
func (c *Conn) finish(r *response, status string, details members) {
	usage := c.usage(r)
	if status == "failed" {
		usage = emptyUsage()
	}
	if c.active == r {
		c.active = nil
	}
	c.side = slices.DeleteFunc(c.side, func(o *response) bool { return o == r })
	r.steps = nil
	c.send("response.done", members{"response": c.responseJSON(r, status, details, usage)})
	for _, do := range c.held {
		c.after(20*time.Millisecond, do)
	}
	c.held = nil
	c.watchIdle(max(0, time.Duration(r.sentMs)*time.Millisecond-time.Since(r.began)))
	if c.autoNext && c.active == nil {
		c.autoNext = false
		c.startResponse(nil, false)
	}
}

func (c *Conn) responseJSON(r *response, status string, details members, usage any) members {
	output := []any{}
	if status != "in_progress" {
		for _, it := range r.items {
			output = append(output, it.json())
		}
	}
	modality := "text"
	if r.audio {
		modality = "audio"
	}
	m := members{"id": r.id, "object": "realtime.response", "status": status, "status_details": nil, "output": output,
		"usage": usage, "metadata": r.params["metadata"], "conversation_id": "conv_sim_" + c.sessionID[len("sess_sim_"):],
		"output_modalities": []string{modality}, "max_output_tokens": c.setting(r, "max_output_tokens"),
		"audio": members{"output": members{"format": formatJSON(r.format), "voice": member(c.session, "audio", "output", "voice")}}}
	if details != nil {
		m["status_details"] = details
	}
	if r.out {
		m["conversation_id"] = nil
	}
	return m
}

func formatJSON(f format) members {
	if f.name == "audio/pcm" {
		return members{"type": f.name, "rate": 24000}
	}
	return members{"type": f.name}
}

// usage bills the whole context as input, as the real API does at every response; what the last response read
// counts as cached, in steps of 64 tokens.
func (c *Conn) usage(r *response) members {
	tools, _ := json.Marshal(c.setting(r, "tools"))
	instructions, _ := c.setting(r, "instructions").(string)
	inText, inAudio := textTokens(instructions)+textTokens(string(tools)), 0
	for _, it := range c.context(r) {
		if !slices.Contains(r.items, it) {
			t, a := it.tokens()
			inText, inAudio = inText+t, inAudio+a
		}
	}
	outText, outAudio := 0, 0
	for _, it := range r.items {
		t, a := it.tokens()
		outText, outAudio = outText+t, outAudio+a
	}
	cached := min(c.billed, inText+inAudio) / 64 * 64
	cachedText := min(cached, inText)
	c.billed = inText + inAudio
	return members{"total_tokens": inText + inAudio + outText + outAudio, "input_tokens": inText + inAudio, "output_tokens": outText + outAudio,
		"input_token_details": members{"text_tokens": inText, "audio_tokens": inAudio, "image_tokens": 0, "cached_tokens": cached,
			"cached_tokens_details": members{"text_tokens": cachedText, "audio_tokens": cached - cachedText, "image_tokens": 0}},
		"output_token_details": members{"text_tokens": outText, "audio_tokens": outAudio}}
}

func emptyUsage() members {
	return members{"total_tokens": 0, "input_tokens": 0, "output_tokens": 0,
		"input_token_details":  members{"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 0},
		"output_token_details": members{"text_tokens": 0, "audio_tokens": 0}}
}

package model

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// ChatBrain decides what a chat completion says. It serves all requests at once.
type ChatBrain interface {
	Reply(ChatTurn) ChatReply
}

// ChatTurn is what a chat brain knows.
type ChatTurn struct {
	Model    string
	Messages []ChatMessage
	Tools    []Tool
	Forced   string // the function that tool_choice demands
}

// ChatMessage is one message of the request, its text parts joined.
type ChatMessage struct{ Role, Text string }

// ChatReply is the answer to one request.
type ChatReply struct {
	Text      string
	Calls     []Call        // function calls, sent interleaved when there are several
	Finish    string        // finish_reason; default stop or tool_calls
	Delay     time.Duration // before the first chunk
	Pace      time.Duration // between chunks; default 15 ms, negative for none
	Status    int           // answers with this HTTP status instead
	Quota     bool          // 429 insufficient_quota
	FailAfter int           // sends an error object after so many chunks and ends without [DONE]
	CutAfter  int           // cuts the connection after so many chunks
	HangAfter int           // after so many chunks says nothing more until the client leaves
}

const maxChatBody = 4 << 20

// chat is the route of chat completions, streamed or not.
func (s *Server) chat(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxChatBody))
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, refuse("request_too_large", "", "The request body is too large."))
		return
	}
	body, err := parseObject(raw)
	if err != nil {
		fail(w, http.StatusBadRequest, refuse("", "", "We could not parse the JSON body of your request."))
		return
	}
	if err := checkChat(body); err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	reply, ok := s.scriptedChat()
	if !ok {
		reply = s.options().ChatBrain.Reply(chatTurn(body))
	}
	a := &answer{srv: s, w: w, r: r, body: body, reply: reply, id: s.id("chatcmpl"), created: time.Now().Unix()}
	switch {
	case reply.Quota:
		e := refuse("insufficient_quota", "", "You exceeded your current quota, please check your plan and billing details.")
		e.Type = "insufficient_quota"
		fail(w, http.StatusTooManyRequests, e)
	case reply.Status == http.StatusUnauthorized:
		fail(w, reply.Status, refuse("invalid_api_key", "", "Incorrect API key provided: ***. You can find your API key at https://platform.openai.com/account/api-keys."))
	case reply.Status != 0:
		failStatus(w, reply.Status)
	case !wait(r, reply.Delay):
	case body["stream"] == true:
		a.stream()
	default:
		a.whole()
	}
}

// answer is one completion on its way out.
type answer struct {
	srv     *Server
	w       http.ResponseWriter
	r       *http.Request
	body    map[string]any
	reply   ChatReply
	id      string
	created int64
	chunks  int
}

// wait pauses; false when the client or the server has gone.
func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return r.Context().Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (a *answer) finish() string {
	switch {
	case a.reply.Finish != "":
		return a.reply.Finish
	case len(a.reply.Calls) == 0:
		return "stop"
	case member(a.body, "tool_choice", "type") == "function": // a forced function reports stop
		return "stop"
	}
	return "tool_calls"
}

func (a *answer) usage() members {
	prompt, _ := json.Marshal(member(a.body, "messages"))
	tools, _ := json.Marshal(member(a.body, "tools"))
	in, out := textTokens(string(prompt))+textTokens(string(tools)), textTokens(a.reply.Text)
	for _, c := range a.reply.Calls {
		out += textTokens(c.Name + c.Arguments)
	}
	return members{"prompt_tokens": in, "completion_tokens": out, "total_tokens": in + out,
		"prompt_tokens_details":     members{"cached_tokens": 0, "audio_tokens": 0},
		"completion_tokens_details": members{"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}}
}

func (a *answer) whole() {
	message := members{"role": "assistant", "content": nil, "refusal": nil}
	if a.reply.Text != "" {
		message["content"] = a.reply.Text
	}
	var calls []members
	for _, c := range a.reply.Calls {
		calls = append(calls, members{"id": a.srv.id("call"), "type": "function", "function": members{"name": c.Name, "arguments": c.Arguments}})
	}
	if calls != nil {
		message["tool_calls"] = calls
	}
	a.w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(a.w).Encode(members{"id": a.id, "object": "chat.completion", "created": a.created, "model": a.body["model"],
		"choices": []any{members{"index": 0, "message": message, "logprobs": nil, "finish_reason": a.finish()}}, "usage": a.usage()})
}

func (a *answer) stream() {
	a.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	a.w.Header().Set("Cache-Control", "no-cache")
	if !a.delta(members{"role": "assistant", "content": "", "refusal": nil}, nil) {
		return
	}
	for i, word := range strings.SplitAfter(a.reply.Text, " ") {
		if a.reply.Text == "" {
			break
		}
		if i > 0 && !a.pause() || !a.delta(members{"content": word}, nil) {
			return
		}
	}
	if !a.calls() || !a.delta(members{}, a.finish()) {
		return
	}
	if member(a.body, "stream_options", "include_usage") == true {
		m := a.chunk()
		m["choices"], m["usage"] = []any{}, a.usage()
		if !a.emit(m) {
			return
		}
	}
	fmt.Fprint(a.w, "data: [DONE]\n\n")
	a.flush()
}

// calls streams the function calls: id and name once per index, then pieces of the arguments in turn.
func (a *answer) calls() bool {
	rest := make([]string, len(a.reply.Calls))
	for i, c := range a.reply.Calls {
		rest[i] = c.Arguments
		first := members{"index": i, "id": a.srv.id("call"), "type": "function", "function": members{"name": c.Name, "arguments": ""}}
		if !a.delta(members{"tool_calls": []any{first}}, nil) {
			return false
		}
	}
	for left := true; left; {
		left = false
		for i := range rest {
			if rest[i] == "" {
				continue
			}
			left = true
			piece := firstRunes(rest[i], 5)
			rest[i] = rest[i][len(piece):]
			if !a.pause() || !a.delta(members{"tool_calls": []any{members{"index": i, "function": members{"arguments": piece}}}}, nil) {
				return false
			}
		}
	}
	return true
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

func (a *answer) pause() bool {
	pace := a.reply.Pace
	if pace == 0 {
		pace = 15 * time.Millisecond
	}
	return wait(a.r, pace)
}

func (a *answer) chunk() members {
	m := members{"id": a.id, "object": "chat.completion.chunk", "created": a.created, "model": a.body["model"],
		"service_tier": "default", "system_fingerprint": "fp_parley_simulated"}
	if member(a.body, "stream_options", "include_usage") == true {
		m["usage"] = nil
	}
	if member(a.body, "stream_options", "include_obfuscation") != false {
		m["obfuscation"] = strings.Repeat("x", 1+a.chunks%11)
	}
	return m
}

func (a *answer) delta(d members, finish any) bool {
	m := a.chunk()
	m["choices"] = []any{members{"index": 0, "delta": d, "logprobs": nil, "finish_reason": finish}}
	return a.emit(m)
}

// emit sends one chunk, or the failure that was asked for instead; false ends the stream.
func (a *answer) emit(m members) bool {
	switch {
	case a.reply.FailAfter > 0 && a.chunks == a.reply.FailAfter:
		fmt.Fprint(a.w, `data: {"error":{"message":"The server had an error while processing your request. Sorry about that!","type":"server_error","param":null,"code":null}}`+"\n\n")
		a.flush()
		return false
	case a.reply.CutAfter > 0 && a.chunks == a.reply.CutAfter:
		a.flush()
		panic(http.ErrAbortHandler) // the documented way to cut a connection
	case a.reply.HangAfter > 0 && a.chunks == a.reply.HangAfter:
		<-a.r.Context().Done()
		return false
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return false
	}
	if _, err := fmt.Fprintf(a.w, "data: %s\n\n", raw); err != nil {
		return false
	}
	a.chunks++
	a.flush()
	return a.r.Context().Err() == nil
}

func (a *answer) flush() { _ = http.NewResponseController(a.w).Flush() }

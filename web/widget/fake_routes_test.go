package widget_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

func (f *fake) session(w http.ResponseWriter, r *http.Request, token string, v *visitor) {
	var in struct {
		AgentID, Ticket string
		Visitor         *struct{ JWT, Name, Email string }
	}
	f.read(r, &in)
	if in.AgentID != agentID {
		f.wrong("the agent %q", in.AgentID)
	}
	if r.Header.Get("Origin") == f.srv.URL && in.Ticket != "ticket" {
		f.wrong("no ticket from Parley's own page")
	}
	if v == nil {
		v = &visitor{id: f.id(), conversation: &conversation{posted: map[string]posted{}, runs: map[string]*run{}}}
	}
	if in.Visitor != nil {
		v.name, v.verified = in.Visitor.Name, in.Visitor.JWT != ""
		if v.verified {
			v.name = "Ada"
		}
	}
	delete(f.tokens, token)
	f.last++
	token = "token-" + strconv.Itoa(f.last)
	f.tokens[token] = v
	c := v.conversation
	var active any
	if c.run != nil {
		active = map[string]any{"runId": c.run.id}
	}
	f.ok(w, 201, map[string]any{
		"token": token, "expiresAt": time.Now().Add(time.Hour).UTC(), "visitorId": v.id, "conversationId": v.id, "config": f.config,
		"messages": append([]message{}, c.messages...), "activeRun": active, "visitor": map[string]any{"name": v.name, "verified": v.verified},
	})
}

func (f *fake) post(w http.ResponseWriter, r *http.Request, c *conversation) {
	var in struct {
		ClientMessageID, Text string
		ClientTools           []string
	}
	f.read(r, &in)
	if len(in.ClientMessageID) != 36 || in.Text == "" || in.Text != strings.TrimSpace(in.Text) {
		f.wrong("the message %+v", in)
	}
	if p, ok := c.posted[in.ClientMessageID]; ok {
		if p.text != in.Text {
			f.wrong("another text for the id %s", in.ClientMessageID)
		}
		f.ok(w, 202, map[string]any{"runId": p.run, "messageId": p.message})
		return
	}
	if c.run != nil {
		f.refused(w, refusal{status: 409, kind: "conflict", text: "The assistant is still answering."})
		return
	}
	run, id := f.start(c, in.Text), f.id()
	c.messages = append(c.messages, message{ID: id, Role: "user", Text: in.Text, At: now(), Status: "completed", RunID: run.id})
	c.posted[in.ClientMessageID] = posted{in.Text, run.id, id}
	f.ok(w, 202, map[string]any{"runId": run.id, "messageId": id})
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// start plays an answer in a goroutine, which ends with the run or with the test.
func (f *fake) start(c *conversation, question string) *run {
	r := &run{id: f.id(), question: question}
	c.run, c.runs[r.id] = r, r
	script := f.answer(question)
	go func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		text, status := "", "completed"
		for _, s := range script {
			for s.wait && f.gate == 0 && !r.stopped && !f.ended {
				f.changed.Wait()
			}
			if r.stopped || f.ended {
				status = "stopped"
				break
			}
			if s.wait {
				f.gate--
				continue
			}
			if s.event == "error" {
				status = "failed"
			}
			if s.event == "message.delta" {
				text += s.data["text"].(string)
			}
			r.steps = append(r.steps, s)
			f.changed.Broadcast()
		}
		id := f.id()
		if status != "failed" {
			r.steps = append(r.steps, step{event: "message.completed", data: map[string]any{"messageId": id, "text": text}})
		}
		r.steps = append(r.steps, step{event: "run.completed", data: map[string]any{"status": status}})
		c.messages = append(c.messages, message{ID: id, Role: "assistant", Text: text, At: now(), Status: status, RunID: r.id})
		c.run = nil
		f.changed.Broadcast()
	}()
	return r
}

func (f *fake) feedback(w http.ResponseWriter, r *http.Request, c *conversation) {
	var in struct{ MessageID, Rating, Comment string }
	f.read(r, &in)
	i := slices.IndexFunc(c.messages, func(m message) bool { return m.ID == in.MessageID && m.Role == "assistant" })
	if i < 0 || in.Rating != "up" && in.Rating != "down" {
		f.wrong("the feedback %+v", in)
		return
	}
	c.messages[i].Rating = in.Rating
	f.comment = in.Comment
	f.ok(w, 200, map[string]any{})
}

// events streams with the ids of ADR 6, beginning after Last-Event-ID.
func (f *fake) events(w http.ResponseWriter, r *http.Request, _ *conversation, run *run) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	after, _ := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	gone := false
	defer func() { _ = gone }()
	go func() { // wakes the loop below when the reader leaves
		<-r.Context().Done()
		f.with(func() { gone = true })
	}()
	id, chars, at := 0, 0, 0
	for {
		for at < len(run.steps) {
			s := run.steps[at]
			at++
			data := s.data
			if s.event == "message.delta" {
				text := s.data["text"].(string)
				begin := chars
				chars += utf8.RuneCountInString(text)
				if chars > id {
					id = chars
				} else {
					id++
				}
				if begin < after && id > after { // the rest of what it has read in part
					data = map[string]any{"text": string([]rune(text)[after-begin:])}
				}
			} else {
				id++
			}
			if id <= after {
				continue
			}
			body, _ := json.Marshal(data)
			_, _ = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", id, s.event, body)
			w.(http.Flusher).Flush()
			if s.event == "run.completed" {
				return
			}
		}
		if gone || f.ended || f.dead {
			return
		}
		_, _ = io.WriteString(w, ": still here\n\n")
		w.(http.Flusher).Flush()
		f.changed.Wait()
	}
}

func (f *fake) read(r *http.Request, into any) {
	if r.Header.Get("Content-Type") != "application/json" {
		f.wrong("%s with the type %q", r.URL.Path, r.Header.Get("Content-Type"))
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		f.wrong("the body of %s: %v", r.URL.Path, err)
	}
}

func (f *fake) ok(w http.ResponseWriter, status int, data any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"success": true, "data": data})
}

func (f *fake) refused(w http.ResponseWriter, no refusal) {
	w.Header().Set("Content-Type", "application/json")
	if no.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(no.retryAfter))
	}
	w.WriteHeader(no.status)
	_ = json.NewEncoder(w).Encode(map[string]any{"success": false, "error": map[string]any{"code": no.status, "type": no.kind, "message": no.text}})
}

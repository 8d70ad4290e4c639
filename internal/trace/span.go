// Package trace turns the log of a call that has ended into an OpenTelemetry trace and sends it to a collector
// (ADR 12).
//
// A trace is made after the call and beside it: nothing of it runs while people talk. It holds times, numbers and
// ids, never what anybody said, what a tool was given or answered, or a phone number.
package trace

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"parley"
)

// Span is one operation of a call.
type Span struct {
	TraceID, ID, Parent string // 32 and 16 hexadecimal digits; no Parent at the root
	Name                string
	Start, End          time.Time
	Attributes          map[string]any // string, int64, float64 or bool
	Failed              string         // why, in one word; "" = it went well
	Events              []Event
}

// Event is a moment within a span.
type Event struct {
	Name       string
	At         time.Time
	Attributes map[string]any
}

// Spans reads the spans of a conversation from its whole log: the call, its media streams, the sessions of the model,
// the caller's turns and the tool calls. The trace's id is the conversation's, and the spans' ids follow from the
// log: a call that was taken up again and ended twice gives the same ones.
func Spans(conv parley.Conversation, events []parley.Event) []Span {
	if len(events) == 0 {
		return nil
	}
	b := &builder{conv: conv, trace: strings.ReplaceAll(conv.ID, "-", ""), end: events[len(events)-1].At, tools: map[string]int{}, turns: map[string]int{}, answers: map[string]string{}}
	b.call(events[0].At)
	for _, e := range events {
		b.apply(e)
	}
	b.close(&b.stream, b.end)
	b.close(&b.model, b.end)
	return b.spans
}

type builder struct {
	conv    parley.Conversation
	trace   string
	end     time.Time
	spans   []Span
	stream  int               // index of the open span, 0 = none: the call itself has 0
	model   int               // likewise
	tools   map[string]int    // call id → span
	turns   map[string]int    // response id → span of the turn that it answers
	answers map[string]string // item id → response id
}

// open adds a span. Its id is made of the conversation's and of what it stands for.
func (b *builder) open(seq int64, name, parent string, start time.Time) int {
	b.spans = append(b.spans, Span{
		TraceID: b.trace, ID: spanID(b.trace, name, seq), Parent: parent, Name: name, Start: start, End: b.end, Attributes: map[string]any{},
	})
	return len(b.spans) - 1
}

func spanID(trace, name string, seq int64) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(trace+name), uint64(seq)))
	return hex.EncodeToString(sum[:8])
}

func (b *builder) close(i *int, at time.Time) {
	if *i > 0 {
		b.spans[*i].End = at
		*i = 0
	}
}

// parent is the innermost open span.
func (b *builder) parent() string {
	return b.spans[max(b.model, b.stream, 0)].ID
}

func (b *builder) call(start time.Time) {
	c := b.conv
	root := &b.spans[b.open(0, "call", "", start)]
	root.Attributes = map[string]any{
		"parley.conversation.id": c.ID, "parley.organization.id": c.OrgID, "parley.agent.id": c.AgentID,
		"parley.direction": c.Direction, "parley.end_reason": c.EndReason, "parley.simulated": c.Simulated, "parley.test": c.Test,
	}
	if parley.EndFailed(c.EndReason) {
		root.Failed = c.EndReason
	}
	if s := c.Summary; s != nil {
		root.Attributes["parley.turns"] = int64(s.Latency.Turns)
		root.Attributes["parley.cost_micro_dollars"] = s.Cost
		root.Attributes["parley.carrier_minutes"] = s.Usage.CarrierMinutes
		root.Attributes["gen_ai.usage.input_tokens"] = s.Usage.InputTokens
		root.Attributes["gen_ai.usage.output_tokens"] = s.Usage.OutputTokens
	}
}

func (b *builder) apply(e parley.Event) {
	switch e.Type {
	case parley.EventStreamStarted:
		b.close(&b.model, e.At) // if the session is kept, it goes on in the new stream
		b.close(&b.stream, e.At)
		b.stream = b.open(e.Seq, "stream", b.spans[0].ID, e.At)
		b.spans[b.stream].Attributes["parley.stream.epoch"] = read[parley.StreamStartedData](e).Epoch
	case parley.EventStreamDetached:
		if b.stream > 0 {
			b.spans[b.stream].Failed = "detached"
		}
		b.close(&b.model, e.At)
		b.close(&b.stream, e.At)
	case parley.EventStreamMeasured:
		b.measured(read[parley.StreamMeasuredData](e))
	case parley.EventModelConnected:
		d := read[parley.ModelConnectedData](e)
		b.close(&b.model, e.At)
		b.model = b.open(e.Seq, "model session", b.parent(), e.At.Add(-ms(d.Ms)))
		b.spans[b.model].Attributes["gen_ai.request.model"] = d.Model
		b.spans[b.model].Attributes["parley.connect_ms"] = d.Ms
	case "model.lost":
		if b.model > 0 {
			b.spans[b.model].Failed = read[parley.ErrorData](e).Type
		}
		b.close(&b.model, e.At)
	case "model.redialed", "model.swapped": // another session of the model takes over
		b.close(&b.model, e.At)
		b.model = b.open(e.Seq, "model session", b.parent(), e.At)
	case parley.EventTurnLatency:
		b.turn(e)
	case parley.EventToolStarted, parley.EventToolCompleted:
		b.tool(e)
	case parley.EventMessageAssistant:
		d := read[parley.MessageAssistantData](e)
		b.answers[d.ItemID] = d.ResponseID
	case parley.EventMessageHeard:
		b.heard(e)
	case parley.EventError:
		d := read[parley.ErrorData](e)
		b.note(e.At, "error", map[string]any{"error.type": d.Type, "parley.where": d.Where})
		if d.Where == "model" && b.model > 0 {
			b.spans[b.model].Failed = d.Type
		}
	case parley.EventInterruption:
		d := read[parley.InterruptionData](e)
		b.note(e.At, "interruption", map[string]any{"parley.heard_ms": d.HeardMs, "parley.cleared_ms": d.ClearedMs})
		if i, ok := b.turns[d.ResponseID]; ok {
			b.spans[i].Attributes["parley.interrupted"] = true
		}
	case parley.EventInterruptionRejected, parley.EventCostReached, parley.EventEndRequested, parley.EventReopened:
		b.note(e.At, e.Type, nil)
	}
}

func (b *builder) measured(d parley.StreamMeasuredData) {
	if b.stream == 0 {
		return
	}
	a := b.spans[b.stream].Attributes
	a["parley.frames_in"], a["parley.frames_out"], a["parley.frames_late"] = d.FramesIn, d.FramesOut, d.Late
	a["parley.underruns"], a["parley.round_trip_ms"], a["parley.lead_ms"] = int64(d.Underruns), d.RoundTrip, d.LeadMs
}

// turn begins with the end of the caller's speech, as far as the event can tell: it was written when the answer was
// heard, or could not be any more.
func (b *builder) turn(e parley.Event) {
	d := read[parley.TurnLatencyData](e)
	total, heard := d.Total()
	if !heard {
		total = d.EndpointMs + d.ResponseMs
	}
	i := b.open(e.Seq, "turn", b.parent(), e.At.Add(-ms(total)))
	b.spans[i].End = e.At
	a := b.spans[i].Attributes
	a["parley.endpoint_ms"], a["parley.create_ms"], a["parley.model_ms"] = d.EndpointMs, d.CreateMs, d.FirstByteMs
	a["parley.frame_ms"], a["parley.response_ms"], a["parley.heard"] = d.FrameMs, d.ResponseMs, heard
	if heard {
		a["parley.heard_ms"], a["parley.total_ms"] = *d.HeardMs, total
	}
	b.turns[d.ResponseID] = i
}

// heard ends a turn with what was heard last of its answer.
func (b *builder) heard(e parley.Event) {
	item, _, _ := strings.Cut(read[parley.MessageHeardData](e).ItemID, "#")
	if i, ok := b.turns[b.answers[item]]; ok {
		b.spans[i].End = e.At
	}
}

func (b *builder) tool(e parley.Event) {
	if e.Type == parley.EventToolStarted {
		d := read[parley.ToolStartedData](e)
		i := b.open(e.Seq, "tool call", b.parent(), e.At)
		b.spans[i].Attributes["gen_ai.tool.name"] = d.Name
		b.tools[d.CallID] = i
		return
	}
	d := read[parley.ToolCompletedData](e)
	if i, ok := b.tools[d.CallID]; ok {
		b.spans[i].End = e.At
		b.spans[i].Attributes["parley.outcome"] = d.Outcome
		if d.Outcome != "ok" {
			b.spans[i].Failed = d.Outcome
		}
	}
}

func (b *builder) note(at time.Time, name string, attributes map[string]any) {
	i := max(b.model, b.stream, 0)
	b.spans[i].Events = append(b.spans[i].Events, Event{name, at, attributes})
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// read decodes an event's data; our own writer made it, so a failure leaves the zero value.
func read[T any](e parley.Event) T {
	var d T
	_ = json.Unmarshal(e.Data, &d)
	return d
}

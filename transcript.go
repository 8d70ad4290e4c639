package parley

import (
	"encoding/json"
	"time"
)

// Summary is what a conversation's log says, without the words: it is stored on the row so that lists need
// not read logs.
type Summary struct {
	MessageCount int     `json:"messageCount"`
	Usage        Usage   `json:"usage"`
	Cost         int64   `json:"cost"` // micro-dollars
	Prices       string  `json:"prices,omitempty"`
	Latency      Latency `json:"latency"`
}

// Message is one line of the transcript, in the order of the conversation.
type Message struct {
	Role        string    `json:"role" enum:"user,assistant,tool" doc:"Who spoke; tool is the result of a tool call."`
	Text        string    `json:"text" doc:"All that was generated or said." example:"What are your opening hours?"`
	At          time.Time `json:"at" doc:"When it began."`
	Interrupted bool      `json:"interrupted" doc:"The other side cut it off."`
	HeardText   *string   `json:"heardText" doc:"Spoken answers: what the caller heard of it; null when that is not known."`
	// Feedback is of answers in chats.
	Feedback *MessageFeedback `json:"feedback,omitempty" doc:"What the visitor thinks of an answer, when it has said so."`
}

// MessageFeedback is a visitor's judgment of an answer.
type MessageFeedback struct {
	Rating  Rating    `json:"rating" enum:"up,down" doc:"Whether it was good."`
	Comment string    `json:"comment" doc:"In the visitor's words; may be empty." example:"That was quick."`
	At      time.Time `json:"at" doc:"When it was said."`
}

// ToolCall is one run of a tool.
type ToolCall struct {
	ID        string          `json:"id" example:"call_7Hq2"`
	Name      string          `json:"name" doc:"The tool, as the model calls it." example:"current_time"`
	Arguments json.RawMessage `json:"arguments" doc:"What the model gave: an object, or a string when it was not JSON." example:"{\"timezone\":\"Europe/Helsinki\"}"`
	Result    *string         `json:"result" doc:"What the model was told; null while it runs, or when that is not known." example:"12:30"`
	Outcome   string          `json:"outcome" doc:"How it ended: ok, error, timeout, unknown_tool, invalid_arguments, refused (a limit of the server) or unconfirmed (the person had not agreed); empty while it runs." example:"ok"`
	Ms        int64           `json:"durationMs" doc:"How long it ran." example:"12"`
	At        time.Time       `json:"at" doc:"When it began."`
	ToolID    string          `json:"toolId,omitempty" doc:"The tool; absent when the agent has none of this name." example:"current_time"`
	Kind      ToolKind        `json:"kind,omitempty" doc:"What runs the tool: builtin, http, mcp or client." example:"builtin"`
	Detail    *ToolDetail     `json:"detail,omitempty" doc:"What went wrong, for the operator; absent when nothing did."`
}

// Record is everything that is read from a conversation's log.
type Record struct {
	Summary
	Messages  []Message
	ToolCalls []ToolCall
	// CarrierCost is the carrier's part of Cost, in micro-dollars.
	CarrierCost int64
}

// Project reads a log, in order of Seq, into a record. It is the only reading of events into a transcript:
// the API, the command line, summaries and replay all use it. Unknown types are skipped.
func Project(events []Event) Record {
	p := projector{item: map[string]int{}, call: map[string]int{}, speaking: map[int]string{}, echo: map[string]bool{}}
	for _, e := range events {
		p.apply(e)
	}
	return p.finish()
}

type projector struct {
	rec     Record
	item    map[string]int // item id → index into rec.Messages
	call    map[string]int // tool call id → index into rec.ToolCalls
	turns   []TurnLatencyData
	echo    map[string]bool // items of the caller's leg that nobody said
	carrier UsageData
	// speaking are the spoken answers whose end is not on record: index into rec.Messages → what was heard of them so
	// far, to a second.
	speaking map[int]string
}

// spoken notes how far an answer was heard that is still being spoken.
func (p *projector) spoken(id, heard string) {
	if i := p.item[id]; p.rec.Messages[i].HeardText == nil {
		p.speaking[i] = heard
	}
}

// fallSilent: the stream is gone, and with it whatever was being spoken. Its process may have died without a word, so
// the last position is what was heard.
func (p *projector) fallSilent() {
	for i, heard := range p.speaking {
		m := &p.rec.Messages[i]
		m.Interrupted, m.HeardText = true, &heard
		if m.Text == "" {
			m.Text = heard
		}
	}
	clear(p.speaking)
}

// message returns the message of an item and makes its place at the first mention, so that a transcript
// that arrives after the answer still stands before it.
func (p *projector) message(id, role string, at time.Time) *Message {
	i, ok := p.item[id]
	if !ok {
		i = len(p.rec.Messages)
		p.item[id] = i
		p.rec.Messages = append(p.rec.Messages, Message{Role: role, At: at})
	}
	return &p.rec.Messages[i]
}

func (p *projector) apply(e Event) {
	switch e.Type {
	case EventTurnCommitted:
		p.message(decode[TurnCommittedData](e).ItemID, "user", e.At)
	case EventTurnDecided:
		if d := decode[TurnDecidedData](e); d.State == TurnEcho {
			p.echo[d.ItemID] = true
		}
	case EventMessageUser:
		d := decode[MessageUserData](e)
		p.message(d.ItemID, "user", e.At).Text = d.Text
	case EventMessageAssistant:
		d := decode[MessageAssistantData](e)
		m := p.message(d.ItemID, "assistant", e.At)
		m.Text = d.Text
		m.Interrupted = m.Interrupted || !d.Complete
		if _, known := p.speaking[p.item[d.ItemID]]; d.AudioMs > 0 && !known {
			p.spoken(d.ItemID, "")
		}
	case EventPlayoutPosition:
		d := decode[PlayoutPositionData](e)
		p.message(d.ItemID, "assistant", e.At)
		p.spoken(d.ItemID, d.HeardText)
	case EventMessageHeard:
		d := decode[MessageHeardData](e)
		m := p.message(d.ItemID, "assistant", e.At)
		m.Interrupted, m.HeardText = d.Interrupted, &d.HeardText
		delete(p.speaking, p.item[d.ItemID])
	case EventStreamStarted, EventStreamDetached, EventReopened, EventConversationEnded:
		p.fallSilent()
	case EventToolStarted:
		d := decode[ToolStartedData](e)
		p.call[d.CallID] = len(p.rec.ToolCalls)
		p.rec.ToolCalls = append(p.rec.ToolCalls, ToolCall{ID: d.CallID, Name: d.Name, Arguments: d.Arguments, At: e.At, ToolID: d.ToolID, Kind: d.Kind})
	case EventToolCompleted:
		d := decode[ToolCompletedData](e)
		if i, ok := p.call[d.CallID]; ok {
			c := &p.rec.ToolCalls[i]
			c.Result, c.Outcome, c.Ms, c.Detail = &d.Result, d.Outcome, d.Ms, d.Detail
		}
		p.rec.Messages = append(p.rec.Messages, Message{Role: "tool", Text: d.Result, At: e.At})
	case EventUsage:
		d := decode[UsageData](e)
		p.bill(d)
	case EventMessageRated:
		d := decode[MessageRatedData](e)
		if i, ok := p.item[d.ItemID]; ok {
			p.rec.Messages[i].Feedback = &MessageFeedback{Rating: d.Rating, Comment: d.Comment, At: e.At}
		}
	case EventTurnLatency:
		p.turns = append(p.turns, decode[TurnLatencyData](e))
	}
}

// bill adds a bill. The carrier's is of the whole call: a call that was ended and came back is billed again, as one.
func (p *projector) bill(d UsageData) {
	if d.Prices != "" {
		p.rec.Prices = d.Prices
	}
	if d.Kind == UsageCarrier {
		p.carrier = d
		return
	}
	p.rec.Usage = p.rec.Usage.Add(d.Usage)
	p.rec.Cost += d.Cost
}

func (p *projector) finish() Record {
	for i, heard := range p.speaking {
		if m := &p.rec.Messages[i]; m.Text == "" {
			m.Text = heard // its words come with its end
		}
	}
	p.dropEchoes()
	p.rec.Latency = latencyOf(p.turns)
	p.rec.Usage = p.rec.Usage.Add(p.carrier.Usage)
	p.rec.Cost += p.carrier.Cost
	p.rec.CarrierCost = p.carrier.Cost
	for _, m := range p.rec.Messages {
		if m.Role != "tool" {
			p.rec.MessageCount++
		}
	}
	return p.rec
}

// dropEchoes takes out what turned out to be the agent's own voice, or a noise.
func (p *projector) dropEchoes() {
	drop := make([]bool, len(p.rec.Messages))
	for id := range p.echo {
		if i, ok := p.item[id]; ok {
			drop[i] = true
		}
	}
	kept := p.rec.Messages[:0]
	for i, m := range p.rec.Messages {
		if !drop[i] {
			kept = append(kept, m)
		}
	}
	p.rec.Messages = kept
}

// decode reads an event's data; our own writer made it, so a failure leaves the zero value.
func decode[T any](e Event) T {
	var d T
	_ = json.Unmarshal(e.Data, &d)
	return d
}

// ModelWasSimulated reads a model.connected event.
func ModelWasSimulated(e Event) bool {
	return e.Type == EventModelConnected && decode[ModelConnectedData](e).Simulated
}

package openai

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"parley/internal/leg"
)

// send marshals and queues one client event. The types below always marshal.
func (r *Realtime) send(event any) error {
	raw, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode model event: %w", err)
	}
	return r.conn.Send(raw)
}

// Probe asks for a sign of life that changes nothing: the model confirms an update of no setting with ModelSessionUpdated,
// however busy it is. A ping would prove no more than that something between us and the model answers.
func (r *Realtime) Probe() error {
	return r.conn.Send([]byte(`{"type":"session.update","event_id":"probe","session":{"type":"realtime"}}`))
}

// id names a client event, so that an error event can be matched to what it answers.
func (r *Realtime) id(kind string) string {
	r.nextID++
	return kind + "_" + strconv.Itoa(r.nextID)
}

// AppendAudio sends the caller's µ-law audio. This is the hot path, 50 times a second per call: one append
// into a reused buffer, no reflection, no allocation.
func (r *Realtime) AppendAudio(ulaw []byte) error {
	const head, tail = `{"type":"input_audio_buffer.append","audio":"`, `"}`
	b := append(r.scratch[:0], head...)
	b = base64.StdEncoding.AppendEncode(b, ulaw)
	b = append(b, tail...)
	r.scratch = b
	return r.conn.Send(b)
}

type clientEvent struct {
	Type       string         `json:"type"`
	EventID    string         `json:"event_id,omitempty"`
	Session    *sessionUpdate `json:"session,omitempty"`
	Response   any            `json:"response,omitempty"`
	ResponseID string         `json:"response_id,omitempty"`
	// PreviousItemID is the place of a new item; absent = at the end.
	PreviousItemID string `json:"previous_item_id,omitempty"`
	Item           any    `json:"item,omitempty"`
	ItemID         string `json:"item_id,omitempty"`
	ContentIndex   *int   `json:"content_index,omitempty"`
	AudioEndMs     *int64 `json:"audio_end_ms,omitempty"`
}

type sessionUpdate struct {
	Type             string          `json:"type"`
	OutputModalities []string        `json:"output_modalities"`
	Instructions     string          `json:"instructions"`
	Audio            sessionAudio    `json:"audio"`
	Tools            []*functionTool `json:"tools"`
	ToolChoice       string          `json:"tool_choice"`
}

type sessionAudio struct {
	Input  sessionInput  `json:"input"`
	Output sessionOutput `json:"output"`
}

type audioFormat struct {
	Type string `json:"type"`
}

type sessionInput struct {
	Format         audioFormat    `json:"format"`
	Transcription  *transcription `json:"transcription,omitempty"`
	NoiseReduction *audioFormat   `json:"noise_reduction,omitempty"` // same shape: {"type": …}
	TurnDetection  turnDetection  `json:"turn_detection"`
}

type sessionOutput struct {
	Format audioFormat `json:"format"`
	Voice  string      `json:"voice,omitempty"`
	Speed  float64     `json:"speed,omitempty"`
}

type transcription struct {
	Model    string `json:"model"`
	Language string `json:"language,omitempty"`
}

// turnDetection leaves answering and interrupting to the bridge: create_response and interrupt_response are
// false, because only the bridge knows what the caller has heard.
type turnDetection struct {
	Type              string   `json:"type"`
	Threshold         *float64 `json:"threshold,omitempty"`
	PrefixPaddingMs   *int     `json:"prefix_padding_ms,omitempty"`
	SilenceDurationMs int      `json:"silence_duration_ms,omitempty"`
	Eagerness         string   `json:"eagerness,omitempty"`
	CreateResponse    bool     `json:"create_response"`
	InterruptResponse bool     `json:"interrupt_response"`
}

type functionTool struct {
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
}

type responseParams struct {
	Instructions string `json:"instructions,omitempty"`
	ToolChoice   string `json:"tool_choice,omitempty"`
	Metadata     any    `json:"metadata,omitempty"`
}

// TranscriptionModel transcribes callers' speech.
const TranscriptionModel = "gpt-4o-mini-transcribe"

const pcmu = "audio/pcmu"

// Configure sends the session's whole configuration. The model confirms with ModelSessionUpdated or refuses
// all of it with ModelError; the returned id matches the refusal.
func (r *Realtime) Configure(cfg leg.SessionConfig) (eventID string, err error) {
	in := sessionInput{Format: audioFormat{pcmu}, TurnDetection: turnDetection{
		Type: "server_vad", Threshold: &cfg.Threshold, PrefixPaddingMs: &cfg.PrefixPaddingMs, SilenceDurationMs: cfg.SilenceDurationMs,
	}}
	if cfg.SemanticVAD {
		in.TurnDetection = turnDetection{Type: "semantic_vad", Eagerness: cfg.Eagerness}
	}
	if cfg.Transcription {
		language, _, _ := strings.Cut(cfg.Language, "-") // pt-BR is refused: transcription takes ISO 639 codes
		in.Transcription = &transcription{Model: TranscriptionModel, Language: strings.ToLower(language)}
	}
	if cfg.NoiseReduction != "" {
		in.NoiseReduction = &audioFormat{cfg.NoiseReduction}
	}
	tools := make([]*functionTool, 0, len(cfg.Tools))
	for _, t := range cfg.Tools {
		tools = append(tools, &functionTool{Type: "function", Name: t.FunctionName, Description: t.Description, Parameters: t.Parameters})
	}
	eventID = r.id("session")
	return eventID, r.send(clientEvent{Type: "session.update", EventID: eventID, Session: &sessionUpdate{
		Type:             "realtime",
		OutputModalities: []string{"audio"},
		Instructions:     cfg.Instructions,
		Audio:            sessionAudio{Input: in, Output: sessionOutput{Format: audioFormat{pcmu}, Voice: cfg.Voice, Speed: cfg.Speed}},
		Tools:            tools,
		ToolChoice:       "auto",
	}})
}

// CreateResponse asks for an answer. The id matches a ModelError that refuses it.
func (r *Realtime) CreateResponse(a leg.Ask) (eventID string, err error) {
	var params any
	if a != (leg.Ask{}) {
		p := responseParams{Instructions: a.Instructions}
		if a.NoTools {
			p.ToolChoice = "none"
		}
		if a.Purpose != "" {
			p.Metadata = map[string]string{"purpose": a.Purpose}
		}
		params = p
	}
	eventID = r.id("create")
	return eventID, r.send(clientEvent{Type: "response.create", EventID: eventID, Response: params})
}

// CancelResponse stops generation. The model answers with response.done, or with the error
// response_cancel_not_active when the response had just finished.
func (r *Realtime) CancelResponse(responseID string) (eventID string, err error) {
	eventID = r.id("cancel")
	return eventID, r.send(clientEvent{Type: "response.cancel", EventID: eventID, ResponseID: responseID})
}

// Truncate tells the model that only the first audioEndMs milliseconds of an item were heard. Asking for more
// than the item has is an error that changes nothing.
func (r *Realtime) Truncate(itemID string, contentIndex int, audioEndMs int64) (eventID string, err error) {
	eventID = r.id("truncate")
	return eventID, r.send(clientEvent{
		Type: "conversation.item.truncate", EventID: eventID, ItemID: itemID, ContentIndex: &contentIndex, AudioEndMs: &audioEndMs,
	})
}

// DeleteItem removes an item that was not heard at all.
func (r *Realtime) DeleteItem(itemID string) (eventID string, err error) {
	eventID = r.id("delete")
	return eventID, r.send(clientEvent{Type: "conversation.item.delete", EventID: eventID, ItemID: itemID})
}

// SendToolResult answers a function call. It does not ask for a response.
func (r *Realtime) SendToolResult(callID, output string) error {
	return r.AddItem(leg.HistoryItem{Kind: leg.HistoryToolResult, CallID: callID, Text: output})
}

type conversationItem struct {
	ID        string        `json:"id,omitempty"`
	Type      string        `json:"type"`
	Role      string        `json:"role,omitempty"`
	Content   []contentPart `json:"content,omitempty"`
	CallID    string        `json:"call_id,omitempty"`
	Name      string        `json:"name,omitempty"`
	Arguments *string       `json:"arguments,omitempty"`
	Output    *string       `json:"output,omitempty"`
}

type contentPart struct {
	Type  string  `json:"type"`
	Text  *string `json:"text,omitempty"`
	Audio []byte  `json:"audio,omitempty"` // base64 on the wire
}

// AddItem puts an item into the session's conversation.
func (r *Realtime) AddItem(h leg.HistoryItem) error {
	item := conversationItem{ID: h.ID}
	switch h.Kind {
	case leg.HistoryToolCall:
		item.Type, item.CallID, item.Name, item.Arguments = "function_call", h.CallID, h.Name, &h.Arguments
	case leg.HistoryToolResult:
		item.Type, item.CallID, item.Output = "function_call_output", h.CallID, &h.Text
	default:
		item.Type, item.Role = "message", h.Role
		part := contentPart{Type: "input_text", Text: &h.Text}
		switch {
		case h.Role == "assistant":
			part.Type = "output_text" // clients cannot create assistant audio
		case h.Audio != "":
			part = contentPart{Type: "input_audio", Audio: []byte(h.Audio)}
		}
		item.Content = []contentPart{part}
	}
	return r.send(clientEvent{Type: "conversation.item.create", EventID: r.id("item"), PreviousItemID: h.After, Item: item})
}

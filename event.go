package parley

import (
	"encoding/json"
	"time"
)

// Event is one entry of a conversation's log. Seq starts at 1 and increases by one; At is UTC with
// microseconds; Data is a JSON object whose shape is the type named after the event type below.
type Event struct {
	Seq  int64           `json:"seq" doc:"The place in the log, from 1." example:"1"`
	Type string          `json:"type" doc:"What happened; new types may be added." example:"message.user"`
	At   time.Time       `json:"at" doc:"When it happened."`
	Data json.RawMessage `json:"data" doc:"What belongs to this type of event." example:"{\"itemId\":\"item_1\",\"text\":\"What are your opening hours?\"}"`
}

// NewEvent marshals data into an event without a sequence number, which the log assigns. data must be one
// of the *Data types below (all of them marshal).
func NewEvent(typ string, at time.Time, data any) Event {
	raw, err := json.Marshal(data)
	if err != nil {
		raw = json.RawMessage(`{}`) // unreachable for the types below
	}
	return Event{Type: typ, At: at.UTC(), Data: raw}
}

// The event types. Intents are committed before their effect, facts within 100 ms, telemetry may be
// coalesced (docs/architecture.md, "The conversation is an event log").
const (
	EventConversationStarted = "conversation.started"  // intent, ConversationStartedData
	EventStreamStarted       = "stream.started"        // intent, StreamStartedData
	EventStreamDetached      = "stream.detached"       // fact, StreamDetachedData
	EventStreamMeasured      = "stream.measured"       // fact, StreamMeasuredData: how the stream went, when it ends
	EventReopened            = "conversation.reopened" // intent, StreamDetachedData: an end that came too early is taken back
	EventModelConnected      = "model.connected"       // fact, ModelConnectedData
	EventModelLost           = "model.lost"            // fact, ModelLostData: its session is of no use any more; the call goes on
	EventModelRedialed       = "model.redialed"        // fact, ModelRedialedData: another session has taken its place
	EventModelSwapped        = "model.swapped"         // fact, ModelSwappedData: the same, planned before a session's end
	EventPromptSpoken        = "prompt.spoken"         // fact, PromptSpokenData: the agent speaks of its own accord
	EventFillerPlayed        = "filler.played"         // fact, FillerPlayedData: a tune instead of silence
	EventSpeechStarted       = "speech.started"        // telemetry, SpeechData: the model's VAD heard the caller
	EventSpeechStopped       = "speech.stopped"        // telemetry, SpeechData
	EventTurnCommitted       = "turn.committed"        // fact, TurnCommittedData: holds the user message's place
	EventMessageUser         = "message.user"          // fact, MessageUserData: words of the caller or visitor
	EventMessageAssistant    = "message.assistant"     // fact, MessageAssistantData: words generated
	EventMessageHeard        = "message.heard"         // fact, MessageHeardData: what of them was heard
	EventPlayoutPosition     = "playout.position"      // fact once a second while speaking, PlayoutPositionData
	EventInterruption        = "interruption"          // fact, InterruptionData
	EventToolStarted         = "tool.started"          // intent, ToolStartedData
	EventToolCompleted       = "tool.completed"        // fact, ToolCompletedData
	EventUsage               = "usage"                 // fact, UsageData
	EventTurnLatency         = "turn.latency"          // fact, TurnLatencyData
	EventDTMF                = "dtmf.received"         // fact, DTMFData
	EventTransferRequested   = "transfer.requested"    // intent, TransferRequestedData: the caller is given to somebody else
	EventTransferEnded       = "transfer.ended"        // fact, TransferEndedData
	EventKeysSent            = "keys.sent"             // intent, KeysSentData: the agent presses keys
	EventRecordingStarted    = "recording.started"     // fact, RecordingData: of this stream
	EventRecordingStopped    = "recording.stopped"     // fact, RecordingData
	EventRunStarted          = "run.started"           // intent, RunData: a chat turn begins
	EventRunCompleted        = "run.completed"         // fact, RunData: a chat turn ended
	EventMessageRated        = "message.rated"         // fact, MessageRatedData: what the visitor thinks of an answer
	EventError               = "error"                 // fact, ErrorData
	EventGap                 = "log.gap"               // telemetry was dropped, GapData
	EventCostReached         = "cost.reached"          // fact, CostReachedData: the call has cost what it may
	EventEndRequested        = "end.requested"         // intent, EndData: we decided to end the call
	EventConversationEnded   = "conversation.ended"    // intent, EndData; the last one counts, unless it was reopened
)

// ConversationStartedData opens every log.
type ConversationStartedData struct {
	Channel   Channel `json:"channel"`
	Direction string  `json:"direction,omitempty"`
	From      string  `json:"from,omitempty"`
	To        string  `json:"to,omitempty"`
	AgentID   string  `json:"agentId"`
	AgentName string  `json:"agentName"`
	Model     string  `json:"model"`
	Simulated bool    `json:"simulated"` // the carrier leg is simulated (the model leg says so in model.connected)
	Test      bool    `json:"test"`
}

// StreamStartedData says that a carrier media stream was attached; Epoch is the writer's lease epoch.
type StreamStartedData struct {
	StreamSID string `json:"streamSid"`
	Epoch     int64  `json:"epoch"`
}

// StreamDetachedData says that the media stream is gone although the call goes on, or may go on.
type StreamDetachedData struct {
	Reason     string `json:"reason"`
	HandedOver bool   `json:"handedOver,omitempty"` // let go at the end of a turn, for another process
}

// StreamMeasuredData is the quality of a media stream as we can know it. A frame is 20 ms.
type StreamMeasuredData struct {
	FramesIn  int64 `json:"framesIn"`  // of the caller
	FramesOut int64 `json:"framesOut"` // to the caller
	Late      int64 `json:"late"`      // of those, frames that left more than 20 ms after their time
	Underruns int   `json:"underruns"` // holes in the agent's voice
	RoundTrip int64 `json:"roundTripMs"`
	LeadMs    int64 `json:"leadMs"` // how far ahead audio was sent in the end
}

// ModelConnectedData says that the model's session is configured and usable. Ms counts from the attach.
type ModelConnectedData struct {
	Model     string `json:"model"`
	SessionID string `json:"sessionId,omitempty"`
	Ms        int64  `json:"ms"`
	Simulated bool   `json:"simulated"`
	Notice    string `json:"notice,omitempty"` // set when simulated: says so in words
}

// ModelLostData says why a model's session was given up. Attempt counts the dialings since the model was last well.
type ModelLostData struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Attempt int    `json:"attempt"`
}

// ModelRedialedData says that the conversation goes on in another session of the model: after how many dialings and how
// long, and how many items of the conversation were told again.
type ModelRedialedData struct {
	Attempts int   `json:"attempts"`
	Ms       int64 `json:"ms"`
	Items    int   `json:"items"`
}

// ModelSwappedData says that the session that was opened before the end of the last one has taken over.
type ModelSwappedData struct {
	Items  int  `json:"items"`
	Silent bool `json:"silent"` // nobody was speaking
	Lost   bool `json:"lost"`   // the last one was lost before
}

// PromptSpokenData says that the agent speaks without having been asked: reminder, wrap_up, goodbye, still_looking, or
// continue (the rest of an answer that was cut off with its session).
type PromptSpokenData struct {
	Purpose    string `json:"purpose"`
	ResponseID string `json:"responseId"`
}

// FillerPlayedData says how much of the waiting tune the caller heard.
type FillerPlayedData struct {
	HeardMs int64 `json:"heardMs"`
}

// SpeechData is a VAD edge. AudioMs is the position in the caller's audio that the model named.
type SpeechData struct {
	ItemID  string `json:"itemId"`
	AudioMs int64  `json:"audioMs"`
}

// TurnCommittedData says that the caller's turn is complete; its words may follow later.
type TurnCommittedData struct {
	ItemID string `json:"itemId"`
}

// MessageUserData holds the words of the caller (by transcription) or of the chat user (as typed).
type MessageUserData struct {
	ItemID string `json:"itemId"`
	Text   string `json:"text"`
	Failed bool   `json:"failed,omitempty"` // transcription failed: there were words, but we do not have them
}

// MessageAssistantData holds the words the model generated in one item. AudioMs is the audio received for
// it, 0 for text.
type MessageAssistantData struct {
	ItemID     string `json:"itemId"`
	ResponseID string `json:"responseId,omitempty"`
	Text       string `json:"text"`
	AudioMs    int64  `json:"audioMs,omitempty"`
	Complete   bool   `json:"complete"` // false: generation was cut off
}

// MessageHeardData says how much of a spoken item reached the caller's ear.
type MessageHeardData struct {
	ItemID      string `json:"itemId"`
	HeardText   string `json:"heardText"`
	HeardMs     int64  `json:"heardMs"`
	AudioMs     int64  `json:"audioMs"` // received from the model
	Interrupted bool   `json:"interrupted"`
	Approximate bool   `json:"approximate"` // HeardText was mapped from HeardMs and cut back to a whole word
}

// PlayoutPositionData is the estimated playback position of the item being spoken. HeardText is what was heard of it:
// the item's words may not be on record yet.
type PlayoutPositionData struct {
	ItemID    string `json:"itemId"`
	HeardMs   int64  `json:"heardMs"`
	HeardText string `json:"heardText"`
}

// InterruptionData says that the caller cut the agent off.
type InterruptionData struct {
	ItemID     string `json:"itemId"` // the item that was being heard, "" if none had begun
	ResponseID string `json:"responseId,omitempty"`
	HeardMs    int64  `json:"heardMs"`
	ReceivedMs int64  `json:"receivedMs"`
	ClearedMs  int64  `json:"clearedMs"` // audio sent to the carrier but not heard

	By       string `json:"by,omitempty"`       // ByGate, ByWords; "" when the agent was not being heard
	PausedMs int64  `json:"pausedMs,omitempty"` // how long the agent had been silent when it was proven
}

// The kinds of a bill.
const (
	UsageResponse      = "" // of the model
	UsageTranscription = "transcription"
	UsageCarrier       = "carrier" // of the whole call so far: the newest one replaces the others
)

// UsageData is the bill of one response or transcription, or of the carrier.
type UsageData struct {
	Kind       string `json:"kind,omitempty"`
	ResponseID string `json:"responseId,omitempty"`
	Model      string `json:"model,omitempty"`
	Usage      Usage  `json:"usage"`
	Cost       int64  `json:"cost"` // micro-dollars; 0 for what is simulated and for what has no known price
	Prices     string `json:"prices,omitempty"`
}

// TurnLatencyData measures one answer, in milliseconds. ResponseMs is what the caller feels beyond the
// endpointing wait: from the model's speech_stopped to our first frame to the carrier. A voice turn is on record
// when its answer was heard, or cannot be any more; HeardMs is then absent.
type TurnLatencyData struct {
	ItemID      string `json:"itemId,omitempty"` // the user's item that was answered
	ResponseID  string `json:"responseId,omitempty"`
	EndpointMs  int64  `json:"endpointMs,omitempty"` // end of the caller's speech → speech_stopped (voice)
	CreateMs    int64  `json:"createMs,omitempty"`   // speech_stopped → response.create sent (voice)
	FirstByteMs int64  `json:"firstByteMs"`          // request → first audio or text of the model
	FrameMs     int64  `json:"frameMs,omitempty"`    // first audio → first frame out (voice)
	ResponseMs  int64  `json:"responseMs"`           // speech_stopped (or request) → first frame or text out
	HeardMs     *int64 `json:"heardMs,omitempty"`    // first frame out → it began to play at the caller, by the carrier's word (voice)
}

// DTMFData is one key pressed by the caller.
type DTMFData struct {
	Digit string `json:"digit"`
}

// TransferRequestedData says whom the caller is connected to.
type TransferRequestedData struct {
	Target  string       `json:"target"`
	Number  string       `json:"number"`
	Mode    TransferMode `json:"mode"`
	Summary string       `json:"summary,omitempty"`
}

// TransferEndedData says how a transfer ended.
type TransferEndedData struct {
	Target    string `json:"target"`
	Connected bool   `json:"connected"`        // the target took the call
	Reason    string `json:"reason,omitempty"` // why it did not: Errand.Failure
}

// KeysSentData are keys that the agent pressed.
type KeysSentData struct {
	Digits string `json:"digits"`
}

// RecordingData is one part of a recording: each media stream has its own.
type RecordingData struct {
	Ms     int64 `json:"ms,omitempty"`     // its length, when it has stopped
	LostMs int64 `json:"lostMs,omitempty"` // of that, silence because the disk was too slow
}

// RunData marks the beginning or end of a chat turn.
type RunData struct {
	RunID    string `json:"runId"`
	Status   string `json:"status,omitempty"`   // completed, stopped, failed; "" at the start
	Replaces string `json:"replaces,omitempty"` // at the start: the run whose answer is given again, and counts no more
}

// MessageRatedData is a visitor's judgment of an answer; the newest counts.
type MessageRatedData struct {
	ItemID  string `json:"itemId"`
	Rating  Rating `json:"rating"`
	Comment string `json:"comment,omitempty"`
}

// ErrorData is a failure on one of the legs, in words for the operator and without secrets.
type ErrorData struct {
	Where   string `json:"where"` // model, carrier, tool, store, session
	Type    string `json:"type"`
	Message string `json:"message"`
}

// GapData counts telemetry events that were dropped under load.
type GapData struct {
	Dropped int64 `json:"dropped"`
}

// CostReachedData is in micro-dollars; Cost is of the call so far, the carrier's minutes included.
type CostReachedData struct {
	Cost  int64 `json:"cost"`
	Limit int64 `json:"limit"`
}

// EndData says why a conversation ends.
type EndData struct {
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
}

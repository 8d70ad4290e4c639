// Package leg holds the vocabulary that the two legs of a call share with the session between them: what a
// carrier reports and what a speech model reports, in one shape for every vendor.
//
// It is data only. Adapters (internal/twilio, internal/openai) produce these events; internal/voice consumes
// them and declares the interfaces of the legs.
package leg

import (
	"time"

	"parley"
)

// CarrierKind tells carrier events apart.
type CarrierKind uint8

// The carrier events.
const (
	CarrierMedia CarrierKind = iota + 1 // Payload: caller's µ-law audio
	CarrierMark                         // Name: playback reached this mark, or it was cleared
	CarrierDTMF                         // Name: one digit 0-9 A-D * #
	CarrierStop                         // the carrier ended the stream: the call is over or redirected
)

// CarrierEvent is one message from the caller's side. Payload is the receiver's until it takes the next event.
type CarrierEvent struct {
	Kind    CarrierKind
	Payload []byte
	Name    string
}

// ModelKind tells model events apart.
type ModelKind uint8

// The model events, in the vocabulary of OpenAI's Realtime API (GA).
const (
	ModelSessionCreated   ModelKind = iota + 1 // ItemID: session id; Expires
	ModelSessionUpdated                        // the configuration is in effect
	ModelSpeechStarted                         // ItemID, AudioMs: the VAD heard the caller
	ModelSpeechStopped                         // ItemID, AudioMs
	ModelCommitted                             // ItemID: the caller's turn is an item now; After
	ModelTranscript                            // ItemID, Text, Usage: the caller's words
	ModelTranscriptFailed                      // ItemID, Err
	ModelResponseCreated                       // ResponseID
	ModelItemAdded                             // ResponseID, ItemID, ItemType
	ModelAudio                                 // ResponseID, ItemID, ContentIndex, Audio
	ModelAudioDone                             // ResponseID, ItemID, ContentIndex
	ModelText                                  // ResponseID, ItemID, ContentIndex, Text: transcript of the audio
	ModelItemDone                              // ResponseID, ItemID, ItemType, Status; function calls: CallID, Text (name), Arguments
	ModelResponseDone                          // ResponseID, Status, Err (why not completed), Usage
	ModelTruncated                             // ItemID, AudioMs: truncation accepted
	ModelDeleted                               // ItemID
	ModelRateLimits                            // Wait: until a limit that is used up is renewed; 0 = none is
	ModelError                                 // Err; EventID of the client event it answers, if any
)

// ModelEvent is one message from the model. Members that a kind does not name are zero. Audio is the receiver's until
// it takes the next event.
type ModelEvent struct {
	Kind         ModelKind
	EventID      string
	ResponseID   string
	ItemID       string
	ItemType     string // message, function_call
	ContentIndex int
	Status       string // completed, cancelled, failed, incomplete, in_progress
	Text         string
	CallID       string
	Arguments    string
	Audio        []byte // µ-law, 8 kHz
	AudioMs      int64
	After        string    // id of the item before; "" = the first, or not told
	Expires      time.Time // when the session ends; zero = not told
	Wait         time.Duration
	Usage        *parley.Usage
	Err          *ModelFailure
}

// ModelFailure is what a model says went wrong. Message may quote the request, so it goes to the operator's
// log and never to a caller or visitor.
type ModelFailure struct {
	Type, Code, Message string
	// RetryAfter is when asking again may help; 0 = not told.
	RetryAfter time.Duration
}

// Error returns the code, or the type, and the message.
func (f *ModelFailure) Error() string {
	kind := f.Code
	if kind == "" {
		kind = f.Type
	}
	if f.Message == "" {
		return kind
	}
	return kind + ": " + f.Message
}

// SessionConfig is how a call wants its model session. Zero members take the model's defaults.
type SessionConfig struct {
	Model          string
	Instructions   string
	Voice          string
	Speed          float64 // already within the model's range
	Transcription  bool
	Language       string // "" = detect
	NoiseReduction string // "" = off
	SemanticVAD    bool   // false = server_vad
	// Threshold, PrefixPaddingMs and SilenceDurationMs are for server_vad, Eagerness is for semantic_vad.
	Threshold         float64
	PrefixPaddingMs   int
	SilenceDurationMs int
	Eagerness         string // low, medium, high, auto
	Tools             []parley.Tool
}

// Ask is a wish for one response of the model. The zero value asks for an ordinary answer.
type Ask struct {
	// Instructions replace the session's for this response only; "" keeps the session's.
	Instructions string
	// NoTools makes the model answer in words, whatever tools it has.
	NoTools bool
	// Purpose says what the agent says of its own accord; "" = an answer. It goes along as metadata.
	Purpose string
}

// HistoryKind tells the items of a history apart.
type HistoryKind uint8

// The kinds of history items.
const (
	HistoryMessage    HistoryKind = iota // Role, and Text or Audio
	HistoryToolCall                      // CallID, Name, Arguments
	HistoryToolResult                    // CallID, Text: what the model was told
)

// HistoryItem is an item of the conversation so far, given to a model that joins later. A tool call comes before its
// result; a result whose call is not in the history is refused by the model.
type HistoryItem struct {
	Kind  HistoryKind
	ID    string // of the item, at most 32 characters; "" = the model makes one
	After string // the item's place: after this id; "" = at the end

	Role  string // user, assistant, system
	Text  string
	Audio string // µ-law: a caller's message whose words are not known, instead of Text

	CallID    string
	Name      string // of the function
	Arguments string // JSON
}

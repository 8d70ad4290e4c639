package openai

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"time"

	"parley"
	"parley/internal/leg"
)

// serverEvent is the union of the members we read of the server events. Unknown members are ignored: the
// server adds some without notice.
type serverEvent struct {
	Type         string          `json:"type"`
	ResponseID   string          `json:"response_id"`
	ItemID       string          `json:"item_id"`
	ContentIndex int             `json:"content_index"`
	Delta        string          `json:"delta"`
	Transcript   string          `json:"transcript"`
	AudioStartMs int64           `json:"audio_start_ms"`
	AudioEndMs   int64           `json:"audio_end_ms"`
	Session      *serverSession  `json:"session"`
	Item         *serverItem     `json:"item"`
	Response     *serverResponse `json:"response"`
	Error        *serverError    `json:"error"`
	Usage        *serverUsage    `json:"usage"`
	PreviousID   string          `json:"previous_item_id"`
	RateLimits   []rateLimit     `json:"rate_limits"`
}

type rateLimit struct {
	Remaining    float64 `json:"remaining"`
	ResetSeconds float64 `json:"reset_seconds"`
}

type serverSession struct {
	ID        string `json:"id"`
	ExpiresAt int64  `json:"expires_at"` // Unix seconds
}

type serverItem struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Status    string `json:"status"`
	Role      string `json:"role"`
	Name      string `json:"name"`
	CallID    string `json:"call_id"`
	Arguments string `json:"arguments"`
}

type serverResponse struct {
	ID            string       `json:"id"`
	Status        string       `json:"status"`
	Usage         *serverUsage `json:"usage"`
	StatusDetails *struct {
		Reason string       `json:"reason"`
		Error  *serverError `json:"error"`
	} `json:"status_details"`
}

type serverError struct {
	Type    string `json:"type"`
	Code    string `json:"code"`
	Message string `json:"message"`
	EventID string `json:"event_id"`
}

func (e *serverError) failure() *leg.ModelFailure {
	if e == nil {
		return &leg.ModelFailure{Type: "unknown", Message: "the model gave no reason"}
	}
	return &leg.ModelFailure{Type: e.Type, Code: e.Code, Message: e.Message, RetryAfter: retryHint(e.Message)}
}

// serverUsage covers responses (token details) and transcriptions (tokens or seconds).
type serverUsage struct {
	Seconds      float64 `json:"seconds"`
	InputTokens  int64   `json:"input_tokens"`
	OutputTokens int64   `json:"output_tokens"`
	TotalTokens  int64   `json:"total_tokens"`
	Input        struct {
		Text    int64 `json:"text_tokens"`
		Audio   int64 `json:"audio_tokens"`
		Cached  int64 `json:"cached_tokens"`
		Details struct {
			Text  int64 `json:"text_tokens"`
			Audio int64 `json:"audio_tokens"`
		} `json:"cached_tokens_details"`
	} `json:"input_token_details"`
	Output struct {
		Text  int64 `json:"text_tokens"`
		Audio int64 `json:"audio_tokens"`
	} `json:"output_token_details"`
}

func (u *serverUsage) response() *parley.Usage {
	if u == nil {
		return nil
	}
	total := &parley.Usage{
		CachedTextTokens: u.Input.Details.Text, CachedAudioTokens: u.Input.Details.Audio,
		InputTokens: u.InputTokens, OutputTokens: u.OutputTokens, TotalTokens: u.TotalTokens,
	}
	total.InputTextTokens, total.InputAudioTokens = kinds(u.InputTokens, u.Input.Text, u.Input.Audio)
	total.OutputTextTokens, total.OutputAudioTokens = kinds(u.OutputTokens, u.Output.Text, u.Output.Audio)
	if u.Input.Details.Text+u.Input.Details.Audio == 0 { // what of them was cached is not told: the cheaper kind first
		total.CachedTextTokens = min(u.Input.Cached, total.InputTextTokens)
		total.CachedAudioTokens = min(u.Input.Cached-total.CachedTextTokens, total.InputAudioTokens)
	}
	return total
}

// kinds completes what a server tells of the kinds of its tokens; all details are optional. The rest is reasoning, which
// is billed as text. Where nothing is told all of it counts as sound, the dearer kind: a call's maxCost must hold.
func kinds(total, text, audio int64) (int64, int64) {
	rest := max(0, total-text-audio)
	if text+audio == 0 {
		return 0, rest
	}
	return text + rest, audio
}

func (u *serverUsage) transcription() *parley.Usage {
	if u == nil {
		return nil
	}
	return &parley.Usage{
		TranscriptionTokens: u.TotalTokens, TranscriptionText: u.Input.Text, TranscriptionOutput: u.OutputTokens,
		TranscriptionSeconds: u.Seconds,
	}
}

// decodeRealtime reads one server event. It is false for events that say nothing to the session. Input that is not JSON
// or carries undecodable audio becomes a ModelError: one bad message must not end a call. The event is not returned by
// value: encoding/json needs the stack that its copies would take.
func decodeRealtime(raw []byte, ev *leg.ModelEvent) bool {
	var in serverEvent
	if err := json.Unmarshal(raw, &in); err != nil {
		if in.Type != "" && !known(in.Type) {
			return false // a new event may use our members' names in another shape
		}
		undecodable(ev, "undecodable_event", err)
		return true
	}
	return interpret(&in, ev)
}

func undecodable(ev *leg.ModelEvent, code string, err error) {
	*ev = leg.ModelEvent{Kind: leg.ModelError, Err: &leg.ModelFailure{Type: "protocol", Code: code, Message: err.Error()}}
}

// known reports whether events of a type say anything to the session.
//
//go:noinline
func known(typ string) bool {
	return interpret(&serverEvent{Type: typ, Session: &serverSession{}, Item: &serverItem{}, Response: &serverResponse{}}, new(leg.ModelEvent))
}

func interpret(in *serverEvent, ev *leg.ModelEvent) bool {
	ev.ResponseID, ev.ItemID, ev.ContentIndex = in.ResponseID, in.ItemID, in.ContentIndex
	switch in.Type {
	case "response.output_audio.delta":
		audio, err := base64.StdEncoding.DecodeString(in.Delta)
		if err != nil {
			undecodable(ev, "undecodable_audio", err)
			return true
		}
		ev.Kind, ev.Audio = leg.ModelAudio, audio
	case "response.output_audio_transcript.delta":
		ev.Kind, ev.Text = leg.ModelText, in.Delta
	case "response.output_audio.done":
		ev.Kind = leg.ModelAudioDone
	case "input_audio_buffer.speech_started":
		ev.Kind, ev.AudioMs = leg.ModelSpeechStarted, in.AudioStartMs
	case "input_audio_buffer.speech_stopped":
		ev.Kind, ev.AudioMs = leg.ModelSpeechStopped, in.AudioEndMs
	case "input_audio_buffer.committed":
		ev.Kind, ev.After = leg.ModelCommitted, in.PreviousID
	case "conversation.item.input_audio_transcription.completed":
		ev.Kind, ev.Text, ev.Usage = leg.ModelTranscript, in.Transcript, in.Usage.transcription()
	case "conversation.item.input_audio_transcription.failed":
		ev.Kind, ev.Err = leg.ModelTranscriptFailed, in.Error.failure()
	case "conversation.item.truncated":
		ev.Kind, ev.AudioMs = leg.ModelTruncated, in.AudioEndMs
	case "conversation.item.deleted":
		ev.Kind = leg.ModelDeleted
	case "rate_limits.updated":
		ev.Kind, ev.Wait = leg.ModelRateLimits, usedUp(in.RateLimits)
	case "error":
		ev.Kind, ev.Err = leg.ModelError, in.Error.failure()
		if in.Error != nil {
			ev.EventID = in.Error.EventID
		}
	default:
		return decodeObject(in, ev)
	}
	return true
}

// decodeObject reads the events that carry a session, an item or a response.
func decodeObject(in *serverEvent, ev *leg.ModelEvent) bool {
	switch {
	case in.Type == "session.created" && in.Session != nil:
		ev.Kind, ev.ItemID = leg.ModelSessionCreated, in.Session.ID
		if in.Session.ExpiresAt > 0 {
			ev.Expires = time.Unix(in.Session.ExpiresAt, 0)
		}
	case in.Type == "session.updated":
		ev.Kind = leg.ModelSessionUpdated
	case in.Type == "response.created" && in.Response != nil:
		ev.Kind, ev.ResponseID = leg.ModelResponseCreated, in.Response.ID
	case in.Type == "response.output_item.added" && in.Item != nil:
		ev.Kind, ev.ItemID, ev.ItemType = leg.ModelItemAdded, in.Item.ID, in.Item.Type
	case in.Type == "response.output_item.done" && in.Item != nil:
		// status is optional in OpenAI's schema, and compatible servers leave it out: what is done is completed then.
		ev.Kind, ev.ItemID, ev.ItemType, ev.Status = leg.ModelItemDone, in.Item.ID, in.Item.Type, cmp.Or(in.Item.Status, "completed")
		ev.Text, ev.CallID, ev.Arguments = in.Item.Name, in.Item.CallID, in.Item.Arguments
	case in.Type == "response.done" && in.Response != nil:
		ev.Kind, ev.ResponseID, ev.Status = leg.ModelResponseDone, in.Response.ID, cmp.Or(in.Response.Status, "completed")
		ev.Usage = in.Response.Usage.response()
		if d := in.Response.StatusDetails; d != nil {
			if d.Error != nil {
				ev.Err = d.Error.failure()
			} else {
				ev.Err = &leg.ModelFailure{Type: in.Response.Status, Code: d.Reason}
			}
		}
	default:
		return false
	}
	return true
}

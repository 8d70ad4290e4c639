package browser

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"parley/internal/leg"
)

// Bounds of what a client may send in one message.
const (
	maxAudio = 8_000 // one second
	maxText  = 1_024
	maxMark  = 64
)

// clientMessage is the union of what a client sends as text.
type clientMessage struct {
	Type  string          `json:"type"`
	Name  string          `json:"name"`  // mark
	Digit string          `json:"digit"` // dtmf
	T     json.RawMessage `json:"t"`     // ping: comes back as it is
}

// Kinds of what a client says as text.
type clientKind uint8

const (
	clientUnknown clientKind = iota // of a later version of the protocol: says nothing
	clientEvent                     // for the session
	clientStop                      // the caller hangs up
	clientPing
)

// errMessage says what is wrong with a message, in words for whoever writes the client.
type errMessage string

func (e errMessage) Error() string { return string(e) }

// decodeText reads one text message. Unknown types say nothing, malformed messages are errors: the other side is
// a program that can be repaired.
func decodeText(raw []byte) (kind clientKind, ev leg.CarrierEvent, pong []byte, err error) {
	if len(raw) > maxText {
		return 0, ev, nil, errMessage("a text message has at most 1,024 bytes")
	}
	var m clientMessage
	if !utf8.Valid(raw) || json.Unmarshal(raw, &m) != nil {
		return 0, ev, nil, errMessage("a text message is a JSON object whose members have the documented types")
	}
	switch m.Type {
	case "mark":
		if m.Name == "" || len(m.Name) > maxMark {
			return 0, ev, nil, errMessage("a mark's name is what the server sent")
		}
		return clientEvent, leg.CarrierEvent{Kind: leg.CarrierMark, Name: m.Name}, nil, nil
	case "dtmf":
		if len(m.Digit) != 1 || !strings.Contains("0123456789*#ABCD", m.Digit) {
			return 0, ev, nil, errMessage("a digit is one of 0-9, *, #, A-D")
		}
		return clientEvent, leg.CarrierEvent{Kind: leg.CarrierDTMF, Name: m.Digit}, nil, nil
	case "stop":
		return clientStop, leg.CarrierEvent{Kind: leg.CarrierStop}, nil, nil
	case "ping":
		pong, err = encodePong(m.T)
		return clientPing, ev, pong, err
	case "":
		return 0, ev, nil, errMessage("a text message has a type")
	}
	return clientUnknown, ev, nil, nil
}

// encodePong answers a ping. t is a number of the client's clock, or absent.
func encodePong(t json.RawMessage) ([]byte, error) {
	if len(t) == 0 || string(t) == "null" {
		return []byte(`{"type":"pong"}`), nil
	}
	var n json.Number
	if len(t) > 32 || t[0] == '"' || json.Unmarshal(t, &n) != nil {
		return nil, errMessage("a ping's t is a number")
	}
	return append(append([]byte(`{"type":"pong","t":`), t...), '}'), nil
}

// checkAudio checks one binary message.
func checkAudio(ulaw []byte) error {
	switch {
	case len(ulaw) == 0:
		return errMessage("an audio message is not empty")
	case len(ulaw) > maxAudio:
		return errMessage("an audio message has at most 8,000 bytes")
	}
	return nil
}

// errFlood says that a client sends faster than it can have heard or spoken.
var errFlood = errors.New("more was sent than a call can hold")

// Welcome is the server's first message.
type Welcome struct {
	ConversationID string
	Resumed        bool
	// ResumeToken attaches again after a lost socket; "" = only the API can.
	ResumeToken string
	// ResumeSeconds is how long the call waits for that.
	ResumeSeconds int
	Test          bool
}

type welcomeMessage struct {
	Type           string        `json:"type"`
	Protocol       int           `json:"protocol"`
	ConversationID string        `json:"conversationId"`
	Resumed        bool          `json:"resumed"`
	Test           bool          `json:"test"`
	Audio          audioFormat   `json:"audio"`
	Resume         *resumeTicket `json:"resume,omitempty"`
}

type audioFormat struct {
	Encoding   string `json:"encoding"`
	SampleRate int    `json:"sampleRate"`
	FrameMs    int    `json:"frameMs"`
}

type resumeTicket struct {
	Token   string `json:"token"`
	Seconds int    `json:"seconds"`
}

type stateMessage struct {
	Type  string `json:"type"`
	State string `json:"state"`
}

type callerMessage struct {
	Type     string `json:"type"`
	Speaking bool   `json:"speaking"`
}

type transcriptMessage struct {
	Type        string `json:"type"`
	ID          string `json:"id"`
	Role        string `json:"role"` // user, assistant
	Text        string `json:"text"`
	Final       bool   `json:"final"`
	Interrupted bool   `json:"interrupted"`
}

type endedMessage struct {
	Type    string `json:"type"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

type errorMessage struct {
	Type    string `json:"type"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

package phone

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// message is one message of the server. Twilio takes three events, with exactly their members.
type message struct {
	event   string // media, mark, clear
	payload []byte // media: decoded audio, valid until the next parse
	name    string // mark
}

// parser reads the server's messages; it keeps its buffers between them.
type parser struct {
	members map[string]json.RawMessage
	inner   map[string]json.RawMessage
	audio   []byte
}

// parse checks one text message for the stream. The error is what Twilio would log as 31951.
func (p *parser) parse(raw []byte, streamSID string) (message, error) {
	if p.members == nil {
		p.members, p.inner = make(map[string]json.RawMessage), make(map[string]json.RawMessage)
	}
	clear(p.members)
	if err := json.Unmarshal(raw, &p.members); err != nil {
		return message{}, fmt.Errorf("not a JSON object: %w", err)
	}
	event, err := text(p.members, "event")
	if err != nil {
		return message{}, err
	}
	want := []string{"event", "streamSid", event}
	switch event {
	case "media", "mark":
	case "clear":
		want = want[:2]
	default:
		return message{}, fmt.Errorf("unknown event %q", event)
	}
	if err := exactly(p.members, want...); err != nil {
		return message{}, fmt.Errorf("%s: %w", event, err)
	}
	if sid, err := text(p.members, "streamSid"); err != nil || sid != streamSID {
		return message{}, fmt.Errorf("%s: streamSid %q is not this stream's", event, sid)
	}
	m := message{event: event}
	if event == "clear" {
		return m, nil
	}
	clear(p.inner)
	if err := json.Unmarshal(p.members[event], &p.inner); err != nil {
		return message{}, fmt.Errorf("%s: member %s is not an object", event, event)
	}
	member := map[string]string{"media": "payload", "mark": "name"}[event]
	if err := exactly(p.inner, member); err != nil {
		return message{}, fmt.Errorf("%s: %w", event, err)
	}
	if event == "mark" {
		m.name, err = text(p.inner, member)
		if err == nil && m.name == "" {
			err = fmt.Errorf("mark: name is empty")
		}
		return m, err
	}
	m.payload, err = p.decode(p.inner[member])
	return m, err
}

// decode turns a JSON string of base64 into audio.
func (p *parser) decode(raw json.RawMessage) ([]byte, error) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, fmt.Errorf("media: payload is not a string")
	}
	var err error
	if p.audio, err = base64.StdEncoding.Strict().AppendDecode(p.audio[:0], raw[1:len(raw)-1]); err != nil {
		return nil, fmt.Errorf("media: payload is not base64: %w", err)
	}
	if len(p.audio) == 0 {
		return nil, fmt.Errorf("media: payload is empty")
	}
	return p.audio, nil
}

// text returns a string member.
func text(members map[string]json.RawMessage, name string) (string, error) {
	raw, ok := members[name]
	if !ok {
		return "", fmt.Errorf("member %s is missing", name)
	}
	if n := len(raw); n >= 2 && raw[0] == '"' && !strings.Contains(string(raw), `\`) {
		return string(raw[1 : n-1]), nil
	}
	var s string
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", fmt.Errorf("member %s is not a string", name)
	}
	return s, nil
}

// exactly reports members that are missing or too many.
func exactly(members map[string]json.RawMessage, names ...string) error {
	for _, name := range names {
		if _, ok := members[name]; !ok {
			return fmt.Errorf("member %s is missing", name)
		}
	}
	if len(members) == len(names) {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(names, name) {
			return fmt.Errorf("member %s is not known to Twilio", name)
		}
	}
	return nil
}

// What the phone sends. Counters are strings, as Twilio's are.

func (s *stream) connected() []byte {
	return []byte(`{"event":"connected","protocol":"Call","version":"1.0.0"}`)
}

func (s *stream) start(accountSID, callSID string) []byte {
	type format struct {
		Encoding   string `json:"encoding"`
		SampleRate int    `json:"sampleRate"`
		Channels   int    `json:"channels"`
	}
	type start struct {
		AccountSID       string            `json:"accountSid"`
		StreamSID        string            `json:"streamSid"`
		CallSID          string            `json:"callSid"`
		Tracks           []string          `json:"tracks"`
		MediaFormat      format            `json:"mediaFormat"`
		CustomParameters map[string]string `json:"customParameters"`
	}
	raw, _ := json.Marshal(struct { // strings and numbers always marshal
		Event          string `json:"event"`
		SequenceNumber string `json:"sequenceNumber"`
		Start          start  `json:"start"`
		StreamSID      string `json:"streamSid"`
	}{"start", s.next(), start{
		accountSID, s.sid, callSID, []string{"inbound"}, format{"audio/x-mulaw", 8000, 1}, s.params,
	}, s.sid})
	return raw
}

// media appends the message of one frame to dst.
func (s *stream) media(dst, frame []byte) []byte {
	s.seq++
	s.chunk++
	dst = append(dst, `{"event":"media","sequenceNumber":"`...)
	dst = strconv.AppendInt(dst, int64(s.seq), 10)
	dst = append(dst, `","media":{"track":"inbound","chunk":"`...)
	dst = strconv.AppendInt(dst, int64(s.chunk), 10)
	dst = append(dst, `","timestamp":"`...)
	dst = strconv.AppendInt(dst, int64(s.chunk-1)*20, 10)
	dst = append(dst, `","payload":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, frame)
	dst = append(dst, `"},"streamSid":"`...)
	dst = append(dst, s.sid...)
	return append(dst, `"}`...)
}

func (s *stream) mark(name string) []byte {
	quoted, _ := json.Marshal(name)
	return fmt.Appendf(nil, `{"event":"mark","sequenceNumber":"%s","streamSid":"%s","mark":{"name":%s}}`, s.next(), s.sid, quoted)
}

func (s *stream) dtmf(digit byte) []byte {
	return fmt.Appendf(nil, `{"event":"dtmf","streamSid":"%s","sequenceNumber":"%s","dtmf":{"track":"inbound_track","digit":"%c"}}`, s.sid, s.next(), digit)
}

func (s *stream) stop(accountSID, callSID string) []byte {
	return fmt.Appendf(nil, `{"event":"stop","sequenceNumber":"%s","streamSid":"%s","stop":{"accountSid":"%s","callSid":"%s"}}`, s.next(), s.sid, accountSID, callSID)
}

func (s *stream) next() string {
	s.seq++
	return strconv.Itoa(s.seq)
}

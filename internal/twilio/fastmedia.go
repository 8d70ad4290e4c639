package twilio

import (
	"bytes"
	"encoding/base64"
)

// fastMedia decodes a media message without reflection, seven times faster than encoding/json: 50 of them
// arrive each second on every call. It accepts only the plain shape that Twilio sends (two objects, no escapes,
// each key once) and leaves everything else to encoding/json. It does not check what surrounds the members it
// reads; a fuzz test checks that of valid JSON both read the same.
func (s *MediaStream) fastMedia(raw []byte) ([]byte, bool) {
	if bytes.IndexByte(raw, '\\') >= 0 || bytes.Count(raw, []byte("{")) != 2 {
		return nil, false
	}
	outer, media, ok := bytes.Cut(raw, []byte(`"media":{`))
	if !ok {
		return nil, false
	}
	media, rest, ok := bytes.Cut(media, []byte("}"))
	if !ok || bytes.Contains(rest, []byte(`"media"`)) || bytes.Contains(rest, []byte(`"event"`)) {
		return nil, false // members may follow the media object, but these two come before it
	}
	if event, ok := stringMember(outer, `"event"`); !ok || string(event) != "media" {
		return nil, false
	}
	if track, ok := stringMember(media, `"track"`); !ok || string(track) != "inbound" {
		return nil, false
	}
	payload, ok := stringMember(media, `"payload"`)
	if !ok || len(payload) == 0 {
		return nil, false
	}
	return s.decodePayload(payload)
}

// stringMember returns the value of a member that appears exactly once and is a string.
func stringMember(raw []byte, key string) ([]byte, bool) {
	i := bytes.Index(raw, []byte(key))
	if i < 0 || bytes.Contains(raw[i+len(key):], []byte(key)) {
		return nil, false
	}
	rest := bytes.TrimLeft(raw[i+len(key):], " \t\r\n")
	if len(rest) == 0 || rest[0] != ':' {
		return nil, false
	}
	rest = bytes.TrimLeft(rest[1:], " \t\r\n")
	if len(rest) == 0 || rest[0] != '"' {
		return nil, false
	}
	end := bytes.IndexByte(rest[1:], '"')
	if end < 0 {
		return nil, false
	}
	return rest[1 : 1+end], true
}

// slabBytes is one second of audio: payloads are cut from a slab, so that a frame costs a fiftieth of an
// allocation and the receiver may keep it.
const slabBytes = 8000

func (s *MediaStream) decodePayload(b64 []byte) ([]byte, bool) {
	need := base64.StdEncoding.DecodedLen(len(b64))
	if cap(s.slab)-len(s.slab) < need {
		s.slab = make([]byte, 0, max(slabBytes, need))
	}
	at := len(s.slab)
	n, err := base64.StdEncoding.Decode(s.slab[at:at+need], b64)
	if err != nil || n == 0 {
		return nil, false
	}
	s.slab = s.slab[:at+n]
	return s.slab[at : at+n : at+n], true
}

package main

import (
	"encoding/base64"

	"parley/internal/audio"
)

// Frames carry their number in their first nine bytes, as the quietest values of µ-law, which no ear and no
// energy gate notices: seven half-bytes of the number and two of the template that follows. So a frame is
// known again wherever it appears, without a table, and a changed byte is seen.
const (
	stampBytes = 9
	stampChars = stampBytes / 3 * 4 // of base64
	frameChars = (audio.FrameBytes + 2) / 3 * 4
	quietFrame = 0 // template
	burstTicks = 50
)

// templates are what frames hold after the stamp, in base64: silence, and then a second of speech.
type templates [1 + burstTicks]string

// newTemplates takes the loudest stretch of the voice.
func newTemplates(voice []byte) templates {
	var t templates
	rest := func(ulaw []byte) string { return base64.StdEncoding.EncodeToString(ulaw[stampBytes:audio.FrameBytes]) }
	silence := make([]byte, audio.FrameBytes)
	for i := range silence {
		silence[i] = audio.Silence
	}
	t[quietFrame] = rest(silence)
	const length = burstTicks * audio.FrameBytes
	best, at := -1, 0
	for i := 0; i+length <= len(voice); i += audio.FrameBytes {
		loud := 0
		for _, s := range audio.DecodeULaw(voice[i : i+length]) {
			loud += max(int(s), -int(s))
		}
		if loud > best {
			best, at = loud, i
		}
	}
	for i := range burstTicks {
		t[1+i] = rest(voice[at+i*audio.FrameBytes:])
	}
	return t
}

// appendPayload appends the base64 of frame number n.
func (t *templates) appendPayload(dst []byte, n, template int) []byte {
	var stamp [stampBytes]byte
	for i := range 7 {
		stamp[i] = 0xF0 | byte(n>>(4*i)&0xF)
	}
	stamp[7], stamp[8] = 0xF0|byte(template&0xF), 0xF0|byte(template>>4)
	dst = base64.StdEncoding.AppendEncode(dst, stamp[:])
	return append(dst, t[template]...)
}

// read returns the number of a frame; false means that this is not exactly one frame as it was sent.
func (t *templates) read(payload []byte) (n int, ok bool) {
	if len(payload) != frameChars {
		return 0, false
	}
	var stamp [stampBytes]byte
	if got, err := base64.StdEncoding.Decode(stamp[:], payload[:stampChars]); err != nil || got != stampBytes {
		return 0, false
	}
	for i := range 7 {
		n |= int(stamp[i]&0xF) << (4 * i)
	}
	template := int(stamp[7]&0xF) | int(stamp[8]&0xF)<<4
	return n, template < len(t) && string(payload[stampChars:]) == t[template]
}

package browser

import "time"

// What a client may send over time. A microphone fills 8,000 bytes a second; after a stall of the network its
// backlog comes at once, and a page may be a little fast.
const (
	audioRate     = 8_000 * 11 / 10 // bytes a second
	audioBurst    = 8_000 * 15
	messageRate   = 250 // a second, of both types: 50 frames, some marks, a ping
	messageBurst  = 2_500
	nanosPerCount = float64(time.Second)
)

// bucket is a token bucket. Its zero value is empty; fill it first.
type bucket struct {
	rate, size, left float64
	at               time.Time
}

func newBucket(rate, size float64, now time.Time) bucket {
	return bucket{rate: rate, size: size, left: size, at: now}
}

// take reports whether n more fit at now.
func (b *bucket) take(n int, now time.Time) bool {
	if passed := now.Sub(b.at); passed > 0 {
		b.left = min(b.size, b.left+b.rate*float64(passed)/nanosPerCount)
		b.at = now
	}
	if b.left < float64(n) {
		return false
	}
	b.left -= float64(n)
	return true
}

// flow bounds a client. It belongs to the reader.
type flow struct{ audio, messages bucket }

func newFlow(now time.Time) flow {
	return flow{audio: newBucket(audioRate, audioBurst, now), messages: newBucket(messageRate, messageBurst, now)}
}

// admit books a message; audio is its length when it is audio, otherwise 0.
func (f *flow) admit(audio int, now time.Time) bool {
	return f.messages.take(1, now) && f.audio.take(audio, now)
}

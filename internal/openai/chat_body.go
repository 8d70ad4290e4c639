package openai

import (
	"io"
	"time"
)

// drainTime is how long Close waits for the provider's end of a finished stream, so that the connection can
// serve the next request instead of being torn down.
const drainTime = 250 * time.Millisecond

// chatBody is the body of a stream. It restarts the silence timer with every read.
type chatBody struct {
	body    io.ReadCloser
	silence *time.Timer
	idle    time.Duration
	done    bool // [DONE] has passed
	ended   bool // the body was read to its end
}

func (b *chatBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if n > 0 {
		b.silence.Reset(b.idle)
	}
	b.ended = b.ended || err != nil
	return n, err
}

// Close reads the little that follows [DONE], within drainTime (the silence timer cancels the request).
func (b *chatBody) Close() error {
	if b.done && !b.ended {
		b.silence.Reset(drainTime)
		_, _ = io.CopyN(io.Discard, b.body, 4<<10)
	}
	return b.body.Close()
}

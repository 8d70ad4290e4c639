package openai

import (
	"bufio"
	"bytes"
	"io"
	"time"
)

// drainTime is how long Close waits for the provider's end of a finished stream, so that the connection can
// serve the next request instead of being torn down.
const drainTime = 250 * time.Millisecond

// maxChatEvent bounds one event of a stream: an answer in one piece, with everything escaped.
const maxChatEvent = 8 << 20

// chatBody reads the events of a stream. It restarts the silence timer with every read.
type chatBody struct {
	io.ReadCloser
	silence *time.Timer
	idle    time.Duration // the longest silence from the first byte on
	lines   *bufio.Scanner
	data    []byte // of the event
	done    bool   // [DONE] has passed
	ended   bool   // the body was read to its end
}

func newChatBody(r io.ReadCloser, silence *time.Timer, idle time.Duration) *chatBody {
	b := &chatBody{ReadCloser: r, silence: silence, idle: idle}
	b.lines = bufio.NewScanner(b)
	b.lines.Buffer(make([]byte, 0, 1<<10), maxChatEvent)
	return b
}

// Read is the scanner's.
func (b *chatBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.silence.Reset(b.idle)
	}
	b.ended = b.ended || err != nil
	return n, err
}

// next returns the data of the next event, which is valid until the next call. ok is false after [DONE], at the end of the
// body, and at an error. An event that the end cuts off is none.
func (b *chatBody) next() (data []byte, ok bool, err error) {
	b.data = b.data[:0]
	for !b.done && b.lines.Scan() {
		line := b.lines.Bytes()
		if len(line) == 0 && len(b.data) > 0 {
			return b.data, true, nil
		}
		value, isData := bytes.CutPrefix(line, []byte("data:"))
		if !isData {
			continue // comments, and the names and ids of events
		}
		value = bytes.TrimPrefix(value, []byte(" "))
		if len(b.data) == 0 && bytes.HasPrefix(value, []byte("[DONE]")) {
			b.done = true // some servers close without the empty line
			return nil, false, nil
		}
		b.data = append(append(b.data, value...), '\n')
	}
	return nil, false, b.lines.Err()
}

// Close reads the little that follows [DONE], within drainTime (the silence timer cancels the request).
func (b *chatBody) Close() error {
	if b.done && !b.ended {
		b.silence.Reset(drainTime)
		_, _ = io.CopyN(io.Discard, b.ReadCloser, 4<<10)
	}
	return b.ReadCloser.Close()
}

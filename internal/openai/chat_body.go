package openai

import (
	"bytes"
	"io"
	"time"
)

// drainTime is how long Close waits for the provider's end of a finished stream, so that the connection can
// serve the next request instead of being torn down.
const drainTime = 250 * time.Millisecond

// chatBody watches the body of a stream: it restarts the silence timer with every read and notices [DONE].
type chatBody struct {
	io.ReadCloser
	silence *time.Timer
	idle    time.Duration
	done    bool   // [DONE] has passed
	ended   bool   // the body was read to its end
	tail    []byte // the end of what was read, shorter than the mark, to find it across reads
}

// doneMarks end a stream. A raw newline cannot occur inside a JSON string, so text that quotes the mark is
// not taken for it.
var doneMarks = [][]byte{[]byte("\ndata: [DONE]"), []byte("\ndata:[DONE]")}

func (b *chatBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.silence.Reset(b.idle)
		b.look(p[:n])
	}
	b.ended = b.ended || err != nil
	return n, err
}

func (b *chatBody) look(p []byte) {
	if b.tail == nil {
		b.tail = append(make([]byte, 0, 64), '\n') // the first line has no newline before it
	}
	keep := len(doneMarks[0]) - 1
	head := p[:min(len(p), keep)]
	b.tail = append(b.tail, head...) // at most 2*keep bytes: the mark across the border
	for _, mark := range doneMarks {
		b.done = b.done || bytes.Contains(b.tail, mark) || bytes.Contains(p, mark)
	}
	if len(p) > keep {
		b.tail = append(b.tail[:0], p[len(p)-keep:]...)
	} else if cut := len(b.tail) - keep; cut > 0 {
		b.tail = append(b.tail[:0], b.tail[cut:]...)
	}
}

// Close reads the little that follows [DONE], within drainTime (the silence timer cancels the request).
func (b *chatBody) Close() error {
	if b.done && !b.ended {
		b.silence.Reset(drainTime)
		_, _ = io.CopyN(io.Discard, b.ReadCloser, 4<<10)
	}
	return b.ReadCloser.Close()
}

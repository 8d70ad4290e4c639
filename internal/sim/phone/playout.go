package phone

import (
	"bytes"

	"parley/internal/audio"
)

// maxBuffered bounds the audio that waits to be played: five minutes. Twilio publishes no number.
const maxBuffered = 5 * 60 * audio.Rate

// playout is what Twilio does with the server's audio: it queues it, plays it at 1× and echoes a mark when
// everything before it has been played. It knows no time: tick is called every 20 ms. The call's lock guards
// it.
type playout struct {
	buf    []byte // waiting bytes are buf[head:]
	head   int
	played int64 // bytes whose playing has ended or that were cleared
	ahead  int   // bytes of the frame that is being played now
	marks  []pendingMark
}

// pendingMark waits until position bytes have been played.
type pendingMark struct {
	name     string
	position int64
	record   int // index in the call's record
}

// waiting returns the bytes not yet begun.
func (p *playout) waiting() int { return len(p.buf) - p.head }

// end is the position after everything that was queued so far.
func (p *playout) end() int64 { return p.played + int64(p.ahead+p.waiting()) }

// push queues audio; false means that the buffer is full and the audio was dropped.
func (p *playout) push(ulaw []byte) bool {
	if p.waiting()+len(ulaw) > maxBuffered {
		return false
	}
	if p.head > 0 && p.head >= len(p.buf)/2 {
		p.buf = append(p.buf[:0], p.buf[p.head:]...)
		p.head = 0
	}
	p.buf = append(p.buf, ulaw...)
	return true
}

// mark queues a mark behind the audio so far. It reports true if there is none to wait for: the mark is to be
// echoed at once.
func (p *playout) mark(name string, record int) bool {
	position := p.end()
	if position <= p.played {
		return true
	}
	p.marks = append(p.marks, pendingMark{name, position, record})
	return false
}

// clear drops what has not begun to play. It returns how many bytes those were and the marks to echo: all.
func (p *playout) clear() (dropped int, marks []pendingMark) {
	dropped, marks = p.waiting(), p.marks
	p.played += int64(dropped)
	p.buf, p.head, p.marks = p.buf[:0], 0, nil
	return dropped, marks
}

// tick ends the current frame and begins the next one: it fills frame with what is heard for the next 20 ms,
// padded with silence, and returns how many bytes of it are the server's and the marks that were reached.
func (p *playout) tick(frame []byte) (n int, reached []pendingMark) {
	p.played += int64(p.ahead)
	i := 0
	for i < len(p.marks) && p.marks[i].position <= p.played {
		i++
	}
	reached, p.marks = p.marks[:i:i], p.marks[i:]
	n = copy(frame, p.buf[p.head:])
	p.head += n
	p.ahead = n
	if p.head == len(p.buf) {
		p.buf, p.head = p.buf[:0], 0
	}
	copy(frame[n:], silence[:])
	return n, reached
}

// silence is one frame of it.
var silence = [audio.FrameBytes]byte(bytes.Repeat([]byte{audio.Silence}, audio.FrameBytes))

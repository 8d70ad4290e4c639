package leg

// keptBytes bounds the buffers that are used again: frames of 20 ms, and 50 ms. Longer audio comes less often.
const keptBytes = 400

// Buffers lend the audio of the events that wait in a channel, so that frames cost no memory. They belong to the
// goroutine that sends the events. The zero value lends new memory each time.
type Buffers struct {
	lent [][]byte // in turn
	next int
}

// NewBuffers makes the buffers of a channel that holds a number of events. Besides, there are the event that is being
// made and the one that the receiver is at work with.
func NewBuffers(events int) Buffers { return Buffers{lent: make([][]byte, events+2)} }

// Take returns an empty buffer for n bytes, for the audio of the next event. It is lent until the receiver takes the
// event after that.
func (b *Buffers) Take(n int) []byte {
	if n > keptBytes || len(b.lent) == 0 {
		return make([]byte, 0, n)
	}
	buf := &b.lent[b.next]
	b.next = (b.next + 1) % len(b.lent)
	if cap(*buf) < n {
		*buf = make([]byte, 0, n)
	}
	return (*buf)[:0]
}

package leg

import "testing"

func TestBuffersAreNotLentTwice(t *testing.T) {
	t.Parallel()
	const waiting = 4
	events := make(chan []byte, waiting)
	b := NewBuffers(waiting)
	n := byte(0)
	event := func() []byte {
		n++
		return append(b.Take(158+int(n)%5), n)
	}
	for range waiting {
		events <- event()
	}
	next := event() // the channel is full: it waits to be sent
	for want := byte(1); want < 100; want++ {
		audio := <-events
		events <- next
		next = event()
		if audio[0] != want {
			t.Fatalf("event %d holds the audio of %d", want, audio[0])
		}
	}
}

func TestBuffersCostNothing(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts for the whole process
	b := NewBuffers(4)
	use := func() {
		for range 6 {
			_ = append(b.Take(160), make([]byte, 160)...)
		}
	}
	use()
	if n := testing.AllocsPerRun(100, use); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if long := b.Take(keptBytes + 1); cap(long) <= keptBytes {
		t.Errorf("room for %d bytes", cap(long))
	}
	if none := new(Buffers).Take(160); cap(none) < 160 {
		t.Errorf("room for %d bytes", cap(none))
	}
}

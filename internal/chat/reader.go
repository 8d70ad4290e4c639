package chat

import (
	"context"
	"time"
	"unicode/utf8"
)

// abandoned is how long a reader of Events may take nothing before it counts as gone.
const abandoned = 30 * time.Second

// reader is a place in a run. It belongs to one goroutine.
type reader struct {
	run    *Run
	more   chan struct{}
	marks  int  // events taken
	offset int  // bytes of text taken
	mute   bool // it has seen words of an earlier attempt: it gets no others but the whole answer in message.completed
}

// Subscribe sends what happened after the event `after` (0 = from the beginning) and goes on until
// run.completed, then closes the channel. It ends early, without run.completed, when ctx ends; a reader that
// stops reading must cancel ctx.
func (r *Run) Subscribe(ctx context.Context, after int64) <-chan Event {
	return r.subscribe(ctx, after, 0)
}

// Events is Subscribe from the beginning for a reader that reads to the end. One that takes nothing for 30 s
// counts as gone: its channel is closed.
func (r *Run) Events() <-chan Event {
	return r.subscribe(context.Background(), 0, abandoned)
}

// subscribe starts the goroutine that feeds a channel. It ends with the run, with ctx, or with patience.
func (r *Run) subscribe(ctx context.Context, after int64, patience time.Duration) <-chan Event {
	out := make(chan Event, 1)
	rd := r.reader(after)
	go func() {
		defer close(out)
		defer r.leave(rd)
		for {
			batch, last := rd.take()
			for _, e := range batch {
				if !send(ctx, out, e, patience) {
					return
				}
			}
			if last {
				return
			}
			select {
			case <-rd.more:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// send reports whether the reader took the event in time; a patience of 0 is endless.
func send(ctx context.Context, out chan<- Event, e Event, patience time.Duration) bool {
	var expired <-chan time.Time
	if patience > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case out <- e:
		return true
	case <-ctx.Done():
	case <-expired:
	}
	return false
}

// reader registers a reader that continues behind the event `after`.
func (r *Run) reader(after int64) *reader {
	rd := &reader{run: r, more: make(chan struct{}, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readers[rd] = struct{}{}
	rd.mute = after > 0 && after <= r.base
	after -= r.base
	var at mark // the last event that was taken
	for rd.marks < len(r.marks) && r.marks[rd.marks].ID <= after {
		at = r.marks[rd.marks]
		rd.marks++
	}
	rd.offset = at.offset
	if after <= at.ID {
		return rd
	}
	// after is the id of a delta: the number of characters taken.
	end := len(r.text)
	if rd.marks < len(r.marks) {
		end = r.marks[rd.marks].offset
	}
	for chars := at.chars; rd.offset < end && chars < after; chars++ {
		_, size := utf8.DecodeRune(r.text[rd.offset:])
		rd.offset += size
	}
	return rd
}

func (r *Run) leave(rd *reader) {
	r.mu.Lock()
	delete(r.readers, rd)
	r.mu.Unlock()
}

// take returns all that has happened since the last call, the text between two events as one delta, and
// whether that was all there will ever be.
func (rd *reader) take() (batch []Event, last bool) {
	r := rd.run
	r.mu.Lock()
	defer r.mu.Unlock()
	var before int64 // the id of the event before
	if rd.marks > 0 {
		before = r.marks[rd.marks-1].ID
	}
	text := func(end int, chars int64) {
		if rd.offset < end && !rd.mute {
			id := max(chars, before+1)
			batch = append(batch, Event{ID: r.base + id, Type: EventDelta, Data: DeltaData{string(r.text[rd.offset:end])}})
		}
		rd.offset = max(rd.offset, end)
	}
	for ; rd.marks < len(r.marks); rd.marks++ {
		m := r.marks[rd.marks]
		text(m.offset, m.chars)
		e := m.Event
		e.ID += r.base
		batch = append(batch, e)
		before, last = m.ID, m.Type == EventRunCompleted
	}
	if r.chars > before { // text waits the moment until its number of characters exceeds the ids given to events
		text(len(r.text), r.chars)
	}
	return batch, last || r.cut
}

package chat

import (
	"context"
	"time"
	"unicode/utf8"
)

// Sink takes the events of a run, as respond.Stream does. When Err is not nil, it takes nothing more.
type Sink interface {
	Send(id int64, typ string, data any)
	Beat()
	Err() error
}

// reader is a place in a run. It belongs to one goroutine.
type reader struct {
	run    *Run
	more   chan struct{}
	marks  int  // events taken
	offset int  // bytes of text taken
	mute   bool // it has seen words of an earlier attempt: it gets no others but the whole answer in message.completed
}

// Pour gives a sink what happened after the event `after` (0 = from the beginning) and goes on until run.completed, with
// a beat in every so long a time. It ends early, without run.completed, when ctx or the sink does. It works on the
// caller's goroutine.
func (r *Run) Pour(ctx context.Context, after int64, to Sink, beat time.Duration) {
	rd := r.reader(after)
	defer r.leave(rd)
	beats := time.NewTicker(beat)
	defer beats.Stop()
	for to.Err() == nil {
		batch, last := rd.take()
		for _, e := range batch {
			to.Send(e.ID, e.Type, e.Data)
		}
		if last {
			return
		}
		select {
		case <-rd.more:
		case <-beats.C:
			to.Beat()
		case <-ctx.Done():
			return
		}
	}
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

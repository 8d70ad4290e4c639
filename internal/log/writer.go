package log

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"parley"
	"parley/internal/store"
)

// Writer appends to one conversation during one epoch. It is safe for concurrent use; it holds no goroutine.
type Writer struct {
	log   *Log
	orgID string
	id    string
	epoch int64
	done  chan struct{}

	// guarded by log.mu
	lastSeq int64 // of the newest committed event
	pending []*entry
	intents int // in pending
	bytes   int
	dropped int64 // telemetry since the last log.gap
	err     error // why done is closed
	dead    error // why nothing more is accepted; nil when only the soft bound was passed
}

// entry is one event on its way into the database.
type entry struct {
	event     parley.Event
	size      int
	also      []func(context.Context, *store.Tx) error
	along     func(context.Context, *store.Tx) error // instead of an event
	committed chan error                             // intents only; capacity 1
	abandoned bool                                   // guarded by log.mu: the waiter gave up, do not write it
}

// entryBytes is what an entry costs beside its text.
const entryBytes = 64

func newEntry(typ string, data any) *entry {
	e := parley.NewEvent(typ, time.Now(), data)
	if !utf8.Valid(e.Data) { // raw JSON of a model or carrier; one bad byte must not hold up the log
		e.Data = bytes.ToValidUTF8(e.Data, []byte("\uFFFD"))
	}
	return &entry{event: e, size: len(e.Data) + len(typ) + entryBytes}
}

// Fact appends an event that is committed within 100 ms. It never blocks. After the writer was fenced or closed
// it does nothing.
func (w *Writer) Fact(typ string, data any) { w.append(newEntry(typ, data), false) }

// Telemetry appends an event that may be dropped when the database does not keep up. It never blocks.
func (w *Writer) Telemetry(typ string, data any) { w.append(newEntry(typ, data), true) }

// Along writes something that belongs to the conversation and is no event, of a size in bytes, in the transaction of the
// events around it: within 100 ms, and before what is appended later. The function runs on the committer's goroutine,
// may run more than once, and must do nothing but use tx. It must check by itself that the conversation is still its
// writer's. It never blocks.
func (w *Writer) Along(size int, write func(context.Context, *store.Tx) error) {
	w.append(&entry{event: parley.Event{At: time.Now()}, size: size + entryBytes, along: write}, false)
}

func (w *Writer) append(e *entry, droppable bool) {
	if w.add(e, droppable) {
		w.log.logger.Error("conversation must end: the database does not keep up",
			slog.String("org_id", w.orgID), slog.String("conversation_id", w.id))
	}
}

// add enqueues an entry, or drops it. over is true once, when the soft bound is passed.
func (w *Writer) add(e *entry, droppable bool) (over bool) {
	l := w.log
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case w.dead != nil:
		return false
	case droppable && (w.bytes > conversationBytes/4 || l.bytes > processBytes/4):
		w.dropped++
		l.stats.Dropped++
		return false
	case l.ended || w.full(e.size):
		l.stats.Lost++
		return false
	}
	w.noteGap()
	l.enqueue(w, e)
	if w.full(reserveBytes) && w.err == nil {
		w.err = ErrOverBound
		close(w.done)
		return true
	}
	return false
}

// noteGap says in the log that telemetry is missing here; the caller holds log.mu.
func (w *Writer) noteGap() {
	if w.dropped > 0 {
		w.log.enqueue(w, newEntry(parley.EventGap, parley.GapData{Dropped: w.dropped}))
		w.dropped = 0
	}
}

// full reports whether n more bytes pass a hard bound; the caller holds log.mu.
func (w *Writer) full(n int) bool {
	return w.bytes+n > conversationBytes || w.log.bytes+n > processBytes
}

// Intent appends an event and waits for its commit, at most 5 s when ctx has no deadline. The functions given
// run in the same transaction, right before the event is appended and after what was appended earlier; when one
// fails, neither its writes nor the event are applied and its error is returned. They run on the committer's
// goroutine, may run more than once, and must do nothing but use tx. ErrFenced says that another process owns
// the conversation now. When ctx ends first, the event may or may not be committed.
func (w *Writer) Intent(ctx context.Context, typ string, data any, also ...func(context.Context, *store.Tx) error) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, intentTimeout)
		defer cancel()
	}
	e := newEntry(typ, data)
	e.also, e.committed = also, make(chan error, 1)
	if err := w.submit(e); err != nil {
		return err
	}
	select {
	case err := <-e.committed:
		return err
	case <-ctx.Done():
	}
	w.log.mu.Lock()
	e.abandoned = true
	w.log.mu.Unlock()
	select {
	case err := <-e.committed: // both were ready
		return err
	default:
		return fmt.Errorf("waiting for the commit of %s: %w", typ, ctx.Err())
	}
}

func (w *Writer) submit(e *entry) error {
	l := w.log
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case w.dead != nil:
		return w.dead
	case l.ended:
		return ErrClosed
	case w.full(e.size):
		return ErrOverBound
	}
	w.noteGap()
	l.enqueue(w, e)
	return nil
}

// fail ends the writer; the caller holds log.mu.
func (w *Writer) fail(err error) {
	if w.err == nil {
		close(w.done)
	}
	w.err, w.dead = err, err
}

// Done is closed when the conversation must not go on here: fenced, over its bound, or refused by the database
// for good. Err says which.
func (w *Writer) Done() <-chan struct{} { return w.done }

// Err says why Done was closed; nil while it is open.
func (w *Writer) Err() error {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	return w.err
}

// Close says that nothing more will be appended; it does not wait. What is pending is still committed.
func (w *Writer) Close() {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	if w.dead == nil {
		w.noteGap()
		w.dead = ErrClosed
	}
}

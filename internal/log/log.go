// Package log is the only writer of conversation events. It numbers them, commits those of all conversations
// together, and says on the bus that a log has grown.
//
// Three classes of events: intents are committed before their effect and awaited; facts are committed within
// 100 ms and never dropped; telemetry may be dropped under load, with a counted gap. Writers never wait for the
// database except in Intent. The package knows nothing of what the events mean.
package log

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"parley"
	"parley/internal/event"
	"parley/internal/store"
)

// Bounds and timing. Group commit is what makes 100 calls affordable on a disk that syncs.
const (
	commitEvery       = 50 * time.Millisecond
	commitRows        = 256
	conversationBytes = 4 << 20
	processBytes      = 64 << 20
	retryMin          = 20 * time.Millisecond
	retryMax          = time.Second
	commitTimeout     = 10 * time.Second
)

// ErrOverBound says that a conversation, or the process, holds more uncommitted events than it may: the
// database does not keep up. The conversation must end; what was accepted is still committed if possible.
var ErrOverBound = errors.New("too many uncommitted events")

// ErrClosed says that the writer or the log was closed.
var ErrClosed = errors.New("the log is closed")

// Options of a Log.
type Options struct {
	Logger *slog.Logger
}

// Log commits the events of this process. It is safe for concurrent use and owns one goroutine.
type Log struct {
	st  *store.Store
	bus *event.Bus
	opt Options

	mu      sync.Mutex
	dirty   []*Writer // writers with pending entries, in order of their first
	rows    int
	bytes   int
	timer   *time.Timer // runs while something is pending and nothing is urgent
	closing bool
	stats   Stats

	wake chan struct{}
	done chan struct{}
}

// Stats is a snapshot for metrics.
type Stats struct {
	Commits, Rows, Fenced, Dropped int64
	PendingBytes                   int
}

// New starts the committer. Close ends it.
func New(st *store.Store, bus *event.Bus, opt Options) *Log {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{st: st, bus: bus, opt: opt, wake: make(chan struct{}, 1), done: make(chan struct{})}
	l.timer = time.AfterFunc(time.Hour, l.signal)
	l.timer.Stop()
	go l.run()
	return l
}

// Close commits what is pending and ends the committer, at the latest when ctx is done.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
	l.signal()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Backlogged reports that a quarter of the process's bound is in use: no new conversation should begin.
func (l *Log) Backlogged() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes > processBytes/4
}

// Stats returns a snapshot.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.PendingBytes = l.bytes
	return s
}

// Open returns the writer of a conversation for one epoch. lastSeq is the log's end when the epoch was raised.
func (l *Log) Open(orgID, conversationID string, epoch, lastSeq int64) *Writer {
	return &Writer{log: l, orgID: orgID, id: conversationID, epoch: epoch, lastSeq: lastSeq, done: make(chan struct{})}
}

func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// enqueue adds an entry; the caller holds l.mu.
func (l *Log) enqueue(w *Writer, e *entry) {
	if len(w.pending) == 0 {
		l.dirty = append(l.dirty, w)
	}
	w.pending = append(w.pending, e)
	w.bytes += e.size
	l.bytes += e.size
	l.rows++
	switch {
	case e.committed != nil || l.rows >= commitRows:
		l.signal()
	case l.rows == 1:
		l.timer.Reset(commitEvery)
	}
}

// entry is one event on its way into the database.
type entry struct {
	event     parley.Event
	size      int
	also      []func(context.Context, *store.Tx) error
	committed chan error // intents only; capacity 1
	abandoned bool       // the waiter gave up: do not write it
}

// Writer appends to one conversation during one epoch. Safe for concurrent use.
type Writer struct {
	log    *Log
	orgID  string
	id     string
	epoch  int64
	done   chan struct{}
	closed bool

	// guarded by log.mu
	lastSeq int64
	pending []*entry
	bytes   int
	err     error
	dropped int64
}

// Fact appends an event that is committed within 100 ms. It never blocks. After Done is closed it does nothing.
func (w *Writer) Fact(typ string, data any) { w.add(parley.NewEvent(typ, time.Now(), data), false) }

// Telemetry appends an event that may be dropped when the database does not keep up.
func (w *Writer) Telemetry(typ string, data any) { w.add(parley.NewEvent(typ, time.Now(), data), true) }

func (w *Writer) add(e parley.Event, droppable bool) {
	l := w.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.err != nil || w.closed {
		return
	}
	if droppable && (w.bytes > conversationBytes/4 || l.bytes > processBytes/4) {
		w.dropped++
		l.stats.Dropped++
		return
	}
	if w.dropped > 0 {
		gap := parley.NewEvent(parley.EventGap, time.Now(), parley.GapData{Dropped: w.dropped})
		w.dropped = 0
		l.enqueue(w, newEntry(gap))
	}
	l.enqueue(w, newEntry(e))
	if w.bytes > conversationBytes || l.bytes > processBytes {
		w.fail(ErrOverBound)
	}
}

func newEntry(e parley.Event) *entry {
	return &entry{event: e, size: len(e.Data) + len(e.Type) + 64}
}

// Intent appends an event and waits for its commit. The functions given run in the same transaction, right
// before the event is appended; when one fails, neither its writes nor the event are applied and its error is
// returned. store.ErrFenced says that another process owns the conversation now. When ctx ends first, the
// event may or may not have been committed.
func (w *Writer) Intent(ctx context.Context, typ string, data any, also ...func(context.Context, *store.Tx) error) error {
	e := newEntry(parley.NewEvent(typ, time.Now(), data))
	e.also, e.committed = also, make(chan error, 1)
	l := w.log
	l.mu.Lock()
	if err := w.unusable(); err != nil {
		l.mu.Unlock()
		return err
	}
	l.enqueue(w, e)
	l.mu.Unlock()
	select {
	case err := <-e.committed:
		return err
	case <-ctx.Done():
		l.mu.Lock()
		e.abandoned = true
		l.mu.Unlock()
		return ctx.Err()
	}
}

// unusable says why nothing more can be appended; the caller holds log.mu.
func (w *Writer) unusable() error {
	if w.err != nil {
		return w.err
	}
	if w.closed || w.log.closing {
		return ErrClosed
	}
	return nil
}

// fail ends the writer; the caller holds log.mu.
func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
		close(w.done)
	}
}

// Done is closed when the writer may not append any more: fenced, or over its bound. Err says which.
func (w *Writer) Done() <-chan struct{} { return w.done }

// Err says why Done was closed.
func (w *Writer) Err() error {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	return w.err
}

// Close says that nothing more will be appended. What is pending is still committed.
func (w *Writer) Close() {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	w.closed = true
}

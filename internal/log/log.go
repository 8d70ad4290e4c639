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
	"fmt"
	"log/slog"
	"sync"
	"time"

	"parley/internal/event"
	"parley/internal/store"
)

// Bounds and timing. Group commit is what makes 100 calls affordable on a disk that syncs.
const (
	commitEvery         = 50 * time.Millisecond
	commitRows          = 256 // events of one transaction
	commitConversations = 200 // of one transaction; each costs one more row, 500 are the limit of the house
	commitTimeout       = 10 * time.Second
	retryMin            = 20 * time.Millisecond
	retryMax            = time.Second
	intentTimeout       = 5 * time.Second // when the caller sets none
	giveUpGrace         = time.Second     // for the cancelled transaction to let go

	// What is not yet committed. At the soft bound the conversation is told to end (Writer.Done); the reserve
	// up to the hard bound is for its last words and its end.
	conversationBytes = 4 << 20
	processBytes      = 64 << 20
	reserveBytes      = 256 << 10
)

// ErrOverBound says that a conversation, or the process, holds more uncommitted events than it may: the
// database does not keep up. The conversation must end; its end can still be appended.
var ErrOverBound = errors.New("too many uncommitted events")

// ErrClosed says that the writer or the log was closed.
var ErrClosed = errors.New("the log is closed")

// ErrFenced says that another process owns the conversation now.
var ErrFenced = store.ErrFenced

// Options of a Log.
type Options struct {
	Logger *slog.Logger // nil = none
}

// Log commits the events of this process. It is safe for concurrent use and owns one goroutine, and on a shared database
// a second one that hears of what other processes commit.
type Log struct {
	st     *store.Store
	bus    *event.Bus
	logger *slog.Logger

	mu      sync.Mutex
	dirty   []*Writer // writers with pending entries, in order of their first
	rows    int       // pending entries
	intents int       // of them, entries that somebody waits for
	bytes   int       // pending and in the transaction
	due     time.Time // when the pending entries are to be committed at the latest
	closing bool
	ended   bool // the committer is gone: nothing can be appended any more
	stats   Stats

	wake      chan struct{}
	done      chan struct{}
	listening chan struct{}   // closed when nobody listens any more
	ctx       context.Context //nolint:containedctx // the committer's life: it ends when Close gives up
	giveUp    context.CancelFunc
}

// Stats is a snapshot for metrics. The counters begin at 0 with the process.
type Stats struct {
	Commits      int64         // transactions
	Rows         int64         // events committed
	Retries      int64         // transactions that failed and were tried again
	Fenced       int64         // writers that another process replaced
	Dropped      int64         // telemetry dropped, each counted in a log.gap event
	Lost         int64         // facts that could not be kept: past the hard bound, or the log was closed
	PendingBytes int           // not yet committed
	LastWait     time.Duration // age of the oldest event of the last transaction when it was committed
	MaxWait      time.Duration // the longest so far
}

// New starts the committer. Close ends it.
func New(st *store.Store, bus *event.Bus, o Options) *Log {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{st: st, bus: bus, logger: o.Logger, wake: make(chan struct{}, 1), done: make(chan struct{})}
	l.ctx, l.giveUp = context.WithCancel(context.Background())
	go l.run()
	l.listening = make(chan struct{})
	go func() {
		defer close(l.listening)
		if st.Shared() {
			bus.Listen(l.ctx, st, l.logger)
		}
	}()
	return l
}

// Bus is where the log publishes what it has committed.
func (l *Log) Bus() *event.Bus { return l.bus }

// Close commits what is pending, however often the database must be asked, and ends the committer. When ctx is
// done first, what is still pending is lost and the error says how much.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closing = true
	before := l.stats.Lost
	l.mu.Unlock()
	l.signal()
	select {
	case <-l.done:
		l.giveUp()
		<-l.listening
		return nil
	case <-ctx.Done():
	}
	l.giveUp()
	grace := time.NewTimer(giveUpGrace)
	defer grace.Stop()
	select {
	case <-l.done:
		<-l.listening
	case <-grace.C:
	}
	return fmt.Errorf("closing the log: %d events were not committed: %w", l.Stats().Lost-before, ctx.Err())
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

// Open returns the writer of a conversation for one epoch. lastSeq is the log's end as committed with the epoch, which
// is published.
func (l *Log) Open(orgID, conversationID string, epoch, lastSeq int64) *Writer {
	l.bus.Publish(conversationID, lastSeq)
	return &Writer{log: l, orgID: orgID, id: conversationID, epoch: epoch, lastSeq: lastSeq, done: make(chan struct{})}
}

// signal makes the committer look at the queue again.
func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// enqueue adds an entry; the caller holds l.mu.
func (l *Log) enqueue(w *Writer, e *entry) {
	if len(l.dirty) == 0 {
		l.due = time.Now().Add(commitEvery)
		l.signal()
	}
	if len(w.pending) == 0 {
		l.dirty = append(l.dirty, w)
	}
	w.pending = append(w.pending, e)
	w.bytes += e.size
	l.bytes += e.size
	l.rows++
	if e.committed != nil {
		w.intents++
		l.intents++
	}
	if e.committed != nil || l.rows == commitRows {
		l.signal()
	}
}

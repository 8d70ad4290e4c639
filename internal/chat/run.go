package chat

import (
	"context"
	"sync"
	"time"
	"unicode/utf8"

	"parley"
)

// Run is one turn of a chat: from a visitor's message to the end of its answer. It keeps what has happened so
// far, and readers draw from that at their own pace; a slow reader gets bigger pieces and delays nobody. All
// methods are safe for concurrent use.
type Run struct {
	ID             string
	OrgID          string
	AgentID        string
	ConversationID string
	UserMessageID  string // the item id of the message that began it
	Simulated      bool   // the built-in simulated model answers

	// CommitWait is how long the message waited for its commit; the model was asked meanwhile. Known when Start returns.
	CommitWait time.Duration

	cancel context.CancelCauseFunc
	done   chan struct{} // closed after run.completed
	mirror bool          // another process is at work on it
	loaded int64         // number of the newest chunk, of a run that is read from the store

	mu      sync.Mutex
	base    int64  // added to every id: an attempt's ids are above those of the one before
	floor   int64  // the next event's id, before base, is at least this
	cut     bool   // nothing more will be known of it here
	text    []byte // of the answer so far
	chars   int64  // code points in text
	marks   []mark // everything that is not text, in order
	readers map[*reader]struct{}
	result  Result
	err     error
	endedAt time.Time
}

// mark is an event at a place in the text.
type mark struct {
	Event
	offset int   // bytes of text before it
	chars  int64 // code points of text before it
}

// Result is what came of a run.
type Result struct {
	ConversationID string
	RunID          string
	MessageID      string // of the answer; "" when there is none
	Status         string
	Text           string // what was written, also when the run was stopped or failed
	ToolCalls      []parley.ToolCall
	Usage          parley.Usage
	Simulated      bool
}

// attemptIDs is the room for the ids of one attempt at a run: more than an answer can have characters. What ends a run
// whose process died has ids above it, because its readers may have seen more than was stored.
const attemptIDs = 1 << 24

// newRun makes a run of this process.
func newRun(orgID, agentID, conversationID string) *Run {
	return &Run{
		ID: parley.NewID(), OrgID: orgID, AgentID: agentID, ConversationID: conversationID, UserMessageID: parley.NewID(),
		cancel: func(error) {}, done: make(chan struct{}), readers: map[*reader]struct{}{},
	}
}

// Done is closed when the run has ended and is on record.
func (r *Run) Done() <-chan struct{} { return r.done }

// Wait waits for the end of the run and returns its result. The error is the context's, or of code unavailable
// or internal with words for the visitor when the run failed. A stopped run is no error.
func (r *Run) Wait(ctx context.Context) (Result, error) {
	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// addText appends to the answer.
func (r *Run) addText(s string) {
	n := int64(utf8.RuneCountInString(s))
	r.mu.Lock()
	r.text = append(r.text, s...)
	r.chars += n
	r.wake()
	r.mu.Unlock()
}

// add appends an event behind the text so far.
func (r *Run) add(typ string, data any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addLocked(typ, data)
	r.wake()
}

func (r *Run) addLocked(typ string, data any) {
	m := mark{Event: Event{Type: typ, Data: data}, offset: len(r.text), chars: r.chars}
	last := mark{}
	if n := len(r.marks); n > 0 {
		last = r.marks[n-1]
	}
	m.ID = last.ID + 1
	if m.offset > last.offset { // the delta before this event comes first
		m.ID = max(r.chars, last.ID+1) + 1
	}
	m.ID = max(m.ID, r.floor)
	r.marks = append(r.marks, m)
}

// answer returns the text so far.
func (r *Run) answer() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.text)
}

// over ends the run for its readers; failure, in words for the visitor, is nil when it has not failed.
func (r *Run) over(at time.Time, result Result, failure *parley.Error) {
	if failure == nil {
		r.end(at, result, nil)
		return
	}
	r.add(EventError, ErrorData{Type: string(failure.Code), Message: failure.Message})
	r.end(at, result, failure)
}

// end closes the run with its last event.
func (r *Run) end(at time.Time, result Result, err error) {
	r.mu.Lock()
	r.addLocked(EventRunCompleted, DoneData{Status: result.Status})
	r.result, r.err, r.endedAt = result, err, at
	r.wake()
	r.mu.Unlock()
	close(r.done)
}

// since returns what was said and done behind a place in the text and among the marks, and the place of the end.
func (r *Run) since(offset, marks int) (pieces []piece, newOffset, newMarks int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ; marks < len(r.marks); marks++ {
		m := &r.marks[marks]
		pieces = append(pieces, piece{text: string(r.text[offset:m.offset]), event: &m.Event})
		offset = m.offset
	}
	if offset < len(r.text) {
		pieces = append(pieces, piece{text: string(r.text[offset:])})
	}
	return pieces, len(r.text), marks
}

// piece is some text and the event behind it, nil for none.
type piece struct {
	text  string
	event *Event
}

// wake tells every reader that there is more. r.mu is held.
func (r *Run) wake() {
	for rd := range r.readers {
		select {
		case rd.more <- struct{}{}:
		default: // it has been told already
		}
	}
}

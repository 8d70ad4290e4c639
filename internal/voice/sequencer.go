package voice

import (
	"strings"
	"time"
)

// sequencer lets one response exist at a time: the model refuses a second one while the first is active. A
// wish for an answer that comes too early is remembered, and several wishes become one.
//
// It belongs to the session's goroutine; the session sends what it decides.
type sequencer struct {
	wanted       bool
	instructions string // of the wanted response; "" = the session's

	creating   string // event id of the response.create in flight
	creatingAt time.Time
	active     string // id of the active response
	activityAt time.Time
	blocked    bool // the model says a response is active that we do not know: wait for its end
}

// want asks for an answer as soon as the line is free.
func (q *sequencer) want(instructions string) {
	q.wanted = true
	q.instructions = instructions
}

// ready reports whether the wanted response can be created now.
func (q *sequencer) ready() bool {
	return q.wanted && q.creating == "" && q.active == "" && !q.blocked
}

// sent books the response.create that ready allowed.
func (q *sequencer) sent(eventID string, now time.Time) {
	q.wanted, q.instructions = false, ""
	q.creating, q.creatingAt = eventID, now
}

// created books response.created.
func (q *sequencer) created(responseID string, now time.Time) {
	q.creating, q.active, q.activityAt = "", responseID, now
}

// done books response.done of any response.
func (q *sequencer) done(responseID string) {
	if q.active == responseID {
		q.active = ""
	}
	q.blocked = false
}

// refused books an error that answers our response.create and reports whether it was ours. When another
// response is still active, the wish stays and waits for that one's end.
func (q *sequencer) refused(eventID, code string) (ours bool) {
	if eventID == "" || eventID != q.creating {
		return false
	}
	q.creating = ""
	if code == "conversation_already_has_active_response" {
		q.wanted, q.blocked = true, q.active == ""
	}
	return true
}

// busy reports whether the model is working on an answer.
func (q *sequencer) busy() bool { return q.creating != "" || q.active != "" }

// isActiveResponseError reports whether an error without our event id says that a response is active. Some
// servers leave error.event_id null.
func isActiveResponseError(code, message string) bool {
	return code == "conversation_already_has_active_response" || strings.Contains(message, "already has an active response")
}

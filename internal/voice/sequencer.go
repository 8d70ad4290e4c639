package voice

import (
	"strings"
	"time"

	"parley/internal/leg"
)

// sequencer lets one response exist at a time: the model refuses a second one while the first is active. A
// wish for an answer that comes too early is remembered, and several wishes become one.
//
// It belongs to the session's goroutine; the session sends what it decides.
type sequencer struct {
	wanted bool
	ask    leg.Ask // the wanted response
	asked  leg.Ask // the last response.create, should it have to be asked again

	creating   string // event id of the response.create in flight
	creatingAt time.Time
	active     string // id of the active response
	activityAt time.Time
	blocked    bool // the model says a response is active that we do not know: wait for its end
	refusals   int  // of this kind, in a row
}

// want asks for an answer as soon as the line is free. Of several wishes an ordinary answer counts, and among others
// the newest. The result is false when the wish is dropped.
func (q *sequencer) want(a leg.Ask) bool {
	if q.wanted && q.ask == (leg.Ask{}) && a != q.ask {
		return false
	}
	q.wanted, q.ask = true, a
	return true
}

// again asks once more for the last answer, unless another one is wanted by now. Whatever was in the way may
// be over: its end is not always seen.
func (q *sequencer) again() {
	q.blocked = false
	if !q.wanted {
		q.want(q.asked)
	}
}

// ready reports whether the wanted response can be created now.
func (q *sequencer) ready() bool {
	return q.wanted && q.creating == "" && q.active == "" && !q.blocked
}

// sent books the response.create that ready allowed.
func (q *sequencer) sent(eventID string, now time.Time) {
	q.asked = q.ask
	q.wanted, q.ask = false, leg.Ask{}
	q.creating, q.creatingAt = eventID, now
}

// created books response.created.
func (q *sequencer) created(responseID string, now time.Time) {
	q.creating, q.active, q.activityAt, q.refusals = "", responseID, now, 0
}

// done books response.done of any response.
func (q *sequencer) done(responseID string) {
	if q.active == responseID {
		q.active = ""
	}
	q.blocked = false
}

// refused books an error that answers our response.create.
func (q *sequencer) refused() { q.creating = "" }

// inTheWay books that our response.create was refused because another response is still active. The wish stays
// and waits for that one's end.
func (q *sequencer) inTheWay() {
	q.creating = ""
	q.again()
	q.blocked = q.active == ""
	q.refusals++
}

// lost forgets the responses of a session that is gone. A wish stays.
func (q *sequencer) lost() {
	q.creating, q.active, q.blocked, q.refusals = "", "", false, 0
}

// busy reports whether the model is working on an answer.
func (q *sequencer) busy() bool { return q.creating != "" || q.active != "" }

// isActiveResponseError reports whether an error says that another response is active. Some servers leave its
// code null.
func isActiveResponseError(code, message string) bool {
	return code == "conversation_already_has_active_response" || strings.Contains(message, "already has an active response")
}

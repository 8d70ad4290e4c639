package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/internal/sim/model"
)

// TestTripsAreKnownAgain: the person's message, the tool's request and its answer are tied together by a name.
func TestTripsAreKnownAgain(t *testing.T) {
	t.Parallel()
	r := &toolRig{trips: map[string]*trip{}}
	b := toolBrain{r}
	called := b.Reply(model.ChatTurn{Messages: []model.ChatMessage{{Role: "user", Text: "Look up trip-7"}}, Tools: []model.Tool{{Name: "quick"}}})
	if len(called.Calls) != 1 || called.Calls[0] != (model.Call{Name: "quick", Arguments: `{"trip":"trip-7"}`}) {
		t.Fatalf("%+v", called)
	}
	answer := httptest.NewRecorder()
	r.answerQuick(answer, httptest.NewRequest(http.MethodGet, "/quick?trip=trip-7", nil))
	told := b.Reply(model.ChatTurn{Messages: []model.ChatMessage{{Role: "tool", Text: "The tool says: " + answer.Body.String()}}, Tools: []model.Tool{{Name: "quick"}}})
	if told.Text != "done trip-7" || len(told.Calls) != 0 {
		t.Errorf("%+v", told)
	}
	got := r.trips["trip-7"]
	if got.called.IsZero() || got.asked.Before(got.called) || got.answered.Before(got.asked) || got.told.Before(got.answered) {
		t.Errorf("%+v", got)
	}
	if plain := b.Reply(model.ChatTurn{Messages: []model.ChatMessage{{Role: "user", Text: "Hi"}}}); plain.Text != answerText || len(r.trips) != 1 {
		t.Errorf("without a tool: %+v", plain)
	}
}

// TestToolReport: what went wrong is said, times never count as wrong.
func TestToolReport(t *testing.T) {
	t.Parallel()
	slow := spreadOf([]time.Duration{time.Second, time.Minute})
	r := toolReport{Adds: []toolAdds{{Subject: "bare loop"}, {Subject: subjectParley, Trips: 2, Both: slow}}, Beside: []besidePhase{{Name: phaseNames[phaseWait], Slow: 1000, Up: slow}, {Name: phaseNames[phaseEnd]}}}
	rig := &toolRig{server: &server{}}
	if r.finish(rig); !r.OK {
		t.Error("slow counts as wrong")
	}
	rig.fault("a slow chat: %q", "lost")
	r.finish(rig)
	var out strings.Builder
	if err := r.table(&out); err != nil || r.OK {
		t.Errorf("ok %v, %v", r.OK, err)
	}
	for _, want := range []string{"parley", "60000.00 ms", "1000.00 ms (p50), 60000.00 ms (p99) longer", "slow calls wait", `a slow chat: "lost"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
}

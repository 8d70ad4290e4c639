package call

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"parley"
	"parley/internal/leg"
)

// TestHistoryOfALostCall: what a joining model is told after a process died in the middle of everything.
func TestHistoryOfALostCall(t *testing.T) {
	t.Parallel()
	at := time.Now()
	var log []parley.Event
	add := func(typ string, data any) {
		at = at.Add(time.Millisecond)
		log = append(log, parley.NewEvent(typ, at, data))
	}
	add(parley.EventMessageAssistant, parley.MessageAssistantData{ItemID: "a1", Text: "Hello.", AudioMs: 500, Complete: true})
	add(parley.EventMessageHeard, parley.MessageHeardData{ItemID: "a1", HeardText: "Hello."})
	add(parley.EventTurnCommitted, parley.TurnCommittedData{ItemID: "u1"})
	add(parley.EventToolStarted, parley.ToolStartedData{CallID: "c1", Name: "look_up", Arguments: json.RawMessage(`{"id":7}`)})
	add(parley.EventMessageUser, parley.MessageUserData{ItemID: "u1", Text: "Where is my parcel?"}) // the words come late
	add(parley.EventToolCompleted, parley.ToolCompletedData{CallID: "c1", Name: "look_up", Result: "in Turku", Outcome: "ok"})
	add(parley.EventMessageAssistant, parley.MessageAssistantData{ItemID: "a2", Text: "It is in Turku, and will come tomorrow.", AudioMs: 3000, Complete: true})
	add(parley.EventPlayoutPosition, parley.PlayoutPositionData{ItemID: "a2", HeardMs: 1000, HeardText: "It is in Turku,"})
	add(parley.EventToolStarted, parley.ToolStartedData{CallID: "c2", Name: "send_text", Arguments: json.RawMessage(`{}`)})
	add(parley.EventMessageAssistant, parley.MessageAssistantData{ItemID: "a3", Text: "I have sent you a text.", AudioMs: 900, Complete: true}) // not heard at all
	add(parley.EventStreamStarted, parley.StreamStartedData{Epoch: 2})
	want := []leg.HistoryItem{
		{Role: "assistant", Text: "Hello."},
		{Role: "user", Text: "Where is my parcel?"},
		{Kind: leg.HistoryToolCall, CallID: "c1", Name: "look_up", Arguments: `{"id":7}`},
		{Kind: leg.HistoryToolResult, CallID: "c1", Text: "in Turku"},
		{Role: "assistant", Text: "It is in Turku,—"},
		{Kind: leg.HistoryToolCall, CallID: "c2", Name: "send_text", Arguments: `{}`},
		{Kind: leg.HistoryToolResult, CallID: "c2", Text: lostOutcome},
	}
	if got := history(parley.Project(log)); !slices.Equal(got, want) {
		t.Errorf("history:\n%+v\nwant\n%+v", got, want)
	}
	add(parley.EventTurnCommitted, parley.TurnCommittedData{ItemID: "u2"})
	want = append(want, leg.HistoryItem{Role: "user", Text: lostWords})
	if got := history(parley.Project(log)); !slices.Equal(got, want) {
		t.Errorf("with a turn whose words were lost:\n%+v", got)
	}
}

package parley_test

import (
	"testing"
	"time"

	"parley"
)

// TestTranscriptLeavesEchoesOut: what nobody said is on record, and in no transcript.
func TestTranscriptLeavesEchoesOut(t *testing.T) {
	t.Parallel()
	var log []parley.Event
	add := func(typ string, data any) { log = append(log, parley.NewEvent(typ, time.Now(), data)) }
	for _, item := range []string{"u1", "u2", "u3"} {
		add(parley.EventTurnCommitted, parley.TurnCommittedData{ItemID: item})
		add(parley.EventMessageUser, parley.MessageUserData{ItemID: item, Text: "words of " + item})
	}
	add(parley.EventTurnDecided, parley.TurnDecidedData{ItemID: "u1", State: parley.TurnAnswered})
	add(parley.EventTurnDecided, parley.TurnDecidedData{ItemID: "u2", State: parley.TurnEcho, By: parley.ByWords})
	add(parley.EventTurnDecided, parley.TurnDecidedData{ItemID: "u3", State: parley.TurnBackchannel, By: parley.ByWords})
	rec := parley.Project(log)
	if len(rec.Messages) != 2 || rec.MessageCount != 2 || rec.Messages[0].Text != "words of u1" || rec.Messages[1].Text != "words of u3" {
		t.Errorf("%+v", rec.Messages)
	}
}

// TestTranscriptOfALostStream: a process that dies records no end of what it was saying. The last position is what was
// heard.
func TestTranscriptOfALostStream(t *testing.T) {
	t.Parallel()
	position := func(heard string) []any {
		return []any{parley.EventPlayoutPosition, parley.PlayoutPositionData{ItemID: "a", HeardText: heard}}
	}
	words := []any{parley.EventMessageAssistant, parley.MessageAssistantData{ItemID: "a", Text: "one two three", AudioMs: 900, Complete: true}}
	heard := []any{parley.EventMessageHeard, parley.MessageHeardData{ItemID: "a", HeardText: "one two three"}}
	lost := []any{parley.EventStreamStarted, parley.StreamStartedData{}}
	written := []any{parley.EventMessageAssistant, parley.MessageAssistantData{ItemID: "a", Text: "one two three", Complete: true}}
	ended := []any{parley.EventConversationEnded, parley.EndData{}}
	text := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		log         [][]any
		text        string
		heard       *string
		interrupted bool
	}{
		"being spoken, words to come": {[][]any{position("one"), position("one two")}, "one two", nil, false},
		"being spoken":                {[][]any{position("one"), words, position("one two")}, "one two three", nil, false},
		"lost before the words came":  {[][]any{position("one"), position("one two"), lost}, "one two", text("one two"), true},
		"lost after them":             {[][]any{position("one"), words, lost}, "one two three", text("one"), true},
		"lost before any was heard":   {[][]any{words, lost}, "one two three", text(""), true},
		"lost for ever":               {[][]any{position("one"), words, ended}, "one two three", text("one"), true},
		"heard before the loss":       {[][]any{words, position("one"), heard, lost}, "one two three", text("one two three"), false},
		"heard on after it":           {[][]any{words, position("one"), lost, heard}, "one two three", text("one two three"), false},
		"written":                     {[][]any{written, ended}, "one two three", nil, false},
	} {
		var log []parley.Event
		for _, e := range c.log {
			log = append(log, parley.NewEvent(e[0].(string), time.Now(), e[1]))
		}
		got := parley.Project(log).Messages
		if len(got) != 1 {
			t.Fatalf("%s: %+v", name, got)
		}
		m := got[0]
		same := (m.HeardText == nil) == (c.heard == nil) && (m.HeardText == nil || *m.HeardText == *c.heard)
		if m.Role != "assistant" || m.Text != c.text || m.Interrupted != c.interrupted || !same {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

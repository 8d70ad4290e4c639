package main

import (
	"strings"
	"testing"

	"parley/internal/sim/phone"
)

// A spoken text is a failure only where it took the agent's place: a recording is announced before the agent answers.
func TestJudgeOfNotices(t *testing.T) {
	t.Parallel()
	recorded := phone.Report{
		EndedBy: "caller", Notices: []string{"This call is recorded."}, Turns: []phone.Turn{{Answered: true}}, Streams: make([]phone.StreamReport, 1),
	}
	if err := (&callCmd{}).judge(&recorded, nil, 1); err != nil {
		t.Errorf("a recorded call: %v", err)
	}
	refused := phone.Report{EndedBy: "hangup verb", Notices: []string{"All our lines are busy."}}
	if err := (&callCmd{}).judge(&refused, nil, 1); err == nil || !strings.Contains(err.Error(), "All our lines are busy.") {
		t.Errorf("a refused call: %v", err)
	}
}

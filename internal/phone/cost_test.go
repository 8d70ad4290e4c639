package phone

import (
	"slices"
	"testing"
	"time"

	"parley"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/store/storetest"
)

// TestCallThatCostsEnoughIsWrappedUp talks until the call has cost what it may: the caller hears the answer to the end,
// then a goodbye, and the call ends for that reason, with everything billed.
func TestCallThatCostsEnoughIsWrappedUp(t *testing.T) {
	t.Parallel()
	dollars := 0.01
	h := newHouse(t, storetest.SQLite(t), houseOptions{billed: true, voice: func(v *parley.VoiceConfig) {
		v.MaxCost, v.Greeting = &dollars, "Hello, this is Ada."
	}})
	long := model.Say("We open at nine on every day of the week, except on Sundays, when we open at ten, and on holidays, when we do not open at all.")
	h.model.Script(model.Say("Hello, this is Ada."), long, model.Say("I have to end the call now. Goodbye."))
	program := []phone.Step{phone.WaitForAgent(patience), phone.WaitForSilence(time.Second, patience)}
	for range 4 {
		program = append(program, phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(2*time.Second, patience))
	}
	_, r := h.dial(phone.Options{Program: program})
	conv, events := h.conversation()
	rec := parley.Project(events)
	if conv.EndReason != parley.EndMaxCost || conv.Status != parley.ConversationCompleted || r.EndedBy == "caller" {
		t.Fatalf("ended %q %s by %q, cost %d\n%s", conv.EndReason, conv.Status, r.EndedBy, rec.Cost, types(events))
	}
	last := rec.Messages[len(rec.Messages)-1]
	if last.Role != "assistant" || last.HeardText == nil || *last.HeardText != last.Text || last.Interrupted {
		t.Errorf("the last words %+v", last)
	}
	if rec.Cost < 10_000 || rec.Cost > 100_000 || rec.Prices != parley.PriceVersion || conv.Summary.Cost != rec.Cost || rec.Usage.CarrierMinutes == 0 {
		t.Errorf("cost %d by %q, summary %+v", rec.Cost, rec.Prices, conv.Summary)
	}
	if !slices.ContainsFunc(events, func(e parley.Event) bool { return e.Type == parley.EventCostReached }) {
		t.Errorf("not on record:\n%s", types(events))
	}
}

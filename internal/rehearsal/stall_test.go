package rehearsal

import (
	"math"
	"testing"
	"time"

	"parley/internal/audio"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/sim/speech"
)

// TestStallsAreHeardOnce: a network that stalls for 250 ms every 10 s is heard at its first stall only: the bridge then
// sends so far ahead that the phone has enough to play. virtual time has its own test in internal/voice; this one has a
// real network and a phone's real clock.
func TestStallsAreHeardOnce(t *testing.T) {
	t.Parallel()
	const speaks, stall = 36 * time.Second, 250 * time.Millisecond
	h, p := stalling(t, Weather{StallEvery: 10 * time.Second, Stall: stall})
	h.Model.Script(model.Reply{Items: []model.Output{{Say: "A long story.", ULaw: tone(speaks)}}})
	number, err := h.Agent(t.Context(), "storyteller", nil)
	if err != nil {
		t.Fatal(err)
	}
	const limit = time.Minute
	began := time.Now() // within the call's webhook, that is milliseconds, of the answer
	live, err := h.Dial(t.Context(), number, phone.Options{Program: []phone.Step{
		phone.Say(speech.Say("Tell me a story.").ULaw), phone.WaitForAgent(limit), phone.WaitForSilence(time.Second, limit), phone.Hangup(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := live.Wait(t.Context())
	if r == nil || r.EndedBy != "caller" || r.GaveUp != "" || r.ViolationCount > 0 {
		t.Fatalf("%+v", r)
	}
	var told time.Duration
	for _, s := range r.Spurts {
		told += s.Duration
	}
	if told < speaks-time.Second || told > speaks+time.Second {
		t.Errorf("the agent was heard for %v of %v", told, speaks)
	}
	first, later := 0, 0
	for _, u := range r.Underruns {
		since := began.Add(u.At).Sub(p.began)
		t.Logf("%v of silence %v after the network's beginning", u.Duration, since.Round(ms))
		switch {
		case since < 11*time.Second:
			first++
		case u.Duration > 40*ms+r.Late: // a phone whose clock is late is on a machine too busy to judge
			later++
		}
	}
	if first == 0 { // a busy machine is late before the network is, and the lead grows for that
		t.Logf("the first stall was not heard (the phone's clock was up to %v late)", r.Late)
	}
	if later > 0 {
		t.Errorf("%d gaps after the first stall (the phone's clock was up to %v late)", later, r.Late)
	}
}

// stalling opens a house behind a proxy at the carrier's socket.
func stalling(t *testing.T, w Weather) (*House, *Proxy) {
	t.Helper()
	var p *Proxy
	h, err := NewHouse(t.Context(), Options{Carrier: func(target string) (_ string, err error) {
		if p, err = NewProxy(target, w); err != nil {
			return "", err
		}
		return p.Address(), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return h, p
}

// tone is a sound without a pause.
func tone(length time.Duration) []byte {
	samples := make([]int16, int(length/time.Millisecond)*audio.Rate/1000)
	for i := range samples {
		samples[i] = int16(8000 * math.Sin(2*math.Pi*440*float64(i)/audio.Rate))
	}
	return audio.EncodeULaw(samples)
}

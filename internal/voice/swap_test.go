package voice

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
)

// hourly are models whose sessions end after an hour.
func hourly(fail func(int) error) *models {
	d := &models{fail: fail}
	d.make = func(int) *modelSim {
		m := newModelSim()
		m.obliging, m.expires = true, time.Now().Add(time.Hour)
		return m
	}
	return d
}

func longCall(v *parley.VoiceConfig) { v.MaxDuration = 4 * 3600 }

// TestSwapBeforeTheCap: a call of three and a half hours has four sessions, and none of them reaches its end.
func TestSwapBeforeTheCap(t *testing.T) {
	skipUnderRace(t)
	synctest.Test(t, func(t *testing.T) {
		d := hourly(nil)
		r := redialRig(t, d, rigOptions{voice: longCall})
		start := time.Now()
		r.turnEnds("u1")
		r.model.say(leg.ModelEvent{Kind: leg.ModelTranscript, ItemID: "u1", Text: "hello"})
		time.Sleep(ms)
		r.reply("r1", "a1", "hi", 500)
		r.responseDone("r1", "completed")
		time.Sleep(210 * time.Minute)
		dials := d.dials()
		if len(dials) != 4 {
			t.Fatalf("%d sessions", len(dials))
		}
		for n, at := range dials[1:] {
			if got := at.Sub(start).Round(time.Minute); got != time.Duration(n+1)*55*time.Minute {
				t.Errorf("session %d was opened after %v", n+2, got)
			}
			if got := d.newest(t, n+2).log(); !slices.Equal(got, []string{"configure", "history user hello", "history assistant hi"}) {
				t.Errorf("session %d was told %q", n+2, got)
			}
		}
		for _, swap := range find[parley.ModelSwappedData](r.tape, parley.EventModelSwapped) {
			if !swap.Silent || swap.Lost || swap.Items != 2 {
				t.Errorf("swapped %+v", swap)
			}
		}
		if errs := find[parley.ErrorData](r.tape, parley.EventError); len(errs) > 0 || len(find[parley.ModelLostData](r.tape, parley.EventModelLost)) > 0 {
			t.Errorf("errors %+v", errs)
		}
		r.stop()
	})
}

// TestSwapWaitsForSilence: not while the agent is heard, the model works, the caller speaks or a transcript is awaited.
func TestSwapWaitsForSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := hourly(nil)
		r := redialRig(t, d, rigOptions{voice: longCall})
		swapped := func() int { return len(find[parley.ModelSwappedData](r.tape, parley.EventModelSwapped)) }
		time.Sleep(55*time.Minute - 10*time.Second)
		r.turnEnds("u1")
		time.Sleep(ms)
		r.reply("r1", "a1", words, 20_000)
		time.Sleep(15 * time.Second) // 55:05, in the answer
		next := d.newest(t, 2)
		if swapped() != 0 {
			t.Fatal("swapped while the agent was heard")
		}
		r.responseDone("r1", "completed")
		r.speechStarted() // 55:05, into the answer
		time.Sleep(9 * time.Second)
		if swapped() != 0 {
			t.Fatal("swapped while the caller was speaking")
		}
		r.turnEnds("u2")
		time.Sleep(ms)
		r.reply("r2", "a2", "two", 500)
		r.responseDone("r2", "completed")
		time.Sleep(3 * time.Second)
		if swapped() != 0 {
			t.Fatal("swapped while the caller's words were on their way")
		}
		r.model.say(leg.ModelEvent{Kind: leg.ModelTranscript, ItemID: "u1", Text: "one"}, leg.ModelEvent{Kind: leg.ModelTranscript, ItemID: "u2", Text: "too"})
		time.Sleep(100 * ms)
		if swapped() != 1 {
			t.Fatal("not swapped in silence")
		}
		want := []string{"configure", "history user one", "history assistant ", "history user too", "history assistant two"}
		got := next.log()
		if len(got) == len(want) && strings.HasPrefix(got[2], want[2]) && strings.HasSuffix(got[2], "—") {
			got[2] = want[2]
		}
		if !slices.Equal(got, want) {
			t.Errorf("the successor was told %q", got)
		}
		// The caller's next turn is the successor's, with its beginning.
		heard := next.heard()
		if heard < 400*bytesPerMs || heard > 700*bytesPerMs {
			t.Errorf("it has heard %d ms from before", heard/bytesPerMs)
		}
		r.model = next
		r.turnEnds("u3")
		time.Sleep(ms)
		if got := next.log(); got[len(got)-1] != "create" {
			t.Errorf("the successor does not answer: %q", got)
		}
		r.stop()
	})
}

// TestSwapAtTheLatest: no silence comes: a minute before the end the successor takes over after a response, and what is
// still being heard can still be cut off exactly.
func TestSwapAtTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := hourly(nil)
		r := redialRig(t, d, rigOptions{voice: longCall})
		time.Sleep(55*time.Minute - time.Second)
		r.turnEnds("u1")
		time.Sleep(ms)
		r.reply("r1", "a1", words, 290_000)
		for range 25 { // until 59:09 the response goes on, to be heard until 59:49
			time.Sleep(10 * time.Second)
			r.model.say(leg.ModelEvent{Kind: leg.ModelText, ResponseID: "r1", ItemID: "a1"})
		}
		if n := len(find[parley.ModelSwappedData](r.tape, parley.EventModelSwapped)); n != 0 {
			t.Fatalf("swapped %d times while a response was active", n)
		}
		r.responseDone("r1", "completed")
		time.Sleep(100 * ms)
		next := d.newest(t, 2)
		if swaps := find[parley.ModelSwappedData](r.tape, parley.EventModelSwapped); len(swaps) != 1 || swaps[0].Silent {
			t.Fatalf("swapped %+v", swaps)
		}
		r.model = next
		r.speechStarted()
		time.Sleep(10 * ms)
		if got := next.log(); !strings.HasSuffix(got[len(got)-2], "— after a1") || got[len(got)-1] != "delete a1" {
			t.Errorf("the successor was told %q", got)
		}
		r.stop()
	})
}

// TestSwapThatFails is tried again and disturbs nobody; when the session ends before, the call is redialed.
func TestSwapThatFails(t *testing.T) {
	skipUnderRace(t)
	synctest.Test(t, func(t *testing.T) {
		d := hourly(func(n int) error { return when(n > 0 && n < 3, errors.New("down")) })
		r := redialRig(t, d, rigOptions{voice: longCall})
		time.Sleep(56 * time.Minute)
		if got := len(d.dials()); got != 4 {
			t.Errorf("%d dialings", got)
		}
		if n := len(find[parley.ModelSwappedData](r.tape, parley.EventModelSwapped)); n != 1 {
			t.Errorf("%d swaps", n)
		}
		r.stop()

		d = hourly(func(n int) error {
			return when(n > 0 && time.Since(time.Unix(946684800, 0)) < 117*time.Minute, errors.New("down"))
		})
		r = redialRig(t, d, rigOptions{voice: longCall})
		time.Sleep(61 * time.Minute)
		r.model.say(leg.ModelEvent{Kind: leg.ModelError, Err: &leg.ModelFailure{Code: "session_expired"}})
		time.Sleep(5 * time.Second)
		if lost := find[parley.ModelLostData](r.tape, parley.EventModelLost); len(lost) != 1 || lost[0].Type != "session_expired" {
			t.Errorf("lost %+v", lost)
		}
		if n := len(find[parley.ModelRedialedData](r.tape, parley.EventModelRedialed)); n != 1 {
			t.Errorf("%d redials", n)
		}
		r.stop()
	})
}

// TestLossWithASuccessorReady: it takes over without a pause.
func TestLossWithASuccessorReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := hourly(nil)
		r := redialRig(t, d, rigOptions{voice: longCall})
		time.Sleep(55*time.Minute - 5*time.Second)
		r.turnEnds("u1")
		time.Sleep(ms)
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
		r.part("r1", "a1", "this goes on", 60_000)
		time.Sleep(15 * time.Second)
		r.model.vanish()
		time.Sleep(10 * ms)
		next := d.newest(t, 2)
		if got := len(d.dials()); got != 2 {
			t.Errorf("%d dialings", got)
		}
		if got := next.log(); got[len(got)-1] != "create continue" {
			t.Errorf("the successor was told %q", got)
		}
		if swaps := find[parley.ModelSwappedData](r.tape, parley.EventModelSwapped); len(swaps) != 1 || !swaps[0].Lost {
			t.Errorf("swapped %+v", swaps)
		}
		r.stop()
	})
}

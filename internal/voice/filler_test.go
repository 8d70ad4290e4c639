package voice

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley"
)

// TestTuneStopsForACallerBeforeTheFirstModel: it is taken back once, and comes again when the caller has been silent for a
// while.
func TestTuneStopsForACallerBeforeTheFirstModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		r := newRig(t, rigOptions{
			dial: func(context.Context) (Model, error) { return nil, errors.New("down") },
			caller: func() []byte {
				if at := time.Since(begun); at >= 4*time.Second && at < 6*time.Second {
					return vowel
				}
				return quiet
			},
		})
		time.Sleep(8 * time.Second)
		if got := r.carrier.cleared(); got != 1 {
			t.Errorf("%d clears while the caller spoke", got)
		}
		played := r.carrier.playedMs()
		time.Sleep(2 * time.Second)
		if got := r.carrier.playedMs() - played; got < 1000 {
			t.Errorf("only %d ms of the tune after the caller has spoken", got)
		}
		r.wait() // until the patience is over
		if got := find[parley.FillerPlayedData](r.tape, parley.EventFillerPlayed); len(got) < 1 || len(got) > 2 {
			t.Errorf("on record: %+v", got)
		}
	})
}

// TestFillerInsteadOfSilence: the caller waits for an answer and hears the tune, quietly, until the agent speaks; then
// at once the agent. Nothing of it is on record as said, or told to the model.
func TestFillerInsteadOfSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &models{fail: func(n int) error { return when(n > 0 && n < 4, errors.New("down")) }}
		r := redialRig(t, d, rigOptions{delay: 20 * ms})
		time.Sleep(time.Second)
		r.turnEnds("u1")
		time.Sleep(ms)
		r.model.vanish()
		time.Sleep(600 * ms)
		if got := r.carrier.playedMs(); got != 0 {
			t.Errorf("%d ms played too early", got)
		}
		m := d.newest(t, 2)
		r.model = m
		time.Sleep(400 * ms)
		before := r.carrier.playedMs()
		if before < 2000 {
			t.Errorf("the caller has heard %d ms", before)
		}
		r.reply("r2", "a2", words, 1000)
		r.responseDone("r2", "completed")
		time.Sleep(500 * ms)
		if got := r.carrier.cleared(); got != 1 {
			t.Errorf("the tune was not taken back: %d clears", got)
		}
		time.Sleep(2 * time.Second)
		rec := r.tape.record()
		if n := len(rec.Messages); n != 2 || *rec.Messages[1].HeardText != words {
			t.Errorf("transcript %+v", rec.Messages)
		}
		if got := m.log(); slices.ContainsFunc(got, func(l string) bool { return strings.Contains(l, "filler") || strings.Contains(l, "truncate") }) {
			t.Errorf("the model was told %q", got)
		}
		if got := find[parley.FillerPlayedData](r.tape, parley.EventFillerPlayed); len(got) != 1 || got[0].HeardMs < before-50 {
			t.Errorf("filler on record %+v, heard %d", got, before)
		}
		r.stop()
	})
}

// TestNoFillerWhenNobodyWaits: both sides are silent while the model is replaced.
func TestNoFillerWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &models{fail: func(n int) error { return when(n > 0 && n < 4, errors.New("down")) }}
		r := redialRig(t, d, rigOptions{})
		time.Sleep(3 * time.Second)
		r.model.vanish()
		d.newest(t, 2)
		time.Sleep(2 * time.Second)
		if got := r.carrier.playedMs(); got != 0 {
			t.Errorf("%d ms played to a caller who waits for nothing", got)
		}
		r.stop()
	})
}

// TestBargeInStopsTheFiller.
func TestBargeInStopsTheFiller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		time.Sleep(100 * ms)
		r.turnEnds("u1")
		time.Sleep(7 * time.Second) // the model thinks
		if r.carrier.playedMs() < 1000 {
			t.Fatal("no tune while the model thinks")
		}
		r.speechStarted()
		time.Sleep(10 * ms)
		played := r.carrier.playedMs()
		time.Sleep(time.Second)
		if got := r.carrier.playedMs(); got != played || r.session.filler.item != nil {
			t.Errorf("%d ms were played after the caller began to speak", got-played)
		}
		if rec := r.tape.record(); len(rec.Messages) != 1 {
			t.Errorf("transcript %+v", rec.Messages)
		}
		r.stop()
	})
}

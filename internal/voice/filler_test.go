package voice

import (
	"context"
	"errors"
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

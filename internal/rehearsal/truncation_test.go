package rehearsal

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStamps(t *testing.T) {
	t.Parallel()
	audio := append([]byte{0xFF, marker, digit0}, stamped(4095, 300)...)
	got := stamps(audio[:len(audio)-3])
	if len(got) != 299 || got[0] != (stamp{4095, 0}) || got[298] != (stamp{4095, 298}) {
		t.Errorf("%d stamps, %v … %v", len(got), got[0], got[len(got)-1])
	}
}

// TestTheModelIsToldWhatWasPlayed is the small form of `parley-load truncation`.
func TestTheModelIsToldWhatWasPlayed(t *testing.T) {
	t.Parallel()
	for name, delay := range map[string]time.Duration{"near": 0, "far": 60 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := Truncation(t.Context(), TruncationOptions{Interruptions: 60, Calls: 30, Delay: delay, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			e := r.Errors(.5, .9, .99, 1)
			t.Logf("%d cut off, %d finished; error p50 %d, p90 %d, p99 %d, max %d ms; the phones' clock was up to %v late", len(r.Told), r.Finished, e[0], e[1], e[2], e[3], r.PhoneLate)
			for _, f := range append(r.Refused, r.Faults...) {
				t.Error(f)
			}
			if len(r.Told) < 20 || r.Finished < 10 {
				t.Errorf("%d cut off, %d finished", len(r.Told), r.Finished)
			}
			// A phone whose clock is late plays later than it should: its machine is too busy to judge.
			if bound := 40 + int(r.PhoneLate.Milliseconds()); e[2] > bound {
				t.Errorf("the error is %d ms at p99, more than %d ms", e[2], bound)
			}
		})
	}
}

package rehearsal

import (
	"testing"
	"time"
)

// TestCallersFirstWordsReachTheModel is the small form of `parley-load opening`.
func TestCallersFirstWordsReachTheModel(t *testing.T) {
	t.Parallel()
	r, err := Opening(t.Context(), OpeningOptions{Calls: 40, AtOnce: 40, MaxWait: 3 * time.Second, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r.Calls != 40 || r.Lost != 0 {
		t.Errorf("%d calls, %d of %d frames lost", r.Calls, r.Lost, r.Frames)
	}
	for _, f := range r.Faults {
		t.Error(f)
	}
}

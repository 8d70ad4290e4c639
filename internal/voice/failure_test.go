package voice

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
)

// incomplete ends a response as a provider does that withholds the rest of it.
func (r *rig) incomplete(resp, reason string) {
	r.model.say(leg.ModelEvent{Kind: leg.ModelResponseDone, ResponseID: resp, Status: "incomplete", Err: &leg.ModelFailure{Type: "incomplete", Code: reason}})
}

// excuses counts how often the agent was asked to excuse itself.
func (r *rig) excuses() (n int) {
	r.model.mu.Lock()
	defer r.model.mu.Unlock()
	for _, a := range r.model.asks {
		if strings.Contains(a.Instructions, excuse) {
			n++
		}
	}
	return n
}

// TestWithheldAnswerIsExcused: a caller who waits for an answer that the provider's filter holds back hears why, and no
// silence; what was said to its end needs no excuse.
func TestWithheldAnswerIsExcused(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		spoken int // ms
		want   int
	}{
		"all of it":          {"content_filter", 0, 1},
		"the rest of it":     {"content_filter", 700, 1},
		"too long a thought": {"max_output_tokens", 0, 1},
		"too long a speech":  {"max_output_tokens", 700, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigOptions{}).ready()
			r.turnEnds("u1")
			time.Sleep(10 * ms)
			if c.spoken > 0 {
				r.reply("r1", "a1", words, c.spoken)
			} else {
				r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
			}
			r.incomplete("r1", c.reason)
			time.Sleep(time.Second)
			if got := r.excuses(); got != c.want {
				t.Errorf("%s: %d excuses, want %d", name, got, c.want)
			}
			if c.want > 0 { // once is enough, even if the excuse is cut off too
				r.reply("r2", "a2", words, 500)
				r.incomplete("r2", c.reason)
				time.Sleep(2 * time.Second)
				if got := r.excuses(); got != 1 {
					t.Errorf("%s: %d excuses in the end", name, got)
				}
			}
			r.stop()
		})
	}
}

// TestNothingButFilter: where even the excuse is withheld the call does not go on in silence.
func TestNothingButFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.turnEnds("u1")
		for i := range 2 {
			time.Sleep(time.Second)
			id := string(rune('1' + i))
			r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r" + id})
			r.incomplete("r"+id, "content_filter")
		}
		time.Sleep(time.Second)
		if got := r.excuses(); got != 2 {
			t.Errorf("%d excuses were asked for", got)
		}
		if faults := find[parley.ErrorData](r.tape, parley.EventError); len(faults) != 2 || faults[1].Type != "response_failed" {
			t.Errorf("on record: %+v", faults)
		}
		r.stop()
	})
}

// TestRefusedConfiguration: some servers do not say which event they refuse. The caller must not wait for a session that
// will not come about; an unknown model is not asked for again.
func TestRefusedConfiguration(t *testing.T) {
	for name, fail := range map[string]leg.ModelFailure{
		"configuration": {Type: "invalid_request_error", Code: "invalid_value", Message: "Invalid voice."},
		"model":         {Type: "invalid_request_error", Code: "model_not_found", Message: "The model does not exist."},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			time.Sleep(10 * ms)
			r.model.say(leg.ModelEvent{Kind: leg.ModelError, Err: &fail})
			time.Sleep(10 * ms)
			if out := r.wait(); out.Reason != parley.EndModelUnavailable || out.Intent != parley.IntentNotice {
				t.Errorf("%s: outcome %+v", name, out)
			}
			if faults := find[parley.ErrorData](r.tape, parley.EventError); len(faults) != 1 || faults[0].Type != "configuration_refused" {
				t.Errorf("%s: on record: %+v", name, faults)
			}
		})
	}
}

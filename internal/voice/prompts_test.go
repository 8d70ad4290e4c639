package voice

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/tool"
)

// spoken is what the agent said of its own accord, and when, as seconds from the start.
type spoken struct {
	purpose string
	at      float64
}

// promptRig is a call whose model answers everything with a second of speech, and what it was asked for.
func promptRig(t *testing.T, opt rigOptions) (*rig, func() []spoken) {
	t.Helper()
	start := time.Now()
	r := newRig(t, opt)
	var asked []spoken
	var mu sync.Mutex
	r.model.answers(func(a leg.Ask) (string, int) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, spoken{a.Purpose, time.Since(start).Round(100 * ms).Seconds()})
		return "one sentence", 1000
	})
	r.ready()
	return r, func() []spoken {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(asked)
	}
}

func (r *rig) over() bool {
	select {
	case <-r.ran:
		return true
	default:
		return false
	}
}

func TestSilence(t *testing.T) {
	cases := map[string]struct {
		timeout int
		do      func(*rig)
		want    []spoken
		ends    float64 // 0: not within the minute
	}{
		"never":          {timeout: 0},
		"thirty seconds": {timeout: 30, want: []spoken{{purposeReminder, 20}, {purposeGoodbye, 31}}, ends: 32},
		"five seconds":   {timeout: 5, want: []spoken{{purposeReminder, 3}, {purposeGoodbye, 6}}, ends: 7},
		"a key is a sign": {timeout: 20, do: func(r *rig) {
			time.Sleep(9 * time.Second)
			r.carrier.deliver(leg.CarrierEvent{Kind: leg.CarrierDTMF, Name: "1"})
		}, want: []spoken{{"", 10.8}, {purposeReminder, 23.8}, {purposeGoodbye, 32.8}}, ends: 33.8}, // it is answered
		"a sound takes it back": {timeout: 30, do: func(r *rig) {
			time.Sleep(25 * time.Second)
			r.speechStarted()
			r.model.say(leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: "u"})
		}, want: []spoken{{purposeReminder, 20}, {purposeReminder, 45}, {purposeGoodbye, 56}}, ends: 57},
		"an answer to the goodbye keeps the call": {timeout: 30, do: func(r *rig) {
			time.Sleep(31500 * ms)
			r.speechStarted()
			time.Sleep(time.Second)
			r.turnEnds("u")
		}, want: []spoken{{purposeReminder, 20}, {purposeGoodbye, 31}, {"", 32.5}, {purposeReminder, 53.5}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r, asked := promptRig(t, rigOptions{voice: func(v *parley.VoiceConfig) { v.Timeout = c.timeout }})
				var ended float64
				go func() {
					<-r.ran
					ended = time.Since(start).Round(100 * ms).Seconds()
				}()
				if c.do != nil {
					c.do(r)
				}
				time.Sleep(time.Until(start.Add(60 * time.Second)))
				if got := asked(); !slices.Equal(got, c.want) {
					t.Errorf("said %v, want %v", got, c.want)
				}
				if ended != c.ends {
					t.Errorf("ended after %v s, want %v", ended, c.ends)
				}
				if !r.over() {
					r.stop()
				} else if out := r.wait(); out.Reason != parley.EndSilenceTimeout || out.Intent != parley.IntentHangup {
					t.Errorf("outcome %+v", out)
				}
				if n := len(find[parley.PromptSpokenData](r.tape, parley.EventPromptSpoken)); n != len(slices.DeleteFunc(c.want, func(s spoken) bool { return s.purpose == "" })) {
					t.Errorf("%d prompts on record", n)
				}
			})
		})
	}
}

func TestLongestDuration(t *testing.T) {
	long := strings.Repeat(words+" ", 4)
	cases := map[string]struct {
		duration int
		do       func(*rig)
		want     []spoken
		ends     float64
	}{
		"a warning half a minute before": {duration: 300, want: []spoken{{purposeWrapUp, 270}}, ends: 300},
		"a fifth of a short call":        {duration: 50, want: []spoken{{purposeWrapUp, 40}}, ends: 50},
		"what is said is heard out": {duration: 50, do: func(r *rig) {
			time.Sleep(45 * time.Second)
			r.turnEnds("u1") // answered at 45, heard until 46
			time.Sleep(3 * time.Second)
			r.model.answers(func(leg.Ask) (string, int) { return long, 5000 })
			r.turnEnds("u2") // answered at 48, heard until 53
		}, want: []spoken{{purposeWrapUp, 40}, {"", 45}}, ends: 53},
		"within bounds": {duration: 50, do: func(r *rig) {
			time.Sleep(48 * time.Second)
			r.model.answers(func(leg.Ask) (string, int) { return long, 60_000 })
			r.turnEnds("u1")
		}, want: []spoken{{purposeWrapUp, 40}}, ends: 58},
		"not over the caller, but before the end": {duration: 50, do: func(r *rig) {
			time.Sleep(39 * time.Second)
			r.speechStarted()
			time.Sleep(5 * time.Second)
			r.turnEnds("u1") // 44: answered first
		}, want: []spoken{{"", 44}, {purposeWrapUp, 45}}, ends: 50},
		"a caller who speaks past the end": {duration: 50, do: func(r *rig) {
			time.Sleep(49 * time.Second)
			r.speechStarted()
		}, want: []spoken{{purposeWrapUp, 40}}, ends: 58},
		"a caller who was never warned hears a goodbye": {duration: 50, do: func(r *rig) {
			time.Sleep(39 * time.Second)
			r.speechStarted()
			time.Sleep(11500 * ms) // 50.5: nothing of it was a turn
			r.model.say(leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: "u"})
		}, ends: 52.5}, // it might have become one until then
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r, asked := promptRig(t, rigOptions{voice: func(v *parley.VoiceConfig) { v.MaxDuration = c.duration }})
				if c.do != nil {
					go c.do(r)
				}
				out := r.wait()
				if got := time.Since(start).Round(100 * ms).Seconds(); out.Reason != parley.EndMaxDuration || got != c.ends {
					t.Errorf("outcome %+v after %v s, want %v", out, got, c.ends)
				}
				if got := asked(); !slices.Equal(got, c.want) {
					t.Errorf("said %v, want %v", got, c.want)
				}
			})
		})
	}
}

// TestSlowTools: dead air is filled at growing intervals, never over the caller's speech, and results are answered.
func TestSlowTools(t *testing.T) {
	calls := func(ids ...string) []leg.ModelEvent {
		evs := []leg.ModelEvent{{Kind: leg.ModelResponseCreated, ResponseID: "r1"}}
		for _, id := range ids {
			evs = append(evs, leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r1", ItemID: "f" + id, ItemType: "function_call", Status: "completed", CallID: id, Text: "look_up", Arguments: "{}"})
		}
		return append(evs, leg.ModelEvent{Kind: leg.ModelResponseDone, ResponseID: "r1", Status: "completed"})
	}
	looking := func(at ...float64) (out []spoken) {
		for _, s := range at {
			out = append(out, spoken{purposeLooking, s})
		}
		return out
	}
	cases := map[string]struct {
		filler int
		takes  map[string]time.Duration // by call id; a missing one never answers
		output string
		do     func(*rig)
		want   []spoken
	}{
		"fast":                              {filler: 3, takes: map[string]time.Duration{"c1": 2 * time.Second}, want: []spoken{{"", 2}}},
		"off":                               {filler: 0, takes: map[string]time.Duration{"c1": 20 * time.Second}, want: []spoken{{"", 20}}},
		"slow":                              {filler: 3, takes: map[string]time.Duration{"c1": 20 * time.Second}, want: append(looking(3, 10), spoken{"", 20})},
		"slower":                            {filler: 2, takes: map[string]time.Duration{"c1": 38 * time.Second}, want: append(looking(2, 7, 16, 33), spoken{"", 38})},
		"the result comes while it is said": {filler: 3, takes: map[string]time.Duration{"c1": 3050 * ms}, want: append(looking(3), spoken{"", 3.1})},
		"several":                           {filler: 3, takes: map[string]time.Duration{"c1": time.Second, "c2": 5 * time.Second, "c3": 8 * time.Second}, want: append(looking(3), spoken{"", 8})},
		"one of several never answers":      {filler: 30, takes: map[string]time.Duration{"c1": time.Second, "c2": 0}, want: looking(30)},
		"nonsense":                          {filler: 3, takes: map[string]time.Duration{"c1": time.Second}, output: "\x00{]}\xff", want: []spoken{{"", 1}}},
		"the caller speaks meanwhile, and is answered": {filler: 3, takes: map[string]time.Duration{"c1": 12 * time.Second}, do: func(r *rig) {
			time.Sleep(2 * time.Second)
			r.speechStarted()
			time.Sleep(4 * time.Second)
			r.turnEnds("u2") // answered from 6 to 7
		}, want: []spoken{{"", 6}, {purposeLooking, 10}, {"", 12}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				r, asked := promptRig(t, rigOptions{
					voice: func(v *parley.VoiceConfig) { v.ToolFillerSeconds = c.filler },
					tool: func(ctx context.Context, call tool.Call) tool.Result {
						d, ok := c.takes[call.CallID]
						if !ok || d == 0 {
							select {
							case <-ctx.Done():
							case <-release:
							}
							return tool.Result{Output: "too late", Outcome: "error"}
						}
						time.Sleep(d)
						return tool.Result{Output: "found" + c.output, Outcome: "ok"}
					},
				})
				var ids []string
				for id := range c.takes {
					ids = append(ids, id)
				}
				slices.Sort(ids)
				r.model.say(calls(ids...)...)
				// The model did not ask for this response itself: the session takes it for its own only when it asked.
				if c.do != nil {
					c.do(r)
				}
				time.Sleep(45 * time.Second)
				if got := asked(); !slices.Equal(got, c.want) {
					t.Errorf("asked for %v, want %v", got, c.want)
				}
				for _, id := range ids {
					if n := strings.Count(strings.Join(r.model.log(), "\n"), "result "+id+" "); n != 1 && c.takes[id] > 0 {
						t.Errorf("%d results of %s", n, id)
					}
				}
				r.stop()
				close(release) // an answer after the end harms nobody
			})
		})
	}
}

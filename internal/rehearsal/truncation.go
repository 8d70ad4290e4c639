package rehearsal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/sim/speech"
)

// TruncationOptions say what is measured.
type TruncationOptions struct {
	Interruptions int           // at least so many are tried; answers that are allowed to finish come on top
	Calls         int           // at once
	Delay         time.Duration // each way between phone and bridge
	Jitter        time.Duration
	Seed          uint64
}

// TruncationReport compares what the bridge told the model of every answer with what the phone really played.
type TruncationReport struct {
	Told     []Cut // answers that were cut off
	Finished int   // answers that were played to their end
	Refused  []string
	// Seams are where an answer went on after a pause for nothing: milliseconds that were heard twice (positive) or
	// not at all (negative).
	Seams     []int
	Faults    []string // what must not be: larger holes and repetitions, protocol violations
	PhoneLate time.Duration
}

// Cut is an answer that was cut off: milliseconds as the model was told, and as they were played.
type Cut struct{ Told, Played, Length int }

// Error is how much more was told than played.
func (c Cut) Error() int { return c.Told - c.Played }

// Errors returns the absolute errors at the given shares of the cuts, in ms.
func (r TruncationReport) Errors(shares ...float64) []int {
	var abs []int
	for _, c := range r.Told {
		abs = append(abs, max(c.Error(), -c.Error()))
	}
	slices.Sort(abs)
	out := make([]int, len(shares))
	for i, s := range shares {
		if len(abs) > 0 {
			out[i] = abs[min(len(abs)-1, int(s*float64(len(abs))))]
		}
	}
	return out
}

// truncation is a measurement under way: the brain of the model, and the eyes on its wire.
type truncation struct {
	mu      sync.Mutex
	rnd     *rand.Rand
	lengths []int          // of the answers, ms, by id
	items   map[string]int // model's item → answer
	told    map[int]int    // answer → ms; what is not here was not cut off
	refused []string
}

// Reply implements model.Brain: one or two items of stamped audio.
func (t *truncation) Reply(model.Turn) model.Reply {
	t.mu.Lock()
	defer t.mu.Unlock()
	var r model.Reply
	for range 1 + t.rnd.IntN(4)/3 {
		if len(t.lengths) == maxStamp {
			break
		}
		id, ms := len(t.lengths), 2000+t.rnd.IntN(7000)
		t.lengths = append(t.lengths, ms)
		r.Items = append(r.Items, model.Output{Say: "An answer that goes on for a while.", ULaw: stamped(id, ms)})
	}
	return r
}

// watch sees the model's wire.
func (t *truncation) watch(_ *model.Conn, dir model.Direction, raw []byte) {
	var m struct {
		Type       string
		ItemID     string `json:"item_id"`
		Delta      string
		AudioEndMs int `json:"audio_end_ms"`
		Error      struct{ Code, Message string }
	}
	if !strings.Contains(string(raw[:min(len(raw), 200)]), "output_audio.delta") && len(raw) > 4096 || json.Unmarshal(raw, &m) != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case dir == model.ToClient && m.Type == "response.output_audio.delta":
		if _, known := t.items[m.ItemID]; !known {
			audio, _ := base64.StdEncoding.DecodeString(m.Delta)
			if s, ok := readStamp(audio); ok {
				t.items[m.ItemID] = s.id
			}
		}
	case dir == model.ToClient && m.Type == "error" && m.Error.Code != "response_cancel_not_active":
		t.refused = append(t.refused, m.Error.Code+": "+m.Error.Message)
	case m.Type == "conversation.item.truncate" && dir == model.FromClient:
		if id, ok := t.items[m.ItemID]; ok {
			t.told[id] = m.AudioEndMs
		}
	case m.Type == "conversation.item.delete" && dir == model.FromClient:
		if id, ok := t.items[m.ItemID]; ok {
			t.told[id] = 0
		}
	}
}

// Truncation lets many callers interrupt many answers at random moments.
func Truncation(ctx context.Context, opt TruncationOptions) (TruncationReport, error) {
	t := &truncation{rnd: rand.New(rand.NewPCG(opt.Seed, 1)), items: map[string]int{}, told: map[int]int{}}
	h, err := NewHouse(ctx, Options{Model: model.Options{Brain: t, OnMessage: t.watch}})
	if err != nil {
		return TruncationReport{}, err
	}
	var report TruncationReport
	var mu sync.Mutex
	var calls sync.WaitGroup
	each := (opt.Interruptions + opt.Calls - 1) / opt.Calls
	for n := range opt.Calls {
		calls.Go(func() {
			heard, r, err := t.call(ctx, h, n, each, opt)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				report.Faults = append(report.Faults, err.Error())
				return
			}
			report.PhoneLate = max(report.PhoneLate, r.Late)
			for _, v := range r.Violations {
				report.Faults = append(report.Faults, v.String())
			}
			if r.GaveUp != "" {
				report.Faults = append(report.Faults, r.GaveUp)
			}
			t.judge(heard, &report)
		})
	}
	calls.Wait()
	err = h.Close()
	report.Refused = t.refused
	return report, err
}

// call is one caller.
func (t *truncation) call(ctx context.Context, h *House, n, interruptions int, opt TruncationOptions) ([]byte, *phone.Report, error) {
	number, err := h.Agent(ctx, fmt.Sprintf("caller-%d", n), nil)
	if err != nil {
		return nil, nil, err
	}
	const limit = 30 * time.Second
	rnd := rand.New(rand.NewPCG(opt.Seed, uint64(n)+2))
	said := speech.Say("Wait, I have another question about that.").ULaw
	steps := []phone.Step{phone.Wait(time.Duration(rnd.IntN(3000)) * time.Millisecond)}
	for range interruptions {
		steps = append(steps, phone.Say(said))
		if rnd.IntN(3) == 0 { // this one may finish, and is followed by one that may not
			steps = append(steps, phone.WaitForAgent(limit), phone.WaitForSilence(700*time.Millisecond, limit), phone.Say(said))
		}
		steps = append(steps, phone.Interrupt(time.Duration(100+rnd.IntN(4500))*time.Millisecond, limit))
	}
	steps = append(steps, phone.Say(said), phone.WaitForAgent(limit), phone.WaitForSilence(700*time.Millisecond, limit), phone.Hangup())
	c, err := h.Dial(ctx, number, phone.Options{
		Program: steps, MaxDuration: time.Hour,
		Delay: phone.Delay{Up: opt.Delay, Down: opt.Delay, Jitter: opt.Jitter, Seed: opt.Seed + uint64(n) + 1},
	})
	if err != nil {
		return nil, nil, err
	}
	r := c.Wait(ctx)
	if r == nil || ctx.Err() != nil {
		return nil, nil, errors.Join(ctx.Err(), fmt.Errorf("call %d did not end", n))
	}
	return r.Heard, r, nil
}

// largestSeam is how much of an answer may be heard twice, or be missing, where it goes on.
const largestSeam = 100 // ms

// judge compares what a phone played with what the model was told.
func (t *truncation) judge(heard []byte, report *TruncationReport) {
	played := map[int]int{}
	for _, s := range stamps(heard) {
		switch seam := played[s.id] - s.at; {
		case seam == 0: // each millisecond once, in order
		case seam <= largestSeam && -seam <= largestSeam:
			report.Seams = append(report.Seams, seam)
		default:
			report.Faults = append(report.Faults, fmt.Sprintf("answer %d: %d ms came after %d ms", s.id, s.at, played[s.id]))
		}
		played[s.id] = s.at + 1
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, ms := range played {
		told, cut := t.told[id]
		switch {
		case cut:
			report.Told = append(report.Told, Cut{Told: told, Played: ms, Length: t.lengths[id]})
		case ms == t.lengths[id]:
			report.Finished++
		default:
			report.Faults = append(report.Faults, fmt.Sprintf("answer %d: %d of %d ms were played, and the model was not told", id, ms, t.lengths[id]))
		}
	}
}

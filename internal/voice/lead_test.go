package voice

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestStallsAreHeardOnce: the network stands still for 250 ms every 10 s. The first time is heard, later ones are not.
func TestStallsAreHeardOnce(t *testing.T) {
	for name, w := range map[string]way{
		"near": {stallEvery: 10 * time.Second, stall: 250 * ms},
		"far":  {up: 60 * ms, down: 60 * ms, stallEvery: 10 * time.Second, stall: 250 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigOptions{way: w}).ready()
				for _, id := range []string{"1", "2", "3"} { // the pauses between answers forget nothing
					r.turnEnds("u" + id)
					r.reply("r"+id, "a"+id, words, 40_000)
					r.responseDone("r"+id, "completed")
					time.Sleep(43 * time.Second)
				}
				var holes []int
				for _, gap := range r.carrier.dry {
					if gap < 1000 { // the longer ones are the pauses
						holes = append(holes, gap)
					}
				}
				if len(holes) != 1 || holes[0] > 250 {
					t.Errorf("holes of %v ms, want one", holes)
				}
				if got := r.session.ledger.lead.ahead; got <= minLead || got > maxLead {
					t.Errorf("lead %v", got)
				}
				r.stop()
			})
		})
	}
}

func TestLeadShrinksSlowly(t *testing.T) {
	t.Parallel()
	l, now := lead{ahead: minLead}, time.Now()
	l.observe(0, minLead, now)
	l.observe(90*ms, minLead, now)
	l.observe(85*ms, minLead, now.Add(time.Second)) // of the same stall
	if l.ahead != 290*ms {
		t.Fatalf("lead %v after a stall", l.ahead)
	}
	l.observe(time.Hour, l.ahead, now)
	if l.ahead != maxLead {
		t.Fatalf("lead %v after a long stall", l.ahead)
	}
	for i := range 300 {
		l.observe(10*ms, l.ahead, now.Add(time.Duration(i)*time.Second))
	}
	if l.ahead != maxLead {
		t.Errorf("lead %v after five quiet minutes", l.ahead)
	}
	for i := range 1200 {
		l.observe(10*ms, l.ahead, now.Add(time.Duration(300+i)*time.Second))
	}
	if l.ahead != minLead {
		t.Errorf("lead %v after 25 quiet minutes", l.ahead)
	}
}

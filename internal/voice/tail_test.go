package voice

import (
	"testing"
)

// count returns n bytes that tell their position.
func count(from, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((from + i) / bytesPerMs)
	}
	return b
}

func hears(e *tail, ms int) {
	for range ms / 20 {
		e.hear(count(int(e.end), frameBytes))
	}
}

func checkAudio(t *testing.T, audio []byte, fromMs, ms int) {
	t.Helper()
	if len(audio) != ms*bytesPerMs || ms > 0 && (audio[0] != byte(fromMs) || audio[len(audio)-1] != byte(fromMs+ms-1)) {
		first := -1
		if len(audio) > 0 {
			first = int(audio[0])
		}
		t.Errorf("%d ms from %d (mod 256), want %d from %d", len(audio)/bytesPerMs, first, ms, byte(fromMs))
	}
}

func TestTailOfTheCallersVoice(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		do       func(e *tail)
		from, ms int // what the next session hears
		midTurn  bool
	}{
		"nothing was said":                   {do: func(*tail) {}},
		"silence":                            {do: func(e *tail) { hears(e, 10_000) }, from: 9500, ms: 500},
		"a short call":                       {do: func(e *tail) { hears(e, 200) }, from: 0, ms: 200},
		"a turn under way":                   {do: func(e *tail) { hears(e, 5000); e.started(4400); hears(e, 3000) }, from: 4400, ms: 3600, midTurn: true},
		"one that was heard late":            {do: func(e *tail) { hears(e, 5000); e.started(1000); hears(e, 1000) }, from: 3000, ms: 3000, midTurn: true},
		"a long one":                         {do: func(e *tail) { hears(e, 5000); e.started(4400); hears(e, 20_000) }, from: 9400, ms: 15_600, midTurn: true},
		"a turn that stopped but is no item": {do: func(e *tail) { hears(e, 5000); e.started(4400); hears(e, 1000); e.stopped(5500) }, from: 4400, ms: 1600, midTurn: true},
		"one whose beginning was guessed too early": {do: func(e *tail) { hears(e, 5000); e.started(4300); hears(e, 4000); e.begins(4500) }, from: 4500, ms: 4500, midTurn: true},
		"one whose beginning was guessed too late":  {do: func(e *tail) { hears(e, 5000); e.started(4800); hears(e, 200); e.begins(4500) }, from: 4500, ms: 700, midTurn: true},
		"one whose beginning is not kept":           {do: func(e *tail) { hears(e, 5000); e.started(4800); hears(e, 4000); e.begins(4500) }, from: 4800, ms: 4200, midTurn: true},
		"a turn that is an item": {do: func(e *tail) {
			hears(e, 5000)
			e.started(4400)
			hears(e, 1000)
			e.stopped(5800)
			e.committed()
			hears(e, 100)
		}, from: 5800, ms: 300},
		"the next turn, right after": {do: func(e *tail) {
			hears(e, 5000)
			e.started(4400)
			hears(e, 1000)
			e.stopped(5800)
			e.committed()
			e.started(5600)
			hears(e, 1000)
		}, from: 5800, ms: 1200, midTurn: true},
		"a turn of a session that was resumed": {do: func(e *tail) { hears(e, 5000); e.started(4000); e.lost(); e.resume(); hears(e, 3000) }, from: 0, ms: 3000, midTurn: true},
		"speech that was none":                 {do: func(e *tail) { hears(e, 5000); e.started(4000); e.drop(); hears(e, 1000) }, from: 5500, ms: 500},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newTail(1300) // 2 s
			c.do(&e)
			audio, midTurn := e.lost()
			checkAudio(t, audio, c.from, c.ms)
			if midTurn != c.midTurn || e.end != 0 || e.open {
				t.Errorf("in a turn: %v; left %+v", midTurn, e.end)
			}
		})
	}
	e := newTail(1300)
	hears(&e, 5000)
	e.started(4400)
	hears(&e, 1000)
	e.stopped(5800)
	hears(&e, 200)
	checkAudio(t, []byte(e.committed()), 4400, 1400)
	if e.committed() != "" {
		t.Error("a turn was given twice")
	}
	// What is kept reaches back by what the model counts to a turn, whatever the agent's setting.
	for prefix, ms := range map[int]int{0: 1000, 300: 1000, 2000: 2700} {
		e := newTail(prefix)
		hears(&e, 5000)
		e.started(0)
		checkAudio(t, []byte(e.committed()), 5000-ms, ms)
	}
}

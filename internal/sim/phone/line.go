package phone

import (
	"context"
	"fmt"
	"time"

	"parley/internal/audio"
)

// How the phone tells speech from silence in what it hears and says.
const (
	audible       = 120 // RMS of a frame, 0-32768; line noise is below, the quietest speech above
	pauseTicks    = 10  // a shorter silence belongs to the speech around it
	underrunTicks = 15  // a longer hole is a pause that the server meant
)

// tape is what was heard, and where the agent spoke. Times are counted in ticks of 20 ms since the answer.
type tape struct {
	ticks  int
	heard  []byte
	agent  spurt // the current or last one
	spurts []spurt
	fed    int  // last tick that played audio of the server; -1 after a clear
	loud   bool // that tick was audible
	short  int  // bytes it lacked of a full frame
	frame  [audio.FrameBytes]byte
	said   [audio.FrameBytes]byte
	out    []byte
	late   time.Duration
}

// spurt is speech without a longer pause: the first and last audible tick. last is -1 when there was none.
type spurt struct{ first, last int }

// line ticks every 20 ms on an absolute clock from the answer on, and lets delayed messages arrive between.
func (c *Call) line(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	c.mu.Lock()
	next := c.answered
	c.mu.Unlock()
	for {
		select {
		case <-timer.C:
		case <-c.wake:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		c.mu.Lock()
		c.down.run(now)
		c.tape.late = max(c.tape.late, now.Sub(next))
		for !next.After(now) {
			c.tick()
			next = next.Add(audio.FrameDuration)
		}
		c.up.run(now)
		due := c.up.next(c.down.next(next))
		c.unlock()
		timer.Reset(time.Until(due))
	}
}

// tick is one frame in both directions.
func (c *Call) tick() {
	t := &c.tape
	n, reached := c.speaker.tick(t.frame[:])
	for _, p := range reached {
		c.echo(c.stream, p, false)
	}
	t.heard = append(t.heard, t.frame[:]...)
	c.listen(n)
	c.caller.tick(c, t.said[:])
	if s := c.stream; s != nil && !s.closing {
		t.out = s.media(t.out[:0], t.said[:])
		c.send(s, t.out, nil)
		s.report.FramesSent++
	}
	t.ticks++
}

// listen follows the agent's speech in the frame just heard, of which n bytes are the server's.
func (c *Call) listen(n int) {
	t := &c.tape
	loud := n > 0 && audio.RMSULaw(t.frame[:]) > audible
	if n > 0 {
		c.underrun(n)
		t.fed, t.loud, t.short = t.ticks, loud, audio.FrameBytes-n
	}
	switch {
	case loud && (t.agent.last < 0 || t.ticks-t.agent.last > pauseTicks):
		t.agent = spurt{t.ticks, t.ticks}
		t.spurts = append(t.spurts, t.agent)
		c.tell(EventAgentSpeaks, "")
	case loud:
		t.agent.last = t.ticks
		t.spurts[len(t.spurts)-1] = t.agent
	case t.agent.last >= 0 && t.ticks-t.agent.last == pauseTicks+1:
		c.tell(EventAgentQuiet, fmt.Sprintf("%.1f s", ticks(t.agent.last-t.agent.first+1).Seconds()))
	}
}

// underrun records a hole in the server's audio: it begins after audible sound and is too short to be meant.
func (c *Call) underrun(n int) {
	t := &c.tape
	if t.fed < 0 || !t.loud {
		return
	}
	missing := ticks(t.ticks-t.fed-1) + audio.Duration(t.short)
	if missing > 0 && t.ticks-t.fed-1 <= underrunTicks {
		c.record.underruns = append(c.record.underruns, Underrun{At: ticks(t.fed + 1), Duration: missing})
	}
}

// ticks converts a number of ticks to time.
func ticks(n int) time.Duration { return time.Duration(n) * audio.FrameDuration }

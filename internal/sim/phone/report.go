package phone

import (
	"fmt"
	"slices"
	"time"

	"parley/internal/audio"
)

// maxViolations bounds the list; Report.ViolationCount goes on.
const maxViolations = 100

// Report is everything the phone knows about a call. Times are since the answer.
type Report struct {
	CallSID        string
	From, To       string
	Status         string        // Twilio's CallStatus: ringing, in-progress, or a final one
	Duration       time.Duration // since the answer
	EndedBy        string        // caller, caller gave up, rest, hangup verb, end of TwiML, rejected, error, max duration, canceled; "" while it runs
	Failure        *Failure      // why the call ended with an application error
	GaveUp         string        // what the caller waited for in vain
	Heard          []byte        // µ-law, 8 kHz, from the answer on without a gap
	Spurts         []Spurt       // where in Heard the agent is audible
	Turns          []Turn
	Notices        []string // texts of <Say>
	Dialed         []string // numbers of <Dial>
	Dials          []Dialed
	Pressed        []string // digits of <Play>
	Violations     []Violation
	ViolationCount int
	Marks          []Mark
	Clears         []Clear
	Underruns      []Underrun
	Streams        []StreamReport
	Late           time.Duration // the phone's own worst delay of a tick: if it is large, this machine was too busy to judge
}

// Spurt is speech of the agent without a longer pause.
type Spurt struct{ At, Duration time.Duration }

// Turn is one thing the caller said, and how the agent reacted.
type Turn struct {
	SaidAt, Said time.Duration // beginning and length up to the last audible sound
	Answered     bool
	// Latency is from the end of the caller's sound to the beginning of the agent's. It is negative if the agent
	// began while the caller still spoke and spoke on.
	Latency time.Duration
	Heard   time.Duration // audible speech of the agent before the caller's next turn
}

// Violation is a departure from Twilio's protocol, with the number of Twilio's error page.
type Violation struct {
	Code int
	Text string
	At   time.Duration
}

// String returns "31951: text".
func (v Violation) String() string { return fmt.Sprintf("%d: %s", v.Code, v.Text) }

// Mark is a mark of the server and its echo.
type Mark struct {
	Name     string
	At       time.Duration // arrival at the phone
	Echoed   bool
	EchoedAt time.Duration // departure of the echo
	Cleared  bool          // echoed because of a clear
}

// Clear is a clear of the server and the unplayed audio that it dropped.
type Clear struct {
	At    time.Duration
	Bytes int
}

// Underrun is a hole in the server's audio of at most 300 ms that begins after audible sound.
type Underrun struct{ At, Duration time.Duration }

// StreamReport is one Media Streams socket.
type StreamReport struct {
	SID            string
	Parameters     map[string]string
	Started, Ended time.Duration
	FramesSent     int
	BytesReceived  int
	Dropped        int    // bytes that were not played when it ended
	EndedBy        string // phone, server, or "server, abnormally"; "" while it is open
}

// record is what accumulates for the report; the call's lock guards it.
type record struct {
	notices        []string
	dialed         []*Dialed
	pressed        []string
	violations     []Violation
	violationCount int
	marks          []Mark
	clears         []Clear
	underruns      []Underrun
	streams        []*StreamReport
	gaveUp         string
}

// violation records a departure from the protocol; the lock must be held.
func (c *Call) violation(code int, format string, args ...any) {
	v := Violation{Code: code, Text: fmt.Sprintf(format, args...), At: c.sinceAnswer(time.Now())}
	c.record.violationCount++
	if len(c.record.violations) < maxViolations {
		c.record.violations = append(c.record.violations, v)
		c.tell(EventViolation, v.String())
	}
}

// Violations returns the protocol violations so far.
func (c *Call) Violations() []Violation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.record.violations)
}

// Parameter returns a <Parameter> of the newest stream, "" if there is none.
func (c *Call) Parameter(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.record.streams); n > 0 {
		return c.record.streams[n-1].Parameters[name]
	}
	return ""
}

// Turns returns the caller's turns so far; it copies less than Report.
func (c *Call) Turns() []Turn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turns()
}

// Report returns a copy of the record so far; it is complete once Done is closed.
func (c *Call) Report() *Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &Report{
		CallSID: c.opt.CallSID, From: c.opt.From, To: c.opt.To,
		Status: c.status, EndedBy: c.endedBy, Failure: c.failure, GaveUp: c.record.gaveUp,
		Heard:   slices.Clone(c.tape.heard),
		Turns:   c.turns(),
		Notices: slices.Clone(c.record.notices), Pressed: slices.Clone(c.record.pressed),
		Violations: slices.Clone(c.record.violations), ViolationCount: c.record.violationCount,
		Marks: slices.Clone(c.record.marks), Clears: slices.Clone(c.record.clears), Underruns: slices.Clone(c.record.underruns),
		Late: c.tape.late,
	}
	for _, d := range c.record.dialed {
		r.Dialed = append(r.Dialed, d.Number)
		dial := *d
		dial.Heard = slices.Clone(d.Heard)
		r.Dials = append(r.Dials, dial)
	}
	for _, s := range c.tape.spurts {
		r.Spurts = append(r.Spurts, Spurt{ticks(s.first), ticks(s.last - s.first + 1)})
	}
	for _, s := range c.record.streams {
		r.Streams = append(r.Streams, *s)
	}
	end := c.ended
	if end.IsZero() {
		end = time.Now()
	}
	r.Duration = c.sinceAnswer(end)
	return r
}

// turns matches what the caller said with the agent's spurts.
func (c *Call) turns() []Turn {
	var out []Turn
	for i, t := range c.caller.turns {
		until := c.tape.ticks
		if i+1 < len(c.caller.turns) {
			until = c.caller.turns[i+1].first
		}
		turn := Turn{SaidAt: ticks(t.first), Said: ticks(t.last - t.first + 1)}
		for _, s := range c.tape.spurts {
			if s.first >= until || !t.answeredBy(s) {
				continue
			}
			// A spurt that begins after the turn is a better answer than one that began within it.
			if !turn.Answered || turn.Latency < 0 && s.first > t.last {
				turn.Answered, turn.Latency = true, ticks(s.first-t.last-1)
			}
			turn.Heard += ticks(min(s.last+1, until) - s.first)
		}
		out = append(out, turn)
	}
	return out
}

// FirstSound returns when the agent was first audible, and whether it was.
func (r *Report) FirstSound() (time.Duration, bool) {
	if len(r.Spurts) == 0 {
		return 0, false
	}
	return r.Spurts[0].At, true
}

// Samples returns what was heard as 16-bit PCM at 8 kHz.
func (r *Report) Samples() []int16 { return audio.DecodeULaw(r.Heard) }

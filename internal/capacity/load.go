package capacity

import "time"

// Sample is what a process noticed of its own lateness since the sample before.
type Sample struct {
	Scheduler time.Duration // how long goroutines that were ready to run waited, 99th percentile
	Frames    int64         // sent to callers
	Late      int64         // of them, frames that left more than 20 ms after their time
	CPU       float64       // share of the processors that the process may use, 0–1
}

// Beyond one of these a sample is bad; it is good when everything is below half of the lateness and the lower share
// of the processors. What is between leaves the verdict as it is.
const (
	badScheduler  = 40 * time.Millisecond // a quarter of the lead of a call's audio
	badLateShare  = 0.05
	badCPU        = 0.95
	goodCPU       = 0.85
	enoughFrames  = 50 // one second of one call: fewer say nothing
	badInARow     = 3  // samples until the process counts as overloaded
	goodInARow    = 5  // samples until it no longer does
	sampleEvery   = time.Second
	schedQuantile = 0.99
)

// load turns samples into a verdict, with hysteresis: one hiccup refuses no call, and an overloaded process has to
// recover for a while before it takes another.
type load struct {
	overloaded bool
	row        int // samples in a row that speak against the verdict
}

func (l *load) observe(s Sample) {
	against := s.bad()
	need := badInARow
	if l.overloaded {
		against, need = s.good(), goodInARow
	}
	if !against {
		l.row = 0
		return
	}
	if l.row++; l.row >= need {
		l.overloaded, l.row = !l.overloaded, 0
	}
}

func (s Sample) lateShare() float64 {
	if s.Frames < enoughFrames {
		return 0
	}
	return float64(s.Late) / float64(s.Frames)
}

func (s Sample) bad() bool {
	return s.Scheduler > badScheduler || s.lateShare() > badLateShare || s.CPU > badCPU
}

func (s Sample) good() bool {
	return s.Scheduler < badScheduler/2 && s.lateShare() < badLateShare/2 && s.CPU < goodCPU
}

package phone

import (
	"math/rand/v2"
	"time"
)

// delayLine holds messages back for a time with jitter and keeps their order. The call's lock guards it.
type delayLine struct {
	delay, jitter time.Duration
	random        *rand.Rand
	queue         []delayed
	last          time.Time
}

type delayed struct {
	due time.Time
	do  func()
}

func (d *delayLine) set(delay, jitter time.Duration, seed uint64) {
	d.delay, d.jitter = delay, jitter
	if jitter > 0 {
		d.random = rand.New(rand.NewPCG(seed, 1))
	}
}

// direct reports whether messages need not wait.
func (d *delayLine) direct() bool { return d.delay == 0 && d.jitter == 0 }

// add queues do and reports when it is due.
func (d *delayLine) add(now time.Time, do func()) time.Time {
	due := now.Add(d.delay)
	if d.jitter > 0 {
		due = due.Add(time.Duration(d.random.Int64N(int64(d.jitter))))
	}
	if due.Before(d.last) {
		due = d.last
	}
	d.last = due
	d.queue = append(d.queue, delayed{due, do})
	return due
}

// run does what is due.
func (d *delayLine) run(now time.Time) {
	n := 0
	for n < len(d.queue) && !d.queue[n].due.After(now) {
		d.queue[n].do()
		n++
	}
	if n > 0 {
		rest := copy(d.queue, d.queue[n:])
		clear(d.queue[rest:])
		d.queue = d.queue[:rest]
	}
}

// next returns the earlier of t and the due time of the first message.
func (d *delayLine) next(t time.Time) time.Time {
	if len(d.queue) > 0 && d.queue[0].due.Before(t) {
		return d.queue[0].due
	}
	return t
}

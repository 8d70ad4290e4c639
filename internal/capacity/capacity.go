// Package capacity decides whether this process can take another call. A call that is taken must be a good one:
// beyond the limit the caller is better off with a fallback number or a notice.
//
// Slots are not handed out and given back but counted from what is there: the sessions that are held, and the
// streams that were promised to the carrier and have not come yet. A promise is forgotten by itself, so that no
// slot is lost with a call that never comes.
package capacity

import (
	"sync"
	"time"

	"parley/internal/metric"
)

// Refusal says why a new call is not taken.
type Refusal string

// The refusals; Admitted is none.
const (
	Admitted     Refusal = ""
	Full         Refusal = "full"         // the configured number of calls is reached
	Organization Refusal = "organization" // the organization's share is
	Overloaded   Refusal = "overloaded"   // the process is late with its work
)

// Options of a Capacity.
type Options struct {
	Max     int           // calls at once; 0 = as many as go well, by Overloaded
	MaxEach int           // of one organization; 0 = no limit of its own
	Promise time.Duration // how long a promised stream may take to come
	// Overloaded reports whether the process is late with its work. It is asked only while Max is 0; nil = never.
	Overloaded func() bool
}

// Capacity counts the calls of this process. Calls are known by the carrier's id. Safe for concurrent use.
type Capacity struct {
	opt Options

	refused *metric.Vec

	mu    sync.Mutex
	calls map[string]*taken
}

// taken is a call that has a slot.
type taken struct {
	orgID    string
	streams  int       // held sessions; two for a moment when a stream replaces another
	promised time.Time // until when a stream is expected; zero = none
}

// New makes a Capacity without calls.
func New(opt Options) *Capacity {
	return &Capacity{opt: opt, calls: map[string]*taken{}, refused: metric.NewVec("reason")}
}

// Admit promises a slot to a new call, or says why there is none. A call that has one keeps it.
func (c *Capacity) Admit(callSID, orgID string) Refusal {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep(time.Now())
	if _, known := c.calls[callSID]; !known {
		if r := c.refusal(orgID); r != Admitted {
			c.refused.Add(1, string(r))
			return r
		}
	}
	c.promise(callSID, orgID)
	return Admitted
}

// Expect promises a slot to a call that is already going on and comes back: it is never refused.
func (c *Capacity) Expect(callSID, orgID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.promise(callSID, orgID)
}

// Enter says that the call's session begins, whether it was promised a slot or not.
func (c *Capacity) Enter(callSID, orgID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.take(callSID, orgID)
	t.streams++
	t.promised = time.Time{}
}

// Leave says that a session of the call has ended.
func (c *Capacity) Leave(callSID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.calls[callSID]; t != nil {
		t.streams--
		c.drop(callSID, t)
	}
}

// Forget says that no stream of the call will come any more.
func (c *Capacity) Forget(callSID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.calls[callSID]; t != nil {
		t.promised = time.Time{}
		c.drop(callSID, t)
	}
}

// Exhausted says why a new call of an organization without calls would be refused now, for load balancers.
func (c *Capacity) Exhausted() Refusal {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep(time.Now())
	return c.refusal("")
}

// Used is the number of slots in use, promised ones included.
func (c *Capacity) Used() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep(time.Now())
	return len(c.calls)
}

// Refused counts the calls that were refused, by reason.
func (c *Capacity) Refused() *metric.Vec { return c.refused }

// refusal decides; the caller holds mu.
func (c *Capacity) refusal(orgID string) Refusal {
	switch {
	case c.opt.Max > 0 && len(c.calls) >= c.opt.Max:
		return Full
	case c.opt.MaxEach > 0 && orgID != "" && c.ofOrganization(orgID) >= c.opt.MaxEach:
		return Organization
	case c.opt.Max == 0 && len(c.calls) > 0 && c.opt.Overloaded != nil && c.opt.Overloaded():
		// A process without calls takes one whatever it measures: something else keeps the machine busy, and
		// somebody should answer.
		return Overloaded
	}
	return Admitted
}

func (c *Capacity) ofOrganization(orgID string) (n int) {
	for _, t := range c.calls {
		if t.orgID == orgID {
			n++
		}
	}
	return n
}

func (c *Capacity) take(callSID, orgID string) *taken {
	t := c.calls[callSID]
	if t == nil {
		t = &taken{orgID: orgID}
		c.calls[callSID] = t
	}
	return t
}

func (c *Capacity) promise(callSID, orgID string) {
	c.take(callSID, orgID).promised = time.Now().Add(c.opt.Promise)
}

// sweep forgets promises whose time is over.
func (c *Capacity) sweep(now time.Time) {
	for id, t := range c.calls {
		if !t.promised.IsZero() && !now.Before(t.promised) {
			t.promised = time.Time{}
			c.drop(id, t)
		}
	}
}

func (c *Capacity) drop(callSID string, t *taken) {
	if t.streams <= 0 && t.promised.IsZero() {
		delete(c.calls, callSID)
	}
}

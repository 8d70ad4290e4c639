package phone

import (
	"sync"
	"time"
)

// farewellTime is how long the carrier has to ask what follows a stream that we closed. Where it could not be asked to
// act at once, it speaks "one moment" and pauses before.
const farewellTime = 6 * time.Second

// farewells are the calls that we ended and whose carrier has not yet asked what follows: it must still be
// told to hang up or to speak a notice, so the server goes on answering for them while it stops. The zero value
// is ready.
type farewells struct {
	mu    sync.Mutex
	open  map[string]chan struct{} // by call id, closed when said
	early map[string]bool          // said before it was expected: the carrier may ask before we are done
}

// expect notes that the carrier of a call will ask, unless it has done so.
func (f *farewells) expect(callID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.early[callID] {
		delete(f.early, callID)
		return
	}
	if f.open == nil {
		f.open = map[string]chan struct{}{}
	}
	if f.open[callID] == nil {
		f.open[callID] = make(chan struct{})
	}
	time.AfterFunc(farewellTime, func() { f.forget(callID) })
}

// said notes that the carrier was told the end of a call.
func (f *farewells) said(callID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.close(callID) {
		return
	}
	if f.early == nil {
		f.early = map[string]bool{}
	}
	f.early[callID] = true
	time.AfterFunc(farewellTime, func() { f.forget(callID) })
}

func (f *farewells) forget(callID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.close(callID)
	delete(f.early, callID)
}

// close ends the wait for a call; the lock must be held.
func (f *farewells) close(callID string) bool {
	c, ok := f.open[callID]
	if ok {
		close(c)
		delete(f.open, callID)
	}
	return ok
}

// wait returns when every carrier was told or has had its time.
func (f *farewells) wait() {
	f.mu.Lock()
	var open []chan struct{}
	for _, c := range f.open {
		open = append(open, c)
	}
	f.mu.Unlock()
	for _, c := range open {
		<-c
	}
}

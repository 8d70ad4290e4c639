package phone

import (
	"sync"
	"time"
)

// farewellTime is how long the carrier has to ask what follows a stream that we closed.
const farewellTime = 3 * time.Second

// farewells are the calls that we ended and whose carrier has not yet asked what follows: it must still be
// told to hang up or to speak a notice, so the server goes on answering for them while it stops. The zero value
// is ready.
type farewells struct {
	mu   sync.Mutex
	open map[string]chan struct{} // by call id, closed when said
}

// expect notes that the carrier of a call will ask.
func (f *farewells) expect(callID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == nil {
		f.open = map[string]chan struct{}{}
	}
	said := make(chan struct{})
	f.open[callID] = said
	time.AfterFunc(farewellTime, func() { f.said(callID) })
}

// said notes that the carrier was told.
func (f *farewells) said(callID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c, ok := f.open[callID]; ok {
		close(c)
		delete(f.open, callID)
	}
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

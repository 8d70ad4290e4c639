package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	clearEvery  = 100              // ticks between interruptions of one call: 2 s
	dialsAtOnce = 8                // calls that are being placed
	voiceReady  = 60 * time.Second // for all calls to be answered
	voiceSettle = 2 * time.Second  // between the last answer and the measurement
	voiceRest   = 10 * time.Second // for frames under way after the measurement, at most: as long as a rig remembers them
)

// voiceBench is a run of `voice`.
type voiceBench struct {
	voiceOptions
	dir, binary, self string
	voices            [][]byte
}

// voiceRound is what one subject did once.
type voiceRound struct {
	up, down, trip []time.Duration
	clears         []time.Duration
	late, echoLate []time.Duration
	sent, lost     int
	tooLate        int
	missed         int // interruptions without a clear
	skipped        int // frames that phones could not send
	cpu, rigCPU    time.Duration
	took           time.Duration
	callMinutes    float64
	memory         int64 // bytes for each call
	faults         []string
}

// lines are the calls of a round by the name of their model.
type lines struct {
	mu     sync.Mutex
	byName map[string]*rigCall
}

func (l *lines) find(name string) *rigCall {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byName[name]
}

// measure starts the subject, holds the calls and stops it.
func (v voiceBench) measure(ctx context.Context, subject string, calls, round int) (m voiceRound, err error) {
	runtime.GC() // not during the measurement
	samples := calls * int(v.Duration/frameTime+100)
	r, err := newRig(v.voices[0], samples)
	if err != nil {
		return m, err
	}
	go r.run()
	defer r.close()
	all := &lines{byName: map[string]*rigCall{}}
	mod, err := startModelServer(ctx, r, all.find)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, mod.close()) }()
	s, err := v.start(ctx, subject, filepath.Join(v.dir, fmt.Sprintf("%s-%d-%d", subject, calls, round)), mod)
	if err != nil {
		return m, err
	}
	defer func() {
		if stopped := s.stop(); stopped != nil {
			m.faults = append(m.faults, stopped.Error())
		}
		if len(m.faults) > 0 {
			m.faults = append(m.faults, "the end of its log:\n"+s.tail())
		}
	}()
	// A few calls come first, so that what is made once and stays is not counted as the calls' memory.
	if err := v.connect(ctx, s, r, all, subject, "warm", warmCalls); err != nil {
		return m, fmt.Errorf("warming up: %w\n%s", err, s.tail())
	}
	if err := v.hangUp(ctx, r, &m); err != nil {
		return m, err
	}
	before, err := s.rss()
	if err != nil {
		return m, err
	}
	if err := v.connect(ctx, s, r, all, subject, "load", calls); err != nil {
		return m, fmt.Errorf("%w\n%s", err, s.tail())
	}
	profiled := s.profile(ctx, v.Profile, fmt.Sprintf("%s-%d", subject, calls), v.Duration)
	if err := errors.Join(v.frames(ctx, s, r, &m), profiled()); err != nil {
		return m, err
	}
	after, err := s.rss()
	if err != nil {
		return m, fmt.Errorf("it did not survive: %w\n%s", err, s.tail())
	}
	m.memory = (after - before) / int64(calls)
	if v.Clears > 0 {
		if err := v.interruptions(ctx, r, &m); err != nil {
			return m, err
		}
	}
	return m, v.hangUp(ctx, r, &m)
}

// start runs the subject on its processor.
func (v voiceBench) start(ctx context.Context, subject, dir string, mod *modelServer) (*server, error) {
	s := newServer()
	s.pin, s.core = true, v.Core
	debug, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	if subject == subjectRelay {
		return s, s.launch(ctx, dir, []string{"RELAY_MODEL=" + mod.url, "RELAY_KEY=" + mod.key}, v.self, "relay")
	}
	env := s.env(dir, mod.url, mod.key)
	if v.Profile != "" {
		s.debug = "http://" + debug
		env = append(env, "PARLEY_DEBUG_LISTEN="+debug, "GODEBUG=memprofilerate=4096")
	}
	return s, s.launch(ctx, dir, env, v.binary, "serve")
}

// connect places all calls and waits until each hears an answer.
func (v voiceBench) connect(ctx context.Context, s *server, r *rig, all *lines, subject, name string, calls int) error {
	ctx, cancel := context.WithTimeout(ctx, voiceReady+time.Duration(calls)*100*time.Millisecond)
	defer cancel()
	errs, made := make([]error, calls), make([]*rigCall, calls)
	all.mu.Lock()
	for i := range made {
		made[i] = newRigCall(r, fmt.Sprintf("%s-%04d", name, i+1))
		all.byName[made[i].name] = made[i]
	}
	all.mu.Unlock()
	if err := r.do(func() { r.use(made) }); err != nil {
		return err
	}
	places := make(chan struct{}, dialsAtOnce)
	var dials sync.WaitGroup
	for i, l := range made {
		places <- struct{}{}
		dials.Go(func() {
			errs[i] = l.dial(ctx, s, subject)
			<-places
		})
	}
	dials.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return poll(ctx, func() error {
		silent := 0
		var first string
		err := r.do(func() {
			for _, l := range r.lines {
				if !l.session.answering || l.newest < 0 {
					silent++
					first = strings.Join(append(l.faults, l.name), "; ")
				}
			}
		})
		if err == nil && silent > 0 {
			err = fmt.Errorf("%d of %d calls hear no answer, such as %s", silent, calls, first)
		}
		return err
	})
}

// dial places one call, up to the start of its stream.
func (l *rigCall) dial(ctx context.Context, s *server, subject string) error {
	address := "ws" + strings.TrimPrefix(s.url, "http") + "/twilio/stream/" + l.name
	callSID := "CA" + secret("")[:32]
	if subject == subjectParley {
		agent, err := s.createAgent(ctx, l.name, true)
		if err != nil {
			return err
		}
		if address, err = s.streamOf(ctx, "client:agent-"+agent, callSID); err != nil {
			return err
		}
	}
	sock, err := dialStream(ctx, address, s.authToken)
	if err != nil {
		return err
	}
	return l.rig.do(func() {
		l.stream, l.phone, sock.message = "MZ"+secret("")[:32], sock, l.hear
		if err := l.rig.add(sock); err != nil {
			l.fault(err.Error())
			return
		}
		sock.text([]byte(`{"event":"connected","protocol":"Call","version":"1.0.0"}`))
		l.counter++
		sock.text(fmt.Appendf(nil, `{"event":"start","sequenceNumber":"1","start":{"accountSid":%q,"streamSid":%q,"callSid":%q,"tracks":["inbound"],`+
			`"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{}},"streamSid":%q}`,
			s.accountSID, l.stream, callSID, l.stream))
	})
}

// frames measures the steady state: everybody listens to his own echo.
func (v voiceBench) frames(ctx context.Context, s *server, r *rig, m *voiceRound) error {
	if err := v.refresh(ctx, r); err != nil {
		return err
	}
	self := process{os.Getpid()}
	cpu, err := s.cpu()
	if err != nil {
		return err
	}
	rigCPU, err := self.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := r.do(func() { r.count(true); r.skipped = 0 }); err != nil {
		return err
	}
	if err := wait(ctx, v.Duration); err != nil {
		return err
	}
	if err := r.do(func() { r.count(false) }); err != nil {
		return err
	}
	m.took = time.Since(began)
	after, err := s.cpu()
	if err != nil {
		return fmt.Errorf("it did not survive: %w\n%s", err, s.tail())
	}
	rigAfter, err := self.cpu()
	if err != nil {
		return err
	}
	m.cpu, m.rigCPU = after-cpu, rigAfter-rigCPU
	if err := v.rest(ctx, r); err != nil {
		return err
	}
	return r.do(func() {
		m.callMinutes = m.took.Minutes() * float64(len(r.lines))
		for _, l := range r.lines {
			m.sent, m.lost, m.tooLate = m.sent+l.sent, m.lost+l.sent-l.received, m.tooLate+l.tooLate
			if lost := l.sent - l.received; lost > 0 {
				m.faults = append(m.faults, fmt.Sprintf("%s: %d of %d frames were lost", l.name, lost, l.sent))
			}
		}
		m.skipped = r.skipped
		m.up, m.down, m.trip, m.late, m.echoLate = r.up, r.down, r.trip, r.late, r.echoLate
	})
}

// refresh lets every caller interrupt once. What piled up while calls were being placed is gone then: a phone
// plays no faster than it hears, so a frame that once was late keeps all later ones of its answer waiting.
func (v voiceBench) refresh(ctx context.Context, r *rig) error {
	if err := v.interrupt(ctx, r, clearEvery*frameTime-frameTime); err != nil {
		return err
	}
	if err := wait(ctx, voiceSettle); err != nil {
		return err
	}
	return r.do(func() {
		r.clears = nil
		for _, l := range r.lines {
			l.missed = 0
		}
	})
}

// rest waits for the counted frames that are still under way.
func (v voiceBench) rest(ctx context.Context, r *rig) error {
	ctx, cancel := context.WithTimeout(ctx, voiceRest)
	defer cancel()
	_ = poll(ctx, func() error {
		missing := 0
		if err := r.do(func() {
			for _, l := range r.lines {
				missing += l.sent - l.received
			}
		}); err != nil {
			return final{err}
		}
		if missing > 0 {
			return fmt.Errorf("%d frames are missing", missing)
		}
		return nil
	})
	return nil // who counts will see
}

// interrupt lets every caller interrupt every two seconds, for a while.
func (v voiceBench) interrupt(ctx context.Context, r *rig, d time.Duration) error {
	if err := r.do(func() {
		for i, l := range r.lines {
			l.since = i * clearEvery / len(r.lines) // not all at once
		}
		r.every = clearEvery
	}); err != nil {
		return err
	}
	if err := wait(ctx, d); err != nil {
		return err
	}
	if err := r.do(func() { r.every = 0 }); err != nil {
		return err
	}
	return wait(ctx, burstTicks*frameTime+frameTime) // turns under way
}

// interruptions measures how soon an answer is cleared.
func (v voiceBench) interruptions(ctx context.Context, r *rig, m *voiceRound) error {
	if err := v.interrupt(ctx, r, v.Clears); err != nil {
		return err
	}
	return r.do(func() {
		m.clears = r.clears
		for _, l := range r.lines {
			m.missed += l.missed
		}
	})
}

// hangUp ends all calls like a carrier whose callers hang up, and waits for their sockets.
func (v voiceBench) hangUp(ctx context.Context, r *rig, m *voiceRound) error {
	if err := r.do(func() {
		for _, l := range r.lines {
			m.faults = append(m.faults, prefixed(l.name+": ", l.faults)...)
			if l.phone.gone {
				m.faults = append(m.faults, l.name+": the server ended the call")
				continue
			}
			l.counter++
			l.phone.text(fmt.Appendf(nil, `{"event":"stop","sequenceNumber":"%d","streamSid":%q,"stop":{}}`, l.counter, l.stream))
			l.phone.send(opClose, []byte{0x03, 0xE8}) // 1000, normal closure
			l.phone.gone = true
		}
	}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	err := poll(ctx, func() error {
		open := 0
		if err := r.do(func() { open = len(r.sockets) }); err != nil {
			return final{err}
		}
		if open > 0 {
			return fmt.Errorf("%d sockets are still open %v after the last call", open, settleTime)
		}
		return nil
	})
	if err != nil {
		m.faults = append(m.faults, err.Error())
	}
	return nil
}

func prefixed(prefix string, list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = prefix + s
	}
	return out
}

// wait waits for a while.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

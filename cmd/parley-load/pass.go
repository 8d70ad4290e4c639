package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"parley/internal/sim/model"
)

const (
	warmCalls  = 4                // at once, before anything is measured
	warmReads  = 64               // API requests at once: they open every connection of the database pools
	settleTime = 10 * time.Second // for goroutines and sockets to end after the last call
)

// pass is one measurement with a server of its own.
type pass struct {
	options
	Name      string
	delay     time.Duration
	interrupt bool
	binary    string
	dir       string
	voices    [][]byte
}

// result is what a pass measured.
type result struct {
	Name        string   `json:"name"`
	Calls       int      `json:"calls"`
	Clean       int      `json:"cleanCalls"`
	CallMinutes float64  `json:"callMinutes"`
	Turns       int      `json:"turns"`
	Up          spread   `json:"addedLatencyUp"`
	Down        spread   `json:"addedLatencyDown"`
	FramesUp    int      `json:"framesUp"`
	FramesDown  int      `json:"framesDown"`
	Underruns   int      `json:"underruns"`
	UnderrunMs  float64  `json:"longestUnderrunMs"`
	Clears      int      `json:"clears"`
	CPUPerMin   float64  `json:"cpuSecondsPerCallMinute"`
	ServerCPU   float64  `json:"serverCPUShare"` // of one processor, while calls ran
	LoadCPU     float64  `json:"loadCPUShare"`
	OtherCPU    float64  `json:"otherCPUShare"`  // of other processes on this machine
	StolenCPU   float64  `json:"stolenCPUShare"` // by other virtual machines
	Late        spread   `json:"phonesLate"`     // the worst tick of each call
	RSSBefore   int64    `json:"rssBefore"`
	RSSPeak     int64    `json:"rssPeak"`
	RSSPerCall  int64    `json:"rssPerCall"`
	Before      standing `json:"before"`
	After       standing `json:"after"`
	LogRows     float64  `json:"logRows"`
	Commits     float64  `json:"commits"`
	SlowestMs   float64  `json:"slowestWriteMs"`
	Dropped     float64  `json:"telemetryDropped"`
	LogLines    int      `json:"serverLogLines"`
	Faults      []string `json:"faults"`
	LogTail     string   `json:"serverLogTail,omitempty"` // when something was wrong
}

// run measures one pass. Errors mean that it could not be measured; what the server did wrong is in Faults.
func (p pass) run(ctx context.Context) (r result, err error) {
	var known callersByModel
	m, err := model.Start(model.Options{Brain: brain{}, OnMessage: known.modelMessage})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	s, err := startServer(ctx, p.binary, p.dir, p.delay, m)
	if err != nil {
		return r, err
	}
	var once sync.Once
	var stopErr error
	stop := func() error { once.Do(func() { stopErr = s.stop() }); return stopErr }
	defer func() { err = errors.Join(err, stop()) }()

	callers := make([]*caller, p.Calls+warmCalls)
	for i := range callers {
		c := &caller{index: i, model: fmt.Sprintf("load-%04d", i+1), interrupt: p.interrupt && i%4 == 0}
		if err := known.add(ctx, s, c); err != nil {
			return r, err
		}
		callers[i] = c
	}
	warm, callers := callers[p.Calls:], callers[:p.Calls]
	if err := p.warmUp(ctx, s, warm); err != nil {
		return r, fmt.Errorf("%w\n%s", err, s.tail())
	}
	r, err = p.measure(ctx, s, callers)
	if err != nil {
		return r, err
	}
	p.judge(ctx, s, callers, &r)
	if err := stop(); err != nil {
		r.Faults = append(r.Faults, err.Error())
		stopErr = nil // told
	}
	r.LogLines = s.logLines()
	if len(r.Faults) > 0 {
		r.LogTail = s.tail()
	}
	return r, nil
}

// warmUp opens pools and caches that stay, so that they are not counted as left over by the calls.
func (p pass) warmUp(ctx context.Context, s *server, callers []*caller) error {
	var reads sync.WaitGroup
	for range warmReads {
		reads.Go(func() { _, _ = s.do(ctx, "GET", "/api/v1/agents", nil) })
	}
	reads.Wait()
	if err := p.hold(ctx, s, callers, time.Second); err != nil {
		return err
	}
	for _, c := range callers {
		if faults := c.faults(); len(faults) > 0 {
			return fmt.Errorf("the warm-up call failed: %s", faults[0])
		}
		if fault := s.checkRecord(ctx, c.agentID); fault != "" {
			return fmt.Errorf("the warm-up call: %s", fault)
		}
	}
	return nil
}

// hold makes all calls at once and returns when all have ended.
func (p pass) hold(ctx context.Context, s *server, callers []*caller, length time.Duration) error {
	errs := make([]error, len(callers))
	var calls sync.WaitGroup
	for i, c := range callers {
		calls.Go(func() {
			select {
			case <-time.After(startSpread * time.Duration(i) / time.Duration(len(callers))):
				errs[i] = c.call(ctx, s, p.voices, length)
			case <-ctx.Done():
				errs[i] = ctx.Err()
			}
		})
	}
	calls.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// measure holds the calls and reads the meters before and after.
func (p pass) measure(ctx context.Context, s *server, callers []*caller) (result, error) {
	r := result{Name: p.Name, Calls: len(callers), Faults: []string{}}
	load := process{os.Getpid()}
	var err error
	if r.Before, err = s.settled(ctx); err != nil {
		return r, err
	}
	if r.RSSBefore, err = s.rss(); err != nil {
		return r, err
	}
	serverBefore, err := s.cpu()
	if err != nil {
		return r, err
	}
	loadBefore, err := load.cpu()
	if err != nil {
		return r, err
	}
	machineBefore, err := machineCPU()
	if err != nil {
		return r, err
	}
	watch, stopWatch := context.WithCancel(ctx)
	defer stopWatch()
	peak := s.peakRSS(watch)
	began := time.Now()
	if err := p.hold(ctx, s, callers, p.Duration); err != nil {
		return r, fmt.Errorf("%w\n%s", err, s.tail())
	}
	took := time.Since(began)
	stopWatch()
	r.RSSPeak = <-peak
	r.RSSPerCall = (r.RSSPeak - r.RSSBefore) / int64(len(callers))
	serverAfter, err := s.cpu()
	if err != nil {
		return r, fmt.Errorf("the server did not survive: %w\n%s", err, s.tail())
	}
	loadAfter, err := load.cpu()
	if err != nil {
		return r, err
	}
	machineAfter, err := machineCPU()
	if err != nil {
		return r, err
	}
	r.collect(callers)
	server, simulators := serverAfter-serverBefore, loadAfter-loadBefore
	share := func(d time.Duration) float64 { return round(float64(max(d, 0))/float64(took), 3) }
	r.ServerCPU, r.LoadCPU = share(server), share(simulators)
	r.OtherCPU, r.StolenCPU = share(machineAfter.busy-machineBefore.busy-server-simulators), share(machineAfter.stolen-machineBefore.stolen)
	r.CPUPerMin = round(server.Seconds()/r.CallMinutes, 4)
	r.CallMinutes = round(r.CallMinutes, 2)
	return r, nil
}

// settled returns what an idle server holds: the least of a second, because ends of requests are not instant.
func (s *server) settled(ctx context.Context) (standing, error) {
	least, err := s.standing(ctx)
	for range 10 {
		if err != nil {
			return least, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return least, ctx.Err()
		}
		var now standing
		if now, err = s.standing(ctx); err == nil && now.within(least) {
			least = now
		}
	}
	return least, err
}

// collect adds up what the phones and traces saw.
func (r *result) collect(callers []*caller) {
	var up, down, late []time.Duration
	for _, c := range callers {
		up, down, late = append(up, c.trace.up...), append(down, c.trace.down...), append(late, c.report.Late)
		r.CallMinutes += c.report.Duration.Minutes()
		r.Turns += len(c.report.Turns)
		r.FramesUp += len(c.trace.frames)
		r.FramesDown += int(c.trace.received / 160)
		r.Clears += c.trace.clears
		r.Underruns += len(c.report.Underruns)
		for _, u := range c.report.Underruns {
			r.UnderrunMs = max(r.UnderrunMs, ms(u.Duration))
		}
	}
	r.Up, r.Down, r.Late = spreadOf(up), spreadOf(down), spreadOf(late)
}

// judge looks for everything that must never happen.
func (p pass) judge(ctx context.Context, s *server, callers []*caller, r *result) {
	seen := map[string]bool{}
	for _, c := range callers {
		faults := c.faults()
		if fault := s.checkRecord(ctx, c.agentID); fault != "" {
			faults = append(faults, fault)
		}
		if len(faults) == 0 {
			r.Clean++
		}
		for _, f := range faults {
			r.Faults = append(r.Faults, c.model+": "+f)
		}
		if sid := c.report.CallSID; seen[sid] {
			r.Faults = append(r.Faults, c.model+": its CallSid was used twice")
		} else {
			seen[sid] = true
		}
	}
	wait, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	err := poll(wait, func() (err error) {
		if r.After, err = s.standing(ctx); err == nil && !r.After.within(r.Before) {
			err = fmt.Errorf("left over %v after the last call: before %+v, after %+v", settleTime, r.Before, r.After)
		}
		return err
	})
	if err != nil {
		r.Faults = append(r.Faults, err.Error())
	}
	page, err := s.get(ctx, "/metrics")
	if err != nil {
		r.Faults = append(r.Faults, err.Error())
		return
	}
	for name, to := range map[string]*float64{
		"parley_log_rows_total": &r.LogRows, "parley_store_commits_total": &r.Commits,
		"parley_store_write_max_seconds": &r.SlowestMs, "parley_log_dropped_total": &r.Dropped,
	} {
		if *to, err = gauge(page, name); err != nil {
			r.Faults = append(r.Faults, err.Error())
		}
	}
	r.SlowestMs = round(r.SlowestMs*1000, 1)
}

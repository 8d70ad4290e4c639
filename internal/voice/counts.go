package voice

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"parley"
	"parley/internal/metric"
	"parley/internal/store"
	"parley/internal/tool"
)

// frameLate is how much later than its time a frame may leave.
const frameLate = 20 * time.Millisecond

// Counts is what the sessions of a process count, for metrics and for the decision whether it can take another
// call. Make it with NewCounts. Safe for concurrent use.
type Counts struct {
	FramesIn, FramesOut, FramesLate, Underruns atomic.Int64

	Hops    map[string]*metric.Histogram // of a turn's latency, in seconds, by the names of parley.Hops, and "response"
	Pacing  *metric.Histogram            // how late paced frames leave, in seconds
	Clear   *metric.Histogram            // from the model's speech_started to the carrier's clear, in seconds
	Connect *metric.Histogram            // from the attached stream to the configured model session, in seconds

	Events *metric.Vec // everything that goes on record, by type
	Errors *metric.Vec // by where and type
	Cuts   *metric.Vec // interruptions, by what proved them; "rejected" are pauses after which the agent went on
	Turns  *metric.Vec // of callers, by the state in which they ended and by what decided
	Tools  *tool.Counts
}

// NewCounts makes zero counts.
func NewCounts() *Counts {
	c := &Counts{
		Hops:    map[string]*metric.Histogram{},
		Pacing:  metric.NewHistogram(.0005, .001, .002, .005, .01, .02, .04, .08, .16, .5),
		Clear:   metric.NewHistogram(.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .05, .3, 1),
		Connect: metric.NewHistogram(.05, .1, .25, .5, .75, 1, 1.5, 2, 3, 5, 10),
		Events:  metric.NewVec("type"),
		Errors:  metric.NewVec("where", "type"),
		Cuts:    metric.NewVec("by"),
		Turns:   metric.NewVec("state", "by"),
		Tools:   tool.NewCounts(),
	}
	for _, hop := range []string{"endpoint", "create", "model", "frame", "heard", "total", "response"} {
		c.Hops[hop] = metric.NewHistogram(.01, .025, .05, .1, .2, .3, .4, .5, .6, .8, 1, 1.25, 1.5, 2, 3, 5, 10)
	}
	return c
}

// count takes note of what goes on record.
func (c *Counts) count(typ string, data any) {
	c.Events.Add(1, typ)
	seconds := func(ms int64) float64 { return float64(ms) / 1000 }
	switch d := data.(type) {
	case parley.TurnLatencyData:
		c.Hops["endpoint"].Observe(seconds(d.EndpointMs))
		c.Hops["create"].Observe(seconds(d.CreateMs))
		c.Hops["model"].Observe(seconds(d.FirstByteMs))
		c.Hops["frame"].Observe(seconds(d.FrameMs))
		c.Hops["response"].Observe(seconds(d.ResponseMs))
		if total, ok := d.Total(); ok {
			c.Hops["heard"].Observe(seconds(*d.HeardMs))
			c.Hops["total"].Observe(seconds(total))
		}
	case parley.InterruptionData:
		c.Cuts.Add(1, cmp.Or(d.By, "silence"))
	case parley.InterruptionRejectedData:
		c.Cuts.Add(1, "rejected")
	case parley.TurnDecidedData:
		c.Turns.Add(1, d.State, cmp.Or(d.By, "silence"))
	case parley.ModelConnectedData:
		c.Connect.Observe(seconds(d.Ms))
	case parley.ErrorData:
		c.Errors.Add(1, d.Where, d.Type)
	case parley.ToolCompletedData:
		c.Tools.Count(parley.ChannelPhone, d)
	}
}

// attached counts a media stream: internal/call has put it on record.
func (c *Counts) attached(again bool) {
	c.Events.Add(1, parley.EventStreamStarted)
	if again {
		c.Events.Add(1, "stream.resumed")
	}
}

// watch lets Counts see a session: what it records, and what it sends to the carrier.
func (c *Counts) watch(carrier Carrier, rec Recorder) (Carrier, Recorder) {
	w := &watch{c: c}
	return &watchedCarrier{carrier, w}, &watchedRecorder{rec, w}
}

// watch is the state that the two sides of one session share; both belong to its goroutine.
type watch struct {
	c        *Counts
	speechAt time.Time // the model heard the caller, and nothing was cleared since
}

type watchedCarrier struct {
	Carrier
	w *watch
}

func (c *watchedCarrier) SendMedia(ulaw []byte) error {
	c.w.c.FramesOut.Add(1)
	return c.Carrier.SendMedia(ulaw)
}

func (c *watchedCarrier) SendClear() error {
	err := c.Carrier.SendClear()
	if !c.w.speechAt.IsZero() {
		c.w.c.Clear.Observe(time.Since(c.w.speechAt).Seconds())
		c.w.speechAt = time.Time{}
	}
	return err
}

// allowed counts the time until the clear from now on: the gate lets the session act on what the model has heard before.
func (s *Session) allowed(now time.Time) {
	if r, ok := s.rec.(*watchedRecorder); ok {
		r.w.speechAt = now
	}
}

type watchedRecorder struct {
	Recorder
	w *watch
}

func (r *watchedRecorder) Fact(typ string, data any) {
	r.w.c.count(typ, data)
	r.Recorder.Fact(typ, data)
}

func (r *watchedRecorder) Telemetry(typ string, data any) {
	switch typ {
	case parley.EventSpeechStarted:
		r.w.speechAt = time.Now()
	case parley.EventSpeechStopped:
		r.w.speechAt = time.Time{}
	}
	r.w.c.count(typ, data)
	r.Recorder.Telemetry(typ, data)
}

// Intent runs on other goroutines than the session's.
func (r *watchedRecorder) Intent(ctx context.Context, typ string, data any, also ...func(context.Context, *store.Tx) error) error {
	r.w.c.count(typ, data)
	return r.Recorder.Intent(ctx, typ, data, also...)
}

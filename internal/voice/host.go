package voice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"parley"
	"parley/internal/bill"
	"parley/internal/call"
	"parley/internal/capacity"
	"parley/internal/openai"
	"parley/internal/record"
	"parley/internal/store"
	"parley/internal/tool"
)

// HostOptions of a Host.
type HostOptions struct {
	Calls *call.Service
	Tools *tool.Runner
	// Endpoint says which provider, and whose account, serves an organization.
	Endpoint func(ctx context.Context, orgID string) (openai.Endpoint, error)
	// Recordings is where the sound of calls is kept; nil = nowhere, whatever an agent wants.
	Recordings *record.Folder

	Bill     *bill.Bill    // nil: the built-in prices
	Patience time.Duration // see Config.Patience
	Counts   *Counts       // nil: its own
	// Capacity is told of every session; nil = nobody counts.
	Capacity *capacity.Capacity
	Logger   *slog.Logger
}

// Stats is a snapshot for metrics: sessions by how they ended.
type Stats struct {
	Completed, Failed, Detached, Fenced int64
}

// Host runs the sessions of this process. Safe for concurrent use.
type Host struct {
	opt  HostOptions
	live atomic.Int64
	seats

	handOver chan struct{}
	handOnce sync.Once

	mu    sync.Mutex
	stats Stats
}

// NewHost makes a host.
func NewHost(opt HostOptions) *Host {
	if opt.Counts == nil {
		opt.Counts = NewCounts()
	}
	if opt.Capacity == nil {
		opt.Capacity = capacity.New(capacity.Options{})
	}
	return &Host{opt: opt, handOver: make(chan struct{})}
}

// Live is the number of sessions running now.
func (h *Host) Live() int { return int(h.live.Load()) }

// Stats returns a snapshot.
func (h *Host) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stats
}

func (h *Host) count(out *Outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case out.Fenced:
		h.stats.Fenced++
	case out.Detached:
		h.stats.Detached++
	case parley.EndFailed(out.Reason):
		h.stats.Failed++
	default:
		h.stats.Completed++
	}
}

// bookTimeout bounds each of the commits at a session's end.
const bookTimeout = 3 * time.Second

// Hold runs the session of an attached call until it ends, then closes its books and says how it ended. It returns when nothing of
// the session is left but the carrier's socket, which the caller closes. ctx ends calls on shutdown.
func (h *Host) Hold(ctx context.Context, carrier Carrier, a *call.Attachment) *Outcome {
	h.live.Add(1)
	defer h.live.Add(-1)
	h.opt.Capacity.Enter(a.Call.CallSID, a.Call.OrgID)
	defer h.opt.Capacity.Leave(a.Call.CallSID)
	logger := h.opt.Logger.With(slog.String("call_id", a.Call.ID), slog.String("org_id", a.Call.OrgID))
	begun := time.Now()
	h.opt.Counts.attached(a.Call.Resumes > 0)
	watched, rec := h.opt.Counts.watch(carrier, a.Writer)
	recording := h.beginRecording(a, rec, logger)
	s, leave := h.seat(ctx, watched, rec, a, recording, logger)
	out := h.run(ctx, s, logger)
	endRecording(rec, recording)
	h.count(out)
	if out.Keep > 0 {
		leave(s, out.Keep)
	}
	h.close(carrier, a, out, logger)
	if out.Keep == 0 {
		s.Wait()
		leave(nil, 0)
	}
	h.report(out, begun, logger)
	return out
}

// seat finds the session that was kept for a call, or makes it one, and takes its seat, which must be left. Like all of
// Hold's large steps it is a function of its own: while the call is held, its goroutine keeps their stack no longer.
func (h *Host) seat(ctx context.Context, carrier Carrier, rec Recorder, a *call.Attachment, recording *record.Writer, logger *slog.Logger) (*Session, func(*Session, time.Duration)) {
	s, leave := h.sit(a.Call.ID)
	if s != nil {
		s.Rejoin(carrier, rec, a.Call, recording, a.Over(), a.Taken())
	} else {
		Aside(func() { s = h.session(ctx, carrier, rec, a, recording, logger) })
	}
	return s, leave
}

// report tells of a stream that its call has left. Any other end is the call's, which internal/call reports.
func (h *Host) report(out *Outcome, begun time.Time, logger *slog.Logger) {
	if out.Detached {
		h.opt.Counts.Events.Add(1, parley.EventStreamDetached)
	}
	if out.Detached || out.Fenced {
		logger.Warn("call left its stream", slog.Bool("detached", out.Detached), slog.Bool("fenced", out.Fenced), slog.Duration("after", time.Since(begun)))
	}
}

// HandOver makes every session, those to come included, let its call go at the end of a turn, for another process. It
// may be called more than once.
func (h *Host) HandOver() { h.handOnce.Do(func() { close(h.handOver) }) }

// Close releases the sessions that wait for another stream of their call.
func (h *Host) Close() { h.seats.close() }

// session makes the session of a call that has none in this process.
func (h *Host) session(ctx context.Context, carrier Carrier, rec Recorder, a *call.Attachment, recording *record.Writer, logger *slog.Logger) *Session {
	endpoint, _ := h.opt.Endpoint(ctx, a.Call.OrgID) // an error is told by Dial
	defer func() { a.Earlier = nil }()               // the session has read it
	return New(carrier, rec, Config{
		Call: a.Call, Agent: a.Agent, History: a.History, Earlier: a.Earlier,
		Tools:          reachable(h.opt.Tools.Tools(ctx, a.Call.OrgID, a.Agent.ToolIDs), a.Call),
		SimulatedModel: endpoint.Simulated,
		Dial: func(ctx context.Context) (Model, error) {
			endpoint, err := h.opt.Endpoint(ctx, a.Call.OrgID) // again: a key may be replaced during a long call
			if err != nil {
				return nil, fmt.Errorf("model account: %w", err)
			}
			m, err := openai.DialRealtime(ctx, openai.RealtimeOptions{BaseURL: endpoint.BaseURL, Key: endpoint.Key, Model: a.Agent.Model})
			if err != nil {
				return nil, err // not m: a nil *Realtime is not a nil Model
			}
			return m, nil
		},
		RunTool: h.opt.Tools.Run, Recording: recording, Patience: h.opt.Patience,
		Bill: h.opt.Bill, Counts: h.opt.Counts, Direction: a.Direction, Spent: a.Spent,
		Over: a.Over(), Taken: a.Taken(), HandOver: h.handOver, Lost: a.Lost,
		Log: logger,
	})
}

// run keeps a panic of one call away from all others.
func (h *Host) run(ctx context.Context, s *Session, logger *slog.Logger) (out *Outcome) {
	defer func() {
		if p := recover(); p != nil {
			logger.Error("session panicked", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			out = &Outcome{Reason: parley.EndInternalError, Intent: parley.IntentNotice}
			s.Release()
		}
	}()
	return s.Run(ctx)
}

// close commits the outcome. An intent is committed before the socket closes, because the carrier's next
// request comes right after; shutdown does not cut these transactions short.
func (h *Host) close(carrier Carrier, a *call.Attachment, out *Outcome, logger *slog.Logger) {
	book := func(commit func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(context.Background(), bookTimeout)
		defer cancel()
		return commit(ctx)
	}
	var err error
	switch {
	case out.Fenced:
		h.opt.Calls.Abandon(a)
	case out.Detached:
		err = book(func(ctx context.Context) error {
			if out.HandOver {
				return h.opt.Calls.HandOver(ctx, a)
			}
			return h.opt.Calls.Detach(ctx, a)
		})
	case out.Intent.Returns():
		err = book(func(ctx context.Context) error { return h.opt.Calls.Depart(ctx, a, out.Intent, out.Errand) })
		carrier.Close()
	default:
		if out.Intent != parley.IntentNone {
			err = book(func(ctx context.Context) error { return h.opt.Calls.Decide(ctx, a, out.Reason, out.Intent) })
		}
		carrier.Close()
		err = errors.Join(err, book(func(ctx context.Context) error { return h.opt.Calls.Finish(ctx, a, out.Reason) }))
	}
	if err != nil && !errors.Is(err, store.ErrFenced) {
		logger.Error("call not closed properly: the reconciler will", slog.Any("error", err))
	}
}

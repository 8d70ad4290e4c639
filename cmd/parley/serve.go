package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"
	"time"

	"parley"
	"parley/internal/auth"
	"parley/internal/bill"
	"parley/internal/call"
	"parley/internal/capacity"
	"parley/internal/chat"
	"parley/internal/config"
	"parley/internal/log"
	"parley/internal/metric"
	"parley/internal/phone"
	"parley/internal/record"
	"parley/internal/secret"
	"parley/internal/server"
	"parley/internal/sim/model"
	"parley/internal/store"
	"parley/internal/trace"
	"parley/internal/voice"
	"parley/internal/widget"
)

type serveCmd struct {
	config.Serve `embed:""`
}

// Run serves until ctx ends, then drains.
func (c *serveCmd) Run(ctx context.Context, s streams) error {
	return serve(ctx, c.Serve, s)
}

// app is a server while it starts, runs and ends. The steps of start fill it from top to bottom.
type app struct {
	cfg    config.Serve
	out    io.Writer
	logger *slog.Logger
	owner  string // id of this process

	listener net.Listener
	origin   string // public, without a final slash
	store    *store.Store
	ring     *secret.Ring
	setup    setup
	carrier  parley.Credentials // of the default organization; simulated ones when none are configured
	model    *model.Server      // nil unless simulated

	metrics    *metric.Registry
	bill       *bill.Bill
	counts     *voice.Counts
	load       *capacity.Watch
	capacity   *capacity.Capacity
	traces     *trace.Exporter // nil: off
	log        *log.Log
	auth       *auth.Authenticator
	calls      *call.Service
	host       *voice.Host
	recordings *record.Folder
	phone      *phone.Handler
	chat       *chat.Service
	visits     *widget.Counts
	server     *server.Server

	closers []closer // ended in reverse order
}

// closer ends one thing that was started.
type closer struct {
	name string
	end  func(context.Context) error
}

// onClose notes how to end what was just started.
func (a *app) onClose(name string, end func(context.Context) error) {
	a.closers = append(a.closers, closer{name, end})
}

// closeTimeout bounds the end of everything but live calls, which have the drain.
const closeTimeout = 15 * time.Second

// serve starts a server, runs it until ctx ends and ends it in order. Whatever was started is ended, also
// when a later step fails.
func serve(ctx context.Context, cfg config.Serve, s streams) (err error) {
	a := &app{cfg: cfg, out: s.out, logger: newLogger(s, cfg.Log), owner: parley.NewID(), metrics: metric.New(version)}
	defer func() { err = errors.Join(err, a.close()) }()
	steps := []func(context.Context) error{
		a.readPrices,
		a.startTraces,
		a.listen, // before anything is made: a taken port leaves nothing behind
		a.keepHeapLean,
		a.listenDebug,
		a.openData,
		a.openRing,
		a.setUp,
		a.writeLocalFiles,
		a.startModel,
		a.wire,
		a.recover,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return a.run(ctx)
}

// readPrices reads the price table.
func (a *app) readPrices(context.Context) error {
	prices, err := loadPrices(a.cfg.Prices)
	a.bill = bill.New(prices)
	return err
}

// startTraces starts to send traces, if a collector is named.
func (a *app) startTraces(context.Context) error {
	cfg, err := trace.FromEnvironment(func(name string) string {
		if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
			return a.cfg.OTLPEndpoint
		}
		return os.Getenv(name)
	}, version)
	if err != nil || cfg.URL == "" {
		return err
	}
	a.traces = trace.New(cfg, a.logger)
	a.onClose("traces", a.traces.Close)
	return nil
}

// tracedCalls is what to do with a call that has ended.
func (a *app) tracedCalls() func(parley.Conversation, []parley.Event) {
	if a.traces == nil {
		return nil
	}
	return a.traces.Call
}

// listen takes the address.
func (a *app) listen(ctx context.Context) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", a.cfg.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("the address %s is in use: stop the other server, or choose another address with --listen or PARLEY_LISTEN", a.cfg.Listen)
	}
	if err != nil {
		return fmt.Errorf("PARLEY_LISTEN: %w", err)
	}
	a.listener, a.origin = l, a.cfg.Origin(l.Addr())
	a.onClose("listener", func(context.Context) error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

// openData makes the data folder and opens the database.
func (a *app) openData(ctx context.Context) error {
	if err := makeFolder(a.cfg.Dir); err != nil {
		return err
	}
	st, err := openStore(ctx, a.cfg.Data, a.cfg.CommitDelay, a.logger)
	if err != nil {
		return err
	}
	a.store = st
	a.onClose("store", func(context.Context) error { return st.Close() })
	return nil
}

// startModel starts the simulated model when no provider is configured. It listens on loopback and has its
// own key, so that the way to it is the way to the real one.
func (a *app) startModel(context.Context) error {
	if !a.cfg.Simulated() {
		return nil
	}
	m, err := model.Start(model.Options{})
	if err != nil {
		return err
	}
	a.model = m
	a.onClose("simulated model", func(context.Context) error { return m.Close() })
	return nil
}

// recover makes this process known to others on the same database, and takes over what an earlier one left. Only a
// server on its own SQLite file may do so at once; on PostgreSQL the processes look after each other's calls.
func (a *app) recover(ctx context.Context) error {
	a.onClose("calls", a.calls.Leave)
	return errors.Join(a.calls.Join(ctx), a.calls.Recover(ctx), a.chat.Recover(ctx))
}

// run answers until ctx ends, then lets live calls finish.
func (a *app) run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	reconciled := make(chan struct{})
	go func() {
		defer close(reconciled)
		a.calls.Run(work)
	}()
	served := make(chan error, 1)
	go func() { served <- a.server.Serve(a.listener) }()
	a.greet()

	var err error
	select {
	case err = <-served: // the listener broke
	case <-ctx.Done():
		a.drain(work)
		err = a.server.Shutdown(work)
		err = errors.Join(err, <-served)
	}
	stop()
	<-reconciled
	return err
}

// drain turns new calls and chats away and waits for the live ones.
func (a *app) drain(ctx context.Context) {
	a.server.Drain()
	if live := a.phone.Live(); live > 0 {
		a.logger.LogAttrs(ctx, slog.LevelInfo, "draining: live calls may finish", slog.Int("calls", live), slog.Duration("drain", a.cfg.Drain))
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Drain)
	defer cancel()
	chats := make(chan error, 1)
	go func() { chats <- a.chat.Close(ctx) }()
	a.phone.Drain(ctx)
	if err := <-chats; err != nil {
		a.logger.LogAttrs(ctx, slog.LevelWarn, "chats did not end in time", slog.String("error", err.Error()))
	}
}

// close ends what was started, last first.
func (a *app) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		if err := a.closers[i].end(ctx); err != nil {
			errs = append(errs, fmt.Errorf("closing %s: %w", a.closers[i].name, err))
		}
	}
	return errors.Join(errs...)
}

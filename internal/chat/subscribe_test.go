package chat

import (
	"context"
	"time"
)

// Subscribe pours a run into a channel, which is closed at the end.
func (r *Run) Subscribe(ctx context.Context, after int64) <-chan Event {
	ctx, cancel := context.WithCancel(ctx)
	to := &channel{events: make(chan Event, 1), ctx: ctx}
	go func() {
		defer close(to.events)
		defer cancel()
		r.Pour(ctx, after, to, time.Hour)
	}()
	return to.events
}

// Events is Subscribe from the beginning.
func (r *Run) Events() <-chan Event { return r.Subscribe(context.Background(), 0) }

// Follow subscribes to a run of any process.
func (s *Service) Follow(ctx context.Context, orgID, runID string, after int64) (<-chan Event, error) {
	r, err := s.Recall(ctx, orgID, runID)
	if err != nil {
		return nil, err
	}
	return r.Subscribe(ctx, after), nil
}

// channel is a sink that waits for its reader.
type channel struct {
	events chan Event
	ctx    context.Context //nolint:containedctx // of the reader
}

func (c *channel) Send(id int64, typ string, data any) {
	select {
	case c.events <- Event{ID: id, Type: typ, Data: data}:
	case <-c.ctx.Done():
	}
}

func (c *channel) Beat()      {}
func (c *channel) Err() error { return c.ctx.Err() }

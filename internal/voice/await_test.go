package voice

import (
	"context"
	"log/slog"
	"testing"

	"parley"
	"parley/internal/store"
)

// TestWhatEndsASessionFromOutside: when several things have happened, the one that explains the others counts.
func TestWhatEndsASessionFromOutside(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	close(closed)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for name, c := range map[string]struct {
		ctx                   context.Context
		taken, over, handOver chan struct{}
		fenced                bool
		want                  Outcome
	}{
		"nothing":                           {ctx: t.Context()},
		"another stream":                    {ctx: t.Context(), taken: closed, want: Outcome{Fenced: true, Keep: keepDetached}},
		"another stream, which has the log": {ctx: t.Context(), taken: closed, fenced: true, want: Outcome{Fenced: true, Keep: keepDetached}},
		"another process":                   {ctx: stopped, over: closed, fenced: true, want: Outcome{Fenced: true}},
		"the carrier":                       {ctx: stopped, over: closed, handOver: closed, want: Outcome{Reason: parley.EndCallerHangup}},
		"the end of the process":            {ctx: stopped, want: Outcome{Reason: parley.EndServerStopped, Intent: parley.IntentNotice}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, rec := parley.DefaultVoiceConfig(), newTape()
			if c.fenced {
				rec.err = store.ErrFenced
				close(rec.done)
			}
			s := New(&muteCarrier{}, rec, Config{
				Agent: parley.Agent{Voice: &v}, Log: slog.New(slog.DiscardHandler), Taken: c.taken, Over: c.over, HandOver: c.handOver,
			})
			defer s.Release()
			s.look(c.ctx)
			if got := s.outcome; got == nil && c.want != (Outcome{}) || got != nil && *got != c.want {
				t.Errorf("outcome %+v, want %+v", got, c.want)
			}
		})
	}
}

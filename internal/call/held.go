package call

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"parley"
	"parley/internal/store"
)

// held knows the calls whose sessions run in this process, and those whose end could not be committed. The zero
// value is ready; it is safe for concurrent use.
type held struct {
	mu       sync.Mutex
	sessions map[string]*Attachment // by call id
	unbooked map[string]parley.Call // by call id; Intent and EndReason are what was decided
}

// add registers a session. An earlier one of the same call has lost it and is told so.
func (h *held) add(a *Attachment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions == nil {
		h.sessions = map[string]*Attachment{}
	}
	if old := h.sessions[a.Call.ID]; old != nil {
		close(old.taken)
	}
	h.sessions[a.Call.ID] = a
}

func (h *held) remove(a *Attachment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions[a.Call.ID] == a {
		delete(h.sessions, a.Call.ID)
	}
}

// end tells the session of a call that the carrier is done with it; false if there is none here.
func (h *held) end(callID string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.sessions[callID]
	if a != nil {
		a.end()
	}
	return a != nil
}

// leave keeps a call that is still live in the store although nobody holds it, for the reconciler.
func (h *held) leave(c parley.Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unbooked == nil {
		h.unbooked = map[string]parley.Call{}
	}
	h.unbooked[c.ID] = c
}

// take returns what leave kept.
func (h *held) take() map[string]parley.Call {
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := h.unbooked
	h.unbooked = nil
	return taken
}

// rebook does what the sessions' own commits could not: it takes the calls out of the live state, and ends
// those whose end was decided.
func (s *Service) rebook(ctx context.Context) {
	for _, c := range s.held.take() {
		err := s.letGo(ctx, c)
		if err == nil && c.EndReason != "" {
			err = s.close(ctx, c, c.EndReason)
		}
		if err != nil && !parley.IsNotFound(err) {
			s.held.leave(c)
			s.opt.Logger.Error("end unbooked call", slog.String("call_id", c.ID), slog.Any("error", err))
		}
	}
}

// letGo marks a call as detached, with what was decided about it, unless another stream has taken it over.
func (s *Service) letGo(ctx context.Context, c parley.Call) error {
	return s.st.Write(ctx, func(tx *store.Tx) error {
		now, err := tx.FindCall(ctx, c.OrgID, c.ID)
		if err != nil || now.State != parley.CallLive || now.StreamSID != c.StreamSID {
			return err
		}
		now.State, now.Intent, now.EndReason, now.UpdatedAt = parley.CallDetached, c.Intent, c.EndReason, time.Now().UTC()
		return tx.UpdateCall(ctx, c.OrgID, now)
	})
}

// release gives a session's call back. err is how its last commit went: the reconciler makes up for a failure.
func (s *Service) release(a *Attachment, err error) {
	a.Writer.Close()
	s.held.remove(a)
	if err != nil && !errors.Is(err, store.ErrFenced) {
		s.held.leave(a.Call)
	}
}

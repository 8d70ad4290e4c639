package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"parley"
	"parley/internal/store"
)

// The loop cap: a call whose streams cannot be kept is not sent round in circles.
const (
	resumeWindow     = 60 * time.Second
	maxResumes       = 3 // within resumeWindow
	maxEmptyStreams  = 2 // in a row, without media
	repeatTime       = 2 * time.Second
	reopenAttempts   = 4
	reasonGoesOn     = "the carrier says that the call goes on"
	reasonStreamGone = "the media stream vanished without a stop"
)

// Next is what a call does after its media stream closed.
type Next struct {
	Intent         parley.CallIntent // IntentNone: attach a new stream with Ticket
	Ticket         Ticket
	FallbackNumber string        // dialed after a notice, "" = hang up
	Language       string        // of the agent, "" = unknown
	Errand         parley.Errand // of IntentTransfer and IntentKeys; the latter has a Ticket too
	WhisperToken   string        // of a transfer with a summary
}

// Resume decides what the carrier does next with a call whose stream was closed: what was committed before the
// close, or a new stream to the same conversation. A signed request with CallStatus in-progress proves that
// the call lives, even after its end. It may be repeated and race with others: all get the same answer for the same
// epoch, and one stream.
func (s *Service) Resume(ctx context.Context, c parley.Call) (Next, error) {
	return s.resume(ctx, c, false)
}

// resume: ours says that we have taken the call away from a stream that was well.
func (s *Service) resume(ctx context.Context, c parley.Call, ours bool) (Next, error) {
	agent, err := s.st.FindAgent(ctx, c.OrgID, c.AgentID)
	gone := parley.IsNotFound(err)
	if err != nil && !gone {
		return Next{}, fmt.Errorf("find the call's agent: %w", err)
	}
	if next, done, err := s.errand(ctx, c); done || err != nil {
		next.FallbackNumber, next.Language = spoken(agent)
		return next, err
	}
	for range reopenAttempts {
		next, ended, err := s.next(ctx, c, gone, ours)
		if err != nil {
			return Next{}, fmt.Errorf("resume call: %w", err)
		}
		if !ended {
			next.FallbackNumber, next.Language = spoken(agent)
			next.Ticket, err = s.asked(ctx, c, next.Ticket)
			return next, err
		}
		// Fenced: a request that raced this one has reopened it.
		if err := s.reopen(ctx, c); err != nil && !errors.Is(err, store.ErrFenced) {
			return Next{}, fmt.Errorf("reopen call: %w", err)
		}
	}
	return Next{}, errors.New("resume call: it ends as often as it is reopened")
}

// spoken is what of an agent is needed where it cannot speak itself.
func spoken(agent parley.Agent) (fallbackNumber, language string) {
	if v := agent.Voice; v != nil {
		if v.FallbackNumber != nil {
			fallbackNumber = *v.FallbackNumber
		}
		if v.Language != nil {
			language = *v.Language
		}
	}
	return fallbackNumber, language
}

// next decides in one transaction. ended: the call must be reopened first.
func (s *Service) next(ctx context.Context, c parley.Call, agentGone, ours bool) (next Next, ended bool, err error) {
	err = s.st.Write(ctx, func(tx *store.Tx) error {
		next, ended = Next{}, false
		now := time.Now().UTC()
		c, err := tx.FindCall(ctx, c.OrgID, c.ID)
		if err != nil {
			return err
		}
		switch repeated := tally(&c, now); {
		case c.Intent.Ends():
			next.Intent = c.Intent
			if c.State != parley.CallLive {
				return nil
			}
			c.State, c.UpdatedAt = parley.CallDetached, now // it is told now: nobody has to tell it in our stead
			return tx.UpdateCall(ctx, c.OrgID, c)
		case agentGone || !repeated && !ours && capped(c):
			s.opt.Logger.Warn("call given up: its streams cannot be kept", slog.String("call_id", c.ID),
				slog.Int("resumes", len(c.RecentResumes)), slog.Int("empty_streams", c.EmptyStreams), slog.Bool("agent_gone", agentGone))
			next.Intent = parley.IntentNotice
			c.Intent, c.EndReason = parley.IntentNotice, parley.EndCarrierLost
			return tx.UpdateCall(ctx, c.OrgID, c)
		case c.State == parley.CallEnded:
			ended = true
			return nil
		case !repeated && !ours:
			c.RecentResumes = append(c.RecentResumes, now)
			if err := tx.SetResumes(ctx, c.OrgID, c); err != nil {
				return err
			}
		}
		if c.State != parley.CallLive { // the minute begins again; a live call's stream may still be there
			c.UpdatedAt = now
			if err := tx.UpdateCall(ctx, c.OrgID, c); err != nil {
				return err
			}
		}
		next.Ticket, err = s.mint(ctx, tx, c, now)
		return err
	})
	return next, ended, err
}

// tally forgets what is out of the cap's window and notes a stream that could not be opened: its token, made since the
// last stream was lost, is still unused. repeated: that token is so young that this is the same request again.
func tally(c *parley.Call, now time.Time) (repeated bool) {
	for len(c.RecentResumes) > 0 && now.Sub(c.RecentResumes[0]) >= resumeWindow {
		c.RecentResumes = c.RecentResumes[1:]
	}
	minted := c.TokenUntil.Add(-tokenLife)
	if c.TokenUntil.IsZero() || minted.Before(c.UpdatedAt) {
		return false
	}
	if now.Sub(minted) < repeatTime {
		return true
	}
	c.EmptyStreams++
	return false
}

func capped(c parley.Call) bool {
	return len(c.RecentResumes) >= maxResumes || c.EmptyStreams >= maxEmptyStreams
}

// reopen takes back an end that we did not decide: the call is as if its stream had just been lost.
func (s *Service) reopen(ctx context.Context, c parley.Call) error {
	var epoch, last int64
	err := s.st.Write(ctx, func(tx *store.Tx) error {
		now, err := tx.FindCall(ctx, c.OrgID, c.ID)
		if err == nil && now.State != parley.CallEnded {
			err = store.ErrFenced // somebody else was faster, and may hold a stream by now
		}
		if err == nil {
			epoch, last, err = tx.RaiseEpoch(ctx, c.OrgID, c.ID)
		}
		return err
	})
	if err != nil {
		return err
	}
	w := s.log.Open(c.OrgID, c.ID, epoch, last)
	defer w.Close()
	return w.Intent(ctx, parley.EventReopened, parley.StreamDetachedData{Reason: reasonGoesOn},
		func(ctx context.Context, tx *store.Tx) error {
			c, err := tx.FindCall(ctx, c.OrgID, c.ID)
			if err != nil {
				return err
			}
			c.State, c.Owner, c.EndReason, c.UpdatedAt = parley.CallDetached, "", "", time.Now().UTC()
			if err := tx.UpdateCall(ctx, c.OrgID, c); err != nil {
				return err
			}
			conv, err := tx.FindConversation(ctx, c.OrgID, c.ID)
			if err != nil {
				return err
			}
			conv.Status, conv.EndedAt, conv.EndReason = parley.ConversationActive, nil, ""
			return tx.UpdateConversation(ctx, c.OrgID, conv)
		})
}

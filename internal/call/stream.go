package call

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/log"
	"parley/internal/secret"
	"parley/internal/store"
)

// Attachment is a call with its media stream: everything a session needs. The holder of the attachment owns
// the call until it detaches or finishes it, or until another process attaches (Writer.Done).
type Attachment struct {
	Call      parley.Call
	Agent     parley.Agent
	Epoch     int64 // of the call, raised by this attachment
	Writer    *log.Writer
	History   []leg.HistoryItem // of earlier streams of the same call
	Earlier   []parley.Event    // on record of them
	Spent     int64             // by them, in micro-dollars, without the carrier
	Direction string            // inbound, outbound
	// Lost says that the caller has noticed a loss: the line was silent, or the carrier said "one moment".
	Lost bool
	// HadMedia reports whether the stream brought any audio; nil = it did. Set it before the session runs.
	HadMedia func() bool

	hungUp  bool // the carrier has hung up for us
	over    chan struct{}
	endOnce sync.Once
	taken   chan struct{} // closed once, by held
}

// HungUp reports whether the carrier has hung up because we asked it to: it will not ask what follows. Call it after
// the end.
func (a *Attachment) HungUp() bool { return a.hungUp }

// Taken is closed when another stream of the call was attached in this process: it owns the call now.
func (a *Attachment) Taken() <-chan struct{} { return a.taken }

// Over is closed when the carrier says that the call is over. The session must end then as if it had seen the
// stream's stop.
func (a *Attachment) Over() <-chan struct{} { return a.over }

func (a *Attachment) end() { a.endOnce.Do(func() { close(a.over) }) }

// ErrToken says that a stream token is unknown, used, expired or meant for another call. Which one is not
// told to the peer.
var ErrToken = errors.New("stream token is not valid")

// Valid reports whether an unused token exists; it uses nothing up. It lets the socket be refused before the
// upgrade.
func (s *Service) Valid(ctx context.Context, token string) (parley.Call, error) {
	c, err := s.st.FindStreamToken(ctx, secret.HashToken(token), time.Now())
	if parley.IsNotFound(err) {
		return parley.Call{}, ErrToken
	}
	if err != nil {
		return parley.Call{}, fmt.Errorf("find stream token: %w", err)
	}
	return c, nil
}

// Attach uses up the token and makes this process the owner of the call: one compare-and-set that raises the
// epoch. callSID and accountSID are what the stream's start message says; both must be the call's.
func (s *Service) Attach(ctx context.Context, token, callSID, accountSID, streamSID string) (*Attachment, error) {
	var c parley.Call
	var epoch, last int64
	err := s.st.Write(ctx, func(tx *store.Tx) (err error) {
		c, epoch, last, err = tx.AttachStream(ctx, secret.HashToken(token), callSID, streamSID, s.opt.Owner, time.Now())
		if err == nil && c.AccountSID != accountSID {
			return ErrToken // rolls back: the token stays for its rightful call
		}
		return err
	})
	if parley.IsNotFound(err) {
		return nil, ErrToken
	}
	if err != nil {
		return nil, fmt.Errorf("attach stream: %w", err)
	}
	a := &Attachment{Call: c, Epoch: epoch, Writer: s.log.Open(c.OrgID, c.ID, epoch, last), over: make(chan struct{}), taken: make(chan struct{})}
	s.held.add(a)
	if err := s.furnish(ctx, a, parley.StreamStartedData{StreamSID: streamSID, Epoch: epoch}); err != nil {
		s.release(a, err)
		return nil, err
	}
	return a, nil
}

// furnish gives an attachment what its session needs, and puts the stream on record.
func (s *Service) furnish(ctx context.Context, a *Attachment, started parley.StreamStartedData) error {
	c := a.Call
	agent, err := s.st.FindAgent(ctx, c.OrgID, c.AgentID)
	if err != nil {
		return fmt.Errorf("find the call's agent: %w", err)
	}
	a.Agent = agent
	a.Direction = s.direction(ctx, c)
	if err := a.Writer.Intent(ctx, parley.EventStreamStarted, started); err != nil {
		return fmt.Errorf("record stream: %w", err)
	}
	if c.Continued() { // after the new stream is on record: whatever was spoken on the old one has fallen silent
		events, err := s.st.ListEvents(ctx, c.OrgID, c.ID, 0, 0)
		if err != nil {
			return fmt.Errorf("read the call's history: %w", err)
		}
		rec := parley.Project(events)
		a.History, a.Earlier, a.Spent = history(rec), events, rec.Cost-rec.CarrierCost
		a.Lost = c.Resumes > 0 && c.Errand.Number == "" && c.Errand.Digits == "" && !handedOver(events)
	}
	return nil
}

// handedOver reports whether the newest loss of a stream was none.
func handedOver(events []parley.Event) bool {
	for _, e := range slices.Backward(events) {
		if e.Type == parley.EventStreamDetached {
			var d parley.StreamDetachedData
			return json.Unmarshal(e.Data, &d) == nil && d.HandedOver
		}
	}
	return false
}

// Decide commits that we end the call, before the socket is closed: the carrier's next request is answered by
// the intent, on whatever process it arrives. Afterwards the carrier is asked to hang up, or to ask what follows, where
// it can be: then the caller hears nothing of the verbs that are meant for a lost stream.
func (s *Service) Decide(ctx context.Context, a *Attachment, reason string, intent parley.CallIntent) error {
	a.Call.Intent, a.Call.EndReason = intent, reason
	err := a.Writer.Intent(ctx, parley.EventEndRequested, parley.EndData{Reason: reason},
		func(ctx context.Context, tx *store.Tx) error { return tx.UpdateCall(ctx, a.Call.OrgID, a.Call) })
	if err != nil {
		if !errors.Is(err, store.ErrFenced) { // the record may be full; the row still has to know
			err = errors.Join(err, s.letGo(ctx, a.Call))
		}
		return fmt.Errorf("record end: %w", err)
	}
	return s.moveOn(ctx, a)
}

// Detach records that the stream vanished without a stop. The call may come back through Resume; if it does
// not, the reconciler ends it.
//
// The carrier may have said meanwhile that the call is over. It told the session, which had lost its stream at the same
// moment and no longer listened.
func (s *Service) Detach(ctx context.Context, a *Attachment) error {
	if err := s.detach(ctx, a, parley.StreamDetachedData{Reason: reasonStreamGone}); err != nil {
		return err
	}
	select {
	case <-a.Over():
		return s.close(ctx, a.Call, parley.EndCallerHangup)
	default: // from now on there is no session to tell: Status ends the call itself
		return nil
	}
}

// HandOver records that this process lets the call go so that another one can take it, and has the carrier ask for it:
// the answer to its next request comes from whoever is sent that request.
func (s *Service) HandOver(ctx context.Context, a *Attachment) error {
	if err := s.detach(ctx, a, parley.StreamDetachedData{Reason: "this process is stopping", HandedOver: true}); err != nil {
		return err
	}
	return s.moveOn(ctx, a)
}

func (s *Service) detach(ctx context.Context, a *Attachment, why parley.StreamDetachedData) error {
	err := a.Writer.Intent(ctx, parley.EventStreamDetached, why,
		func(ctx context.Context, tx *store.Tx) error {
			c, err := tx.FindCall(ctx, a.Call.OrgID, a.Call.ID) // the carrier may have asked already
			if err != nil {
				return err
			}
			c.State, c.Owner, c.UpdatedAt = parley.CallDetached, "", time.Now().UTC()
			if err := tx.UpdateCall(ctx, c.OrgID, c); err != nil {
				return err
			}
			return countStream(ctx, tx, a, c)
		})
	s.release(a, err)
	return err
}

// countStream notes whether the stream that ends brought media.
func countStream(ctx context.Context, tx *store.Tx, a *Attachment, c parley.Call) error {
	before := c.EmptyStreams
	c.EmptyStreams++
	if a.HadMedia == nil || a.HadMedia() {
		c.EmptyStreams = 0
	}
	if c.EmptyStreams == before {
		return nil
	}
	return tx.SetResumes(ctx, c.OrgID, c)
}

// Abandon gives up an attachment that another process has taken over.
func (s *Service) Abandon(a *Attachment) { s.release(a, store.ErrFenced) }

// Finish ends an attached call: the last event, the call row and the conversation row in one transaction.
func (s *Service) Finish(ctx context.Context, a *Attachment, reason string) error {
	a.Call.EndReason = reason
	err := s.finish(ctx, a.Writer, a.Call, reason, a)
	s.release(a, err)
	return err
}

// finish closes the books of a call whose writer we hold. a is the stream that ended with it, nil if there was none.
func (s *Service) finish(ctx context.Context, w *log.Writer, c parley.Call, reason string, a *Attachment) error {
	s.billCarrier(ctx, w, c, reason)
	var ended parley.Conversation
	var log []parley.Event
	err := w.Intent(ctx, parley.EventConversationEnded, parley.EndData{Reason: reason},
		func(ctx context.Context, tx *store.Tx) error {
			row, err := tx.FindCall(ctx, c.OrgID, c.ID)
			if err != nil {
				return err
			}
			if a != nil {
				if err := countStream(ctx, tx, a, row); err != nil {
					return err
				}
			}
			now := time.Now().UTC()
			row.State, row.EndReason, row.UpdatedAt = parley.CallEnded, reason, now
			row.Intent = cmp.Or(c.Intent, row.Intent)
			if err := tx.UpdateCall(ctx, c.OrgID, row); err != nil {
				return err
			}
			conv, err := tx.FindConversation(ctx, c.OrgID, c.ID)
			if err != nil {
				return err
			}
			events, err := tx.ListEvents(ctx, c.OrgID, c.ID, 0, 0)
			if err != nil {
				return err
			}
			summary := parley.Project(events).Summary
			conv.Summary, conv.EndedAt, conv.EndReason = &summary, &now, reason
			conv.Simulated = conv.Simulated || simulatedModel(events)
			conv.Status = parley.ConversationCompleted
			if parley.EndFailed(reason) {
				conv.Status = parley.ConversationFailed
			}
			ended, log = conv, events
			return tx.UpdateConversation(ctx, c.OrgID, conv)
		})
	if err == nil {
		s.report(ended, log)
	}
	return err
}

func simulatedModel(events []parley.Event) bool {
	for _, e := range events {
		if e.Type == parley.EventModelConnected && parley.ModelWasSimulated(e) {
			return true
		}
	}
	return false
}

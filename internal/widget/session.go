package widget

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"parley"
	"parley/internal/secret"
	"parley/internal/store"
)

// openSession gives a visitor a token: POST /widget/v1/sessions. With the previous token it continues the same visitor
// and conversation. That token dies with the first use of the new one, so that an answer that was lost can be asked for again.
func (h *Handler) openSession(w http.ResponseWriter, r *http.Request) error {
	c, ok := callerOf(r)
	if !ok {
		return errOrigin()
	}
	c.allow(w) // until the agent is known, any page may read what is wrong
	in, err := readBody(w, r)
	if err != nil {
		return err
	}
	o, err := readOpening(in)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestPatience)
	defer cancel()
	agent, page, from, err := h.enter(r.WithContext(ctx), c, o)
	if err != nil {
		if parley.ErrorCode(err) == parley.CodeForbidden {
			c.forbid(w)
		}
		return err
	}
	if err := h.mayOpen(r); err != nil {
		return err
	}
	var proven *parley.Visitor
	if o.jwt != "" {
		v, err := h.verify(agent, o.jwt)
		if err != nil {
			return err
		}
		proven = &v
	}
	token := newToken()
	s, err := h.store(ctx, agent, c, page, from, proven, o, token)
	if err != nil {
		return err
	}
	view, err := h.sessionView(ctx, agent, s, token)
	if err != nil {
		return err
	}
	h.opt.Counts.Sessions.Add(1, sessionKind(from))
	h.sweep(ctx)
	return succeed(w, http.StatusCreated, view)
}

// enter finds the agent and the session that is resumed, nil for a new one, and decides whether the agent may be used
// from where the request comes.
func (h *Handler) enter(r *http.Request, c caller, o opening) (agent store.WidgetAgent, page Purpose, from *guest, err error) {
	if !parley.IsID(o.agentID) {
		return agent, "", nil, parley.Errorf(parley.CodeNotFound, "Agent not found")
	}
	if agent, err = h.opt.Store.FindWidgetAgent(r.Context(), o.agentID); err != nil {
		return agent, "", nil, err
	}
	from, resuming := h.resumed(r, c, agent)
	if own := c.key() == h.own.String(); own && o.ticket != "" {
		if page, err = h.pageOf(agent, from, o.ticket); err != nil {
			if parley.ErrorCode(resuming) == parley.CodeUnauthorized {
				err = resuming // a session that has ended says so, whatever the ticket's age
			}
			return agent, "", nil, err
		}
	}
	switch {
	case page == "" && !permits(agent, c.key()):
		return agent, "", nil, errOrigin()
	case agent.Type != parley.AgentChat:
		return agent, "", nil, parley.Errorf(parley.CodeInvalid, "This is a %s agent: only chat agents can be on a website.", agent.Type)
	case !agent.Status.Answers() && page != PurposeTry:
		return agent, "", nil, errOffline()
	}
	return agent, page, from, resuming
}

// pageOf says which page of this server shows a ticket. An embedded page that has been open for longer than a ticket
// lives is proven by its session. For both the list of domains must be the one with which it was framed.
func (h *Handler) pageOf(agent store.WidgetAgent, from *guest, ticket string) (Purpose, error) {
	k, ok := h.opt.Tickets.Check(ticket)
	switch {
	case ok && k.AgentID == agent.ID && (k.Purpose != PurposeEmbed || k.Domains == domainsOf(agent)):
		return k.Purpose, nil
	case from != nil && from.Page == string(PurposeEmbed) && from.Domains == domainsOf(agent):
		return PurposeEmbed, nil
	}
	return "", because("ticket", parley.Errorf(parley.CodeForbidden, "This page has been open for too long. Please load it again."))
}

// resumed finds the session whose token came along, nil when none did. It may have expired not too long ago, or have
// been replaced by one that was never used.
func (h *Handler) resumed(r *http.Request, c caller, agent store.WidgetAgent) (*guest, error) {
	if len(r.Header.Values("Authorization")) == 0 {
		return nil, nil
	}
	g, err := h.findGuest(r, c)
	if parley.ErrorCode(err) == parley.CodeUnauthorized {
		g, err = h.findReplaced(r, c)
	}
	if err != nil {
		return nil, err
	}
	if g.AgentID != agent.ID || g.Revoked || g.Origin != c.key() || !g.ExpiresAt.Add(resumeLife).After(h.now()) {
		return nil, errToken()
	}
	return &g, nil
}

// store writes a new session, or the one that is resumed under its new token.
func (h *Handler) store(ctx context.Context, agent store.WidgetAgent, c caller, page Purpose, from *guest, proven *parley.Visitor, o opening, token string) (s parley.VisitorSession, err error) {
	now := h.now().UTC().Truncate(time.Microsecond)
	fresh := parley.VisitorSession{ID: parley.NewID(), OrgID: agent.OrgID, AgentID: agent.ID, VisitorID: parley.NewID(), ConversationID: parley.NewID(), Origin: c.key()}
	if from != nil {
		fresh = from.VisitorSession
		if from.Over {
			fresh.ConversationID = parley.NewID()
		}
	}
	fresh.Page, fresh.Domains = string(page), domainsOf(agent)
	fresh.IssuedAt, fresh.ExpiresAt = now, now.Add(tokenLife)
	err = h.opt.Store.Write(ctx, func(tx *store.Tx) error {
		s = fresh // this may run twice
		if err := h.meet(ctx, tx, &s, from, proven, o); err != nil {
			return err
		}
		if from == nil {
			return tx.CreateVisitorSession(ctx, s.OrgID, s, secret.HashToken(token))
		}
		err := tx.ReplaceVisitorSession(ctx, s.OrgID, s, from.hash, secret.HashToken(token), now.Add(replacedLife))
		if parley.IsNotFound(err) {
			return errToken() // replaced by somebody else meanwhile
		}
		return err
	})
	return s, err
}

func sessionKind(from *guest) string {
	if from == nil {
		return "new"
	}
	return "resumed"
}

// sweepEvery is how often what visitors left behind is looked for, by whoever opens a session then.
const sweepEvery = time.Minute

// sweep is when the last one was, in Unix seconds.
type sweep struct{ at atomic.Int64 }

func (h *Handler) sweep(ctx context.Context) {
	now := h.now()
	last := h.swept.at.Load()
	if now.Unix()-last < int64(sweepEvery.Seconds()) || !h.swept.at.CompareAndSwap(last, now.Unix()) {
		return
	}
	err := h.opt.Store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return tx.SweepVisitors(ctx, now.Add(-resumeLife), store.Day(now)-1)
	})
	if err != nil && ctx.Err() == nil {
		h.opt.Logger.LogAttrs(ctx, slog.LevelWarn, "sweeping visitors failed", slog.String("error", err.Error()))
	}
}

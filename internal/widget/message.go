package widget

import (
	"context"
	"net/http"

	"parley"
	"parley/internal/chat"
	"parley/internal/store"
)

// acceptedView is the answer to a message: what to follow.
type acceptedView struct {
	RunID          string `json:"runId"`
	MessageID      string `json:"messageId"`
	ConversationID string `json:"conversationId"`
}

// postMessage accepts a message: POST /widget/v1/messages.
func (h *Handler) postMessage(w http.ResponseWriter, r *http.Request, g guest) error {
	in, err := readBody(w, r)
	if err != nil {
		return err
	}
	req := chat.Request{AgentID: g.AgentID, VisitorID: g.VisitorID, Origin: g.Origin, Test: g.Page == string(PurposeTry), Claim: h.claim(r, g)}
	in.Required("clientMessageId")
	in.Text("clientMessageId", &req.ClientMessageID, 1, maxClientID)
	in.Required("text")
	in.Text("text", &req.Message, 1, MaxMessage)
	readClientTools(in, &req.ClientTools)
	if err := in.Done(); err != nil {
		return err
	}
	if g.Over {
		return errToken()
	}
	return h.spend(w, r, g, func(ctx context.Context) (*chat.Run, error) {
		if run, err := h.begin(ctx, g, req); g.Begun || !parley.IsConflict(err) {
			return run, err
		}
		req.ConversationID = g.ConversationID // another tab has just begun it
		return h.opt.Chat.Start(ctx, g.OrgID, req)
	})
}

// begin starts the run of a message in the session's conversation, which may begin with it.
func (h *Handler) begin(ctx context.Context, g guest, req chat.Request) (*chat.Run, error) {
	if g.Begun {
		req.ConversationID = g.ConversationID
	} else {
		req.BeginID = g.ConversationID
	}
	return h.opt.Chat.Start(ctx, g.OrgID, req)
}

// retry answers the newest message again: POST /widget/v1/runs/{runId}/retry.
func (h *Handler) retry(w http.ResponseWriter, r *http.Request, g guest) error {
	run, err := h.findRun(r, g)
	if err != nil {
		return err
	}
	req := chat.RetryRequest{RunID: run.ID, VisitorID: g.VisitorID, Claim: h.claim(r, g)}
	if r.ContentLength != 0 { // the body may be left out
		in, err := readBody(w, r)
		if err != nil {
			return err
		}
		readClientTools(in, &req.ClientTools)
		if err := in.Done(); err != nil {
			return err
		}
	}
	return h.spend(w, r, g, func(ctx context.Context) (*chat.Run, error) {
		return h.opt.Chat.Retry(ctx, g.OrgID, req)
	})
}

// spend charges the budgets, starts a run and answers with its id.
func (h *Handler) spend(w http.ResponseWriter, r *http.Request, g guest, start func(context.Context) (*chat.Run, error)) error {
	release, err := h.maySpend(r, g)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestPatience)
	defer cancel()
	run, err := start(ctx)
	if err != nil {
		release()
		return err
	}
	until(run, release)
	h.opt.Counts.Messages.Add(1)
	return succeed(w, http.StatusAccepted, acceptedView{RunID: run.ID, MessageID: run.UserMessageID, ConversationID: run.ConversationID})
}

// findRun finds the run of the path, if it is of the visitor's conversation. Any other does not exist.
func (h *Handler) findRun(r *http.Request, g guest) (store.Run, error) {
	unknown := parley.Errorf(parley.CodeNotFound, "Run not found")
	id := r.PathValue("runId")
	if !parley.IsID(id) {
		return store.Run{}, unknown
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestPatience)
	defer cancel()
	run, err := h.opt.Store.FindRun(ctx, g.OrgID, id)
	if err == nil && run.ConversationID != g.ConversationID {
		return run, unknown
	}
	return run, err
}

// stop ends the writing of an answer: POST /widget/v1/runs/{runId}/stop.
func (h *Handler) stop(w http.ResponseWriter, r *http.Request, g guest) error {
	run, err := h.findRun(r, g)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestPatience)
	defer cancel()
	if err := h.opt.Chat.Stop(ctx, g.OrgID, run.ID); err != nil && !parley.IsNotFound(err) { // it has just ended
		return err
	}
	return succeed(w, http.StatusAccepted, runView{run.ID})
}

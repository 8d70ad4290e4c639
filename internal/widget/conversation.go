package widget

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"parley"
	"parley/internal/chat"
	"parley/internal/store"
)

// feedback keeps what the visitor thinks of an answer: POST /widget/v1/feedback.
func (h *Handler) feedback(w http.ResponseWriter, r *http.Request, g guest) error {
	in, err := readBody(w, r)
	if err != nil {
		return err
	}
	f := parley.Feedback{At: h.now().UTC().Truncate(time.Microsecond)}
	in.Required("messageId")
	in.Text("messageId", &f.MessageID, 1, 100)
	in.Required("rating")
	in.Enum("rating", (*string)(&f.Rating), string(parley.RatingUp), string(parley.RatingDown))
	if in.Null("comment") {
		in.Skip("comment")
	} else {
		in.Text("comment", &f.Comment, 0, parley.MaxFeedbackComment)
	}
	if err := in.Done(); err != nil {
		return err
	}
	if err := h.perMinute(r.Context(), h.opt.Budgets.MessagesPerVisitor, "feedback_per_visitor", sayTooFast, g.VisitorID); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestPatience)
	defer cancel()
	unknown := parley.Errorf(parley.CodeNotFound, "Message not found")
	said, err := h.opt.Chat.Messages(ctx, g.OrgID, g.ConversationID)
	if parley.IsNotFound(err) {
		return unknown
	}
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(said.Messages, func(m chat.Message) bool { return m.ID == f.MessageID && m.Role == "assistant" }) {
		return unknown
	}
	if err := h.opt.Chat.Rate(ctx, g.OrgID, g.ConversationID, f); err != nil {
		return err
	}
	return succeed(w, http.StatusOK, map[string]any{"messageId": f.MessageID, "rating": f.Rating})
}

// endedView is the answer to the end of a conversation.
type endedView struct {
	ConversationID string `json:"conversationId"`
	Ended          bool   `json:"ended"`
	Ticket         string `json:"ticket,omitempty"` // for the next one on the same embedded page
}

// endConversation ends the conversation and every token of it: DELETE /widget/v1/conversation. What was said stays with
// the organization: erasing it is the operator's, not the browser's.
func (h *Handler) endConversation(w http.ResponseWriter, r *http.Request, g guest) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestPatience)
	defer cancel()
	at := h.now().UTC().Truncate(time.Microsecond)
	err := h.opt.Store.Write(ctx, func(tx *store.Tx) error {
		if g.Begun && !g.Over {
			c, err := tx.FindConversation(ctx, g.OrgID, g.ConversationID)
			if err != nil {
				return err
			}
			c.Status, c.EndedAt, c.EndReason = parley.ConversationCompleted, &at, parley.EndVisitor
			if err := tx.UpdateConversation(ctx, g.OrgID, c); err != nil {
				return err
			}
		}
		_, err := tx.EndConversationSessions(ctx, g.OrgID, g.ConversationID)
		return err
	})
	if err != nil {
		return err
	}
	if g.Begun && !g.Over {
		h.recordEnd(ctx, g)
	}
	ended := endedView{ConversationID: g.ConversationID, Ended: true}
	if g.Page == string(PurposeEmbed) {
		ended.Ticket = h.opt.Tickets.MintEmbed(g.Agent)
	}
	return succeed(w, http.StatusOK, ended)
}

// recordEnd stops the answer that is being written and puts the end into the log. The conversation is over already:
// should this fail, only the log does not say so.
func (h *Handler) recordEnd(ctx context.Context, g guest) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	run, err := h.opt.Store.FindNewestRun(ctx, g.OrgID, g.ConversationID)
	if err == nil && run.Status == store.RunRunning {
		err = h.opt.Chat.Stop(ctx, g.OrgID, run.ID)
	}
	tick := time.NewTicker(100 * time.Millisecond) // another process may still be at work on the answer
	defer tick.Stop()
	for err == nil || parley.IsNotFound(err) {
		err = h.opt.Chat.Note(ctx, g.OrgID, g.ConversationID, parley.EventConversationEnded, parley.EndData{Reason: parley.EndVisitor},
			func(context.Context, *store.Tx) error { return nil })
		if err == nil {
			return
		}
		if !parley.IsConflict(err) {
			break
		}
		select {
		case <-tick.C:
			err = nil
		case <-ctx.Done():
		}
	}
	h.opt.Logger.LogAttrs(ctx, slog.LevelWarn, "the end of a chat could not be logged",
		slog.String("org_id", g.OrgID), slog.String("conversation_id", g.ConversationID), slog.Any("error", err))
}

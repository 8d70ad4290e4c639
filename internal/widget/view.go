package widget

import (
	"context"
	"time"

	"parley"
	"parley/internal/chat"
	"parley/internal/store"
)

// sessionView is the answer to the opening of a session.
type sessionView struct {
	Token          string        `json:"token"`
	ExpiresAt      time.Time     `json:"expiresAt"`
	VisitorID      string        `json:"visitorId"`
	ConversationID string        `json:"conversationId"` // begins with the first message
	Config         configView    `json:"config"`
	Messages       []messageView `json:"messages"`
	ActiveRun      *runView      `json:"activeRun"`
	Visitor        visitorView   `json:"visitor"`
	Ticket         string        `json:"ticket,omitempty"` // of an embedded page: newer than the one that it shows
}

// configView is what visitors may know of an agent.
type configView struct {
	Title            string   `json:"title"`
	Greeting         string   `json:"greeting"`
	Placeholder      string   `json:"placeholder"`
	Suggestions      []string `json:"suggestions"`
	Theme            string   `json:"theme"`
	PrimaryColor     string   `json:"primaryColor"`
	Position         string   `json:"position"`
	Online           bool     `json:"online"`
	MaxMessageLength int      `json:"maxMessageLength"` // Unicode code points
	Identified       bool     `json:"identified"`       // visitors can be proven: the agent has an identity secret
	Voice            bool     `json:"voice"`
}

type messageView struct {
	ID     string        `json:"id"`
	Role   string        `json:"role"`
	Text   string        `json:"text"`
	At     time.Time     `json:"at"`
	Status string        `json:"status"`
	Rating parley.Rating `json:"rating,omitempty"`
	RunID  string        `json:"runId,omitempty"`
}

type runView struct {
	RunID string `json:"runId"`
}

// visitorView: what is not verified is only what the page said.
type visitorView struct {
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
	Verified bool   `json:"verified"`
}

func configOf(a store.WidgetAgent) configView {
	return configView{
		Title: a.Chat.Title, Greeting: a.Chat.Greeting, Placeholder: a.Chat.Placeholder, Suggestions: append([]string{}, a.Chat.Suggestions...),
		Theme: a.Chat.Theme, PrimaryColor: a.Chat.PrimaryColor, Position: a.Chat.Position, Online: a.Status.Answers(),
		MaxMessageLength: MaxMessage, Identified: len(a.Identity) > 0,
	}
}

// sessionView reads what the visitor sees.
func (h *Handler) sessionView(ctx context.Context, agent store.WidgetAgent, s parley.VisitorSession, token string) (sessionView, error) {
	v := sessionView{Token: token, ExpiresAt: s.ExpiresAt, VisitorID: s.VisitorID, ConversationID: s.ConversationID, Config: configOf(agent), Messages: []messageView{}}
	if s.Page == string(PurposeEmbed) {
		v.Ticket = h.opt.Tickets.MintEmbed(agent)
	}
	known, err := h.visitorOf(ctx, s.OrgID, s.VisitorID)
	if err != nil {
		return v, err
	}
	v.Visitor = visitorView{Name: known.Name, Email: known.Email, Verified: known.Verified()}
	said, err := h.opt.Chat.Messages(ctx, s.OrgID, s.ConversationID)
	if parley.IsNotFound(err) { // it has not begun
		return v, nil
	}
	if err != nil {
		return v, err
	}
	ratings, err := h.opt.Store.ListFeedback(ctx, s.OrgID, s.ConversationID)
	if err != nil {
		return v, err
	}
	rated := map[string]parley.Rating{}
	for _, f := range ratings {
		rated[f.MessageID] = f.Rating
	}
	for _, m := range said.Messages {
		v.Messages = append(v.Messages, messageOf(m, rated[m.ID]))
	}
	if said.Active != nil {
		v.ActiveRun = &runView{said.Active.RunID}
	}
	return v, nil
}

func messageOf(m chat.Message, rating parley.Rating) messageView {
	return messageView{ID: m.ID, Role: m.Role, Text: m.Text, At: m.At, Status: m.Status, Rating: rating, RunID: m.RunID}
}

package widget

import (
	"context"
	"strings"

	"parley"
	"parley/internal/store"
)

// opening is a request for a session.
type opening struct {
	agentID        string
	conversationID string
	ticket         string
	jwt            string
	name, email    string
	said           bool // name or email were given
}

func readOpening(in *parley.Input) (o opening, err error) {
	in.Required("agentId")
	in.Text("agentId", &o.agentID, 1, 100)
	if !in.Null("conversationId") {
		in.Text("conversationId", &o.conversationID, 1, 100)
	} else {
		in.Skip("conversationId")
	}
	in.Text("ticket", &o.ticket, 0, maxTicket)
	switch {
	case in.Null("visitor"):
		in.Skip("visitor")
	case in.Has("visitor"):
		if v := in.Object("visitor"); v != nil {
			o.readVisitor(v)
		}
	}
	return o, in.Done()
}

func (o *opening) readVisitor(v *parley.Input) {
	v.Text("jwt", &o.jwt, 1, maxJWT)
	v.Text("name", &o.name, 0, parley.MaxVisitorName)
	v.Text("email", &o.email, 0, parley.MaxVisitorEmail)
	o.name, o.email = strings.TrimSpace(o.name), strings.TrimSpace(o.email)
	o.said = o.name != "" || o.email != ""
	if o.jwt != "" && o.said {
		v.Fail("jwt", "says who the visitor is. Leave name and email out, or put them into it.")
	}
	if o.email != "" && !strings.Contains(strings.Trim(o.email, "@"), "@") {
		v.Fail("email", "must be an email address.")
	}
	v.Unknown()
}

// meet finds out who opens a session, and whose conversation it continues: of the token that is resumed, of the
// conversation that is named, or for a visitor who is proven the last one. from is the session that is resumed, nil
// when there is none.
func (h *Handler) meet(ctx context.Context, tx *store.Tx, s *parley.VisitorSession, from *guest, proven *parley.Visitor, o opening) error {
	before := s.VisitorID
	if from != nil {
		known, err := tx.FindVisitor(ctx, s.OrgID, before)
		if err != nil && !parley.IsNotFound(err) {
			return err
		}
		if known.Verified() && proven != nil && known.Subject != proven.Subject {
			s.ConversationID, from = parley.NewID(), nil // somebody else at the same browser
		}
	}
	if err := h.know(ctx, tx, s, proven, o); err != nil {
		return err
	}
	if from != nil && s.VisitorID != before {
		if err := tx.GiveConversation(ctx, s.OrgID, s.ConversationID, before, s.VisitorID); err != nil {
			return err
		}
	}
	switch {
	case o.conversationID != "":
		if from != nil && o.conversationID == s.ConversationID {
			return nil
		}
		return pickUp(ctx, tx, s, from != nil || proven != nil, o.conversationID)
	case proven != nil && (from == nil || !from.Begun || from.Over):
		last, err := tx.FindVisitorChat(ctx, s.OrgID, s.AgentID, s.VisitorID, s.IssuedAt.Add(-resumeLife))
		if err == nil {
			s.ConversationID = last.ID
		} else if !parley.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// know keeps what is known of the visitor, if that is anything, and says which visitor it is.
func (h *Handler) know(ctx context.Context, tx *store.Tx, s *parley.VisitorSession, proven *parley.Visitor, o opening) (err error) {
	v := parley.Visitor{ID: s.VisitorID, AgentID: s.AgentID, Name: o.name, Email: o.email, UpdatedAt: s.IssuedAt}
	switch {
	case proven != nil:
		v = *proven
		v.ID, v.UpdatedAt = parley.NewID(), s.IssuedAt
	case !o.said:
		return nil
	default: // what a page says does not replace what its site has signed
		known, err := tx.FindVisitor(ctx, s.OrgID, s.VisitorID)
		if err == nil && known.Verified() {
			return nil
		}
		if err != nil && !parley.IsNotFound(err) {
			return err
		}
	}
	s.VisitorID, err = tx.SaveVisitor(ctx, s.OrgID, v)
	return err
}

// pickUp continues a conversation by its id, which proves nothing: it must be the visitor's.
func pickUp(ctx context.Context, tx *store.Tx, s *parley.VisitorSession, known bool, id string) error {
	unknown := parley.Errorf(parley.CodeNotFound, "Conversation not found")
	if !known || !parley.IsID(id) {
		return unknown
	}
	c, err := tx.FindConversation(ctx, s.OrgID, id)
	if parley.IsNotFound(err) {
		return unknown
	}
	if err == nil && (c.AgentID != s.AgentID || c.VisitorID != s.VisitorID || c.Status != parley.ConversationActive) {
		return unknown
	}
	s.ConversationID = id
	return err
}

// visitorOf returns what is known of a visitor, the zero value when that is nothing.
func (h *Handler) visitorOf(ctx context.Context, orgID, id string) (parley.Visitor, error) {
	v, err := h.opt.Store.FindVisitor(ctx, orgID, id)
	if parley.IsNotFound(err) {
		return parley.Visitor{}, nil
	}
	return v, err
}

package chat

import (
	"context"
	"time"

	"parley"
)

// shownBytes bounds how much of a long conversation a visitor is shown again.
const shownBytes = 256 << 10

// Messages is a conversation as its visitor sees it.
type Messages struct {
	Messages []Message  // oldest first; replaced answers are left out
	Active   *ActiveRun // the answer that is being written, which is not in Messages; nil = none
}

// Message is what the visitor or the agent said.
type Message struct {
	ID     string // of the item; of the run where a failed answer has no words
	Role   string // user, assistant
	Text   string // "" for an answer that failed before its first word
	At     time.Time
	Status string // completed, stopped, failed; of a visitor's message completed
	RunID  string // that answers it, or that it is the answer of
}

// ActiveRun is a run under way.
type ActiveRun struct{ RunID string }

// Messages returns a conversation, of a long one its newest part. An error is not_found, or the database's.
func (s *Service) Messages(ctx context.Context, orgID, conversationID string) (Messages, error) {
	_, last, err := s.o.Store.FindPosition(ctx, orgID, conversationID)
	if err != nil {
		return Messages{}, err
	}
	t, err := readTail(ctx, s.o.Store, orgID, conversationID, last, shownBytes)
	if err != nil {
		return Messages{}, err
	}
	return readMessages(t.events), nil
}

// readMessages reads a log from its first run on: what stands before is of a run whose beginning was not read.
func readMessages(events []parley.Event) Messages {
	var all Messages
	var answer *Message // of the run that is being read
	for _, e := range events {
		if e.Type == parley.EventRunStarted {
			d := decode[parley.RunData](e)
			all.replace(d)
			answer = &Message{ID: d.RunID, Role: "assistant", RunID: d.RunID, At: e.At}
		}
		if answer == nil {
			continue
		}
		switch e.Type {
		case parley.EventMessageUser:
			d := decode[parley.MessageUserData](e)
			all.Messages = append(all.Messages, Message{ID: d.ItemID, Role: "user", Text: d.Text, At: e.At, Status: StatusCompleted, RunID: answer.RunID})
		case parley.EventMessageAssistant:
			d := decode[parley.MessageAssistantData](e)
			if answer.Text != "" {
				answer.Text += betweenRounds
			} else {
				answer.At = e.At
			}
			answer.ID, answer.Text = d.ItemID, answer.Text+d.Text
		case parley.EventRunCompleted:
			answer.Status = decode[parley.RunData](e).Status
			if answer.Text != "" || answer.Status != StatusCompleted {
				all.Messages = append(all.Messages, *answer)
			}
			answer = nil
		}
	}
	if answer != nil {
		all.Active = &ActiveRun{RunID: answer.RunID}
	}
	return all
}

// replace takes out the answer that a run gives again, and tells its message so.
func (all *Messages) replace(d parley.RunData) {
	if d.Replaces == "" {
		return
	}
	for i := len(all.Messages) - 1; i >= 0 && all.Messages[i].RunID == d.Replaces; i-- {
		if all.Messages[i].Role == "user" {
			all.Messages[i].RunID = d.RunID
			return
		}
		all.Messages = all.Messages[:i]
	}
}

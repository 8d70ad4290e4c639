package widget

import (
	"strings"
	"testing"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestFeedback(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newHouse(t, st, nil)
		v := b.session(site)
		rate := func(id, rest string) reply {
			return v.do("POST", "/widget/v1/feedback", `{"messageId":"`+id+`"`+rest+`}`)
		}
		rate(parley.NewID(), `,"rating":"up"`).want("before the first message", 404)
		v.listen(v.say("hello").RunID, nil)
		v.resume()
		question, answer := v.Messages[0].ID, v.Messages[1].ID
		rate(question, `,"rating":"up"`).want("its own message", 404)
		rate("x", `,"rating":"up"`).want("no message", 404)
		rate(answer, `,"rating":"meh"`).want("no rating", 400)
		rate(answer, ``).want("nothing", 400)
		rate(answer, `,"rating":"up","comment":"`+strings.Repeat("x", 2001)+`"`).want("a long comment", 400)
		rate(answer, `,"rating":"up"`).want("a rating", 200)
		v.say("hold on") // it can be judged while the next answer is written
		rate(answer, `,"rating":"down","comment":"wrong"`).want("another rating", 200)
		b.model.release()
		v.resume()
		if v.Messages[1].Rating != parley.RatingDown {
			t.Errorf("resumed: %+v", v.Messages)
		}
		events, err := st.ListEvents(t.Context(), b.agent.OrgID, v.ConversationID, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		var of *parley.MessageFeedback
		for _, m := range parley.Project(events).Messages {
			if m.Text == "You said: hello" {
				of = m.Feedback
			} else if m.Feedback != nil {
				t.Errorf("%+v was judged", m)
			}
		}
		if of == nil || of.Rating != parley.RatingDown || of.Comment != "wrong" || of.At.IsZero() {
			t.Errorf("the log says %+v", of)
		}
	})
}

func TestRetry(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	v := b.session(site)
	first := v.say("hello")
	v.listen(first.RunID, nil)
	var again acceptedView
	v.do("POST", "/widget/v1/runs/"+first.RunID+"/retry", "").want("another answer", 202).data(&again)
	if again.RunID == first.RunID || again.MessageID != first.MessageID {
		t.Errorf("again: %+v, first: %+v", again, first)
	}
	v.listen(again.RunID, nil)
	v.resume()
	if len(v.Messages) != 2 || v.Messages[1].RunID != again.RunID {
		t.Errorf("resumed: %+v", v.Messages)
	}
	v.do("POST", "/widget/v1/runs/"+first.RunID+"/retry", "").want("an old answer", 409)
}

// TestSameMessage: a message that is sent again, also by another tab, starts nothing.
func TestSameMessage(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	v := b.session(site)
	var first, again acceptedView
	v.do("POST", "/widget/v1/messages", messageBody("m1", "hello")).want("a message", 202).data(&first)
	v.do("POST", "/widget/v1/messages", messageBody("m1", "hello")).want("the same again", 202).data(&again)
	if again != first {
		t.Errorf("again: %+v, first: %+v", again, first)
	}
	v.do("POST", "/widget/v1/messages", messageBody("m1", "goodbye")).want("the same id for another text", 409)
	v.listen(first.RunID, nil)
	v.do("POST", "/widget/v1/messages", messageBody("m1", "hello")).want("the same after the end", 202).data(&again)
	if again != first {
		t.Errorf("after the end: %+v, first: %+v", again, first)
	}
	if n := b.h.opt.Counts.Messages.Load(); n == 0 {
		t.Error("nothing was counted")
	}
}

func TestEndOfAConversation(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newHouse(t, st, nil)
		v := b.session(site)
		v.do("DELETE", "/widget/v1/conversation", "").want("before it began", 200)
		v.resume().want("its token", 401)

		v = b.session(site)
		tab := *v
		run := v.say("hold it")
		v.do("DELETE", "/widget/v1/conversation", "").want("in the middle of an answer", 200)
		tab.do("POST", "/widget/v1/messages", messageBody("m", "x")).want("a token of it", 401)
		tab.do("GET", "/widget/v1/runs/"+run.RunID+"/events", "").want("its run", 401)
		tab.resume().want("resuming", 401)
		conv, err := st.FindConversation(t.Context(), b.agent.OrgID, v.ConversationID)
		if err != nil || conv.Status != parley.ConversationCompleted || conv.EndReason != parley.EndVisitor || conv.EndedAt == nil {
			t.Errorf("the conversation %+v, %v", conv, err)
		}
		events, err := st.ListEvents(t.Context(), b.agent.OrgID, v.ConversationID, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		types := []string{}
		for _, e := range events {
			types = append(types, e.Type)
		}
		if !strings.Contains(strings.Join(types, " "), parley.EventConversationEnded) || !strings.Contains(strings.Join(types, " "), parley.EventMessageUser) {
			t.Errorf("the log: %v", types)
		}
		if n := b.session(site); n.ConversationID == v.ConversationID || len(n.Messages) != 0 {
			t.Errorf("the next conversation: %+v", n.sessionView)
		}
	})
}

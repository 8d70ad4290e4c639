package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
)

// NewSession returns a session of an agent's visitor that is not stored.
func NewSession(a parley.Agent) parley.VisitorSession {
	return parley.VisitorSession{
		ID: parley.NewID(), OrgID: a.OrgID, AgentID: a.ID, VisitorID: parley.NewID(), ConversationID: parley.NewID(),
		Origin: "https://example.com", ExpiresAt: Now().Add(time.Hour), IssuedAt: Now(),
	}
}

func visitorSessions(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentChat)
	s := NewSession(agent)
	s.Page, s.Domains = "embed", "x"
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.CreateVisitorSession(ctx, agent.OrgID, s, []byte("first"))
	})
	find := func(hash string) store.OpenSession {
		t.Helper()
		got, err := st.FindVisitorSession(t.Context(), []byte(hash))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := store.OpenSession{VisitorSession: s, Agent: store.WidgetAgent{ID: agent.ID, OrgID: agent.OrgID, Name: agent.Name, Type: agent.Type, Status: agent.Status, Chat: *agent.Chat}}
	same(t, nil, find("first"), want)

	next := s
	next.VisitorID, next.ConversationID, next.ExpiresAt, next.IssuedAt = parley.NewID(), parley.NewID(), s.ExpiresAt.Add(time.Hour), s.IssuedAt.Add(time.Second)
	until := next.IssuedAt.Add(time.Minute)
	replace := func(old, hash string) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.ReplaceVisitorSession(ctx, agent.OrgID, next, []byte(old), []byte(hash), until)
		})
	}
	use := func(hash string) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.UseVisitorSession(ctx, agent.OrgID, s.ID, []byte(hash))
		})
	}
	// exchangeable reports whether a replaced token finds its session at a time.
	exchangeable := func(hash string, at time.Time) bool {
		t.Helper()
		got, err := st.FindReplacedSession(t.Context(), []byte(hash), at)
		if err != nil && !parley.IsNotFound(err) {
			t.Fatal(err)
		}
		return err == nil && got.ID == s.ID && got.Unused
	}
	same(t, replace("first", "second"), find("second").VisitorSession, next)
	_, err := st.FindVisitorSession(t.Context(), []byte("first"))
	wantCode(t, "a replaced token", err, parley.CodeNotFound)
	same(t, nil, []bool{find("second").Unused, exchangeable("first", until.Add(-1)), exchangeable("first", until), exchangeable("second", until.Add(-1))},
		[]bool{true, true, false, false})
	was := until
	until = until.Add(time.Hour)
	same(t, replace("first", "third"), find("third").VisitorSession, next) // the answer with the second was lost
	_, err = st.FindVisitorSession(t.Context(), []byte("second"))
	wantCode(t, "a token that was never used", err, parley.CodeNotFound)
	same(t, nil, exchangeable("first", was), false) // the time does not move
	wantCode(t, "using a token of before", use("second"), parley.CodeNotFound)
	same(t, use("third"), []bool{find("third").Unused, exchangeable("first", was.Add(-1))}, []bool{false, false})
	wantCode(t, "replacing a dead token", replace("first", "x"), parley.CodeNotFound)
	same(t, replace("third", "second"), exchangeable("third", until.Add(-1)), true)
	late := next
	late.IssuedAt = until
	wantCode(t, "too late", TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.ReplaceVisitorSession(ctx, agent.OrgID, late, []byte("third"), []byte("x"), until)
	}), parley.CodeNotFound)

	conv := Conversation(t, st, agent)
	next.ConversationID = conv.ID
	if err := replace("second", "fourth"); err != nil {
		t.Fatal(err)
	}
	if got := find("fourth"); !got.Begun || got.Over {
		t.Errorf("a conversation that has begun: %+v", got)
	}
	conv.Status = parley.ConversationCompleted
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateConversation(ctx, agent.OrgID, conv) })
	if got := find("fourth"); !got.Begun || !got.Over {
		t.Errorf("a conversation that is over: %+v", got)
	}
	sessionEnds(t, st, agent, next, "fourth")
}

// sessionEnds checks everything that ends a token.
func sessionEnds(t *testing.T, st *store.Store, agent parley.Agent, s parley.VisitorSession, hash string) {
	t.Helper()
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.RevokeVisitors(ctx, agent.OrgID, agent.ID, s.IssuedAt.Add(-time.Microsecond))
	})
	got, err := st.FindVisitorSession(t.Context(), []byte(hash))
	same(t, err, got.Revoked, false)
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.DeleteAgent(ctx, agent.OrgID, agent.ID, s.IssuedAt)
	})
	got, err = st.FindVisitorSession(t.Context(), []byte(hash))
	same(t, err, []bool{got.Revoked, got.Agent.Deleted}, []bool{true, true})
	_, err = st.FindWidgetAgent(t.Context(), agent.ID)
	wantCode(t, "a deleted agent", err, parley.CodeNotFound)
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		n, err := tx.EndConversationSessions(ctx, agent.OrgID, s.ConversationID)
		same(t, err, n, int64(1))
		return nil
	})
	_, err = st.FindVisitorSession(t.Context(), []byte(hash))
	wantCode(t, "an ended session", err, parley.CodeNotFound)
}

func visitors(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentChat)
	save := func(v parley.Visitor) (id string) {
		t.Helper()
		Write(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
			id, err = tx.SaveVisitor(ctx, agent.OrgID, v)
			return err
		})
		return id
	}
	at := Now()
	v := parley.Visitor{ID: parley.NewID(), AgentID: agent.ID, Name: "Ada", Email: "ada@example.com", CreatedAt: at, UpdatedAt: at}
	same(t, nil, save(v), v.ID)
	v.Name, v.UpdatedAt = "Ada L.", v.UpdatedAt.Add(time.Second)
	same(t, nil, save(v), v.ID)
	got, err := st.FindVisitor(t.Context(), agent.OrgID, v.ID)
	same(t, err, got, v)

	proven := parley.Visitor{ID: parley.NewID(), AgentID: agent.ID, Subject: "42", Attributes: map[string]any{"plan": "pro", "seats": 3.0, "trial": false}, CreatedAt: at, UpdatedAt: at}
	same(t, nil, save(proven), proven.ID)
	again := proven
	again.ID, again.Name, again.Attributes = parley.NewID(), "Bob", nil
	same(t, nil, save(again), proven.ID)
	got, err = st.FindVisitor(t.Context(), agent.OrgID, proven.ID)
	again.ID = proven.ID
	same(t, err, got, again)
	other := Agent(t, st, agent.OrgID, parley.AgentChat)
	again.ID, again.AgentID = parley.NewID(), other.ID
	same(t, nil, save(again), again.ID)

	visitorChats(t, st, agent, v.ID, proven.ID)
}

func visitorChats(t *testing.T, st *store.Store, agent parley.Agent, visitor, other string) {
	t.Helper()
	begin := func(at time.Time, change func(*parley.Conversation)) parley.Conversation {
		c := parley.Conversation{ID: parley.NewID(), OrgID: agent.OrgID, AgentID: agent.ID, AgentName: agent.Name, Channel: parley.ChannelChat,
			Status: parley.ConversationActive, StartedAt: at, VisitorID: visitor}
		change(&c)
		Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateConversation(ctx, agent.OrgID, c) })
		return c
	}
	now := Now()
	begin(now.Add(-time.Hour), func(*parley.Conversation) {})
	want := begin(now.Add(-time.Minute), func(*parley.Conversation) {})
	begin(now, func(c *parley.Conversation) { c.Status = parley.ConversationCompleted })
	begin(now, func(c *parley.Conversation) { c.VisitorID = "somebody" })
	got, err := st.FindVisitorChat(t.Context(), agent.OrgID, agent.ID, visitor, now.Add(-2*time.Hour))
	same(t, err, got, want)
	_, err = st.FindVisitorChat(t.Context(), agent.OrgID, agent.ID, visitor, now)
	wantCode(t, "an old chat", err, parley.CodeNotFound)
	_, err = st.FindVisitorChat(t.Context(), agent.OrgID, agent.ID, "", now.Add(-2*time.Hour))
	wantCode(t, "nobody's chat", err, parley.CodeNotFound)

	give := func(from string) string {
		Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.GiveConversation(ctx, agent.OrgID, want.ID, from, other)
		})
		c, err := st.FindConversation(t.Context(), agent.OrgID, want.ID)
		if err != nil {
			t.Fatal(err)
		}
		return c.VisitorID
	}
	same(t, nil, give("somebody"), visitor)
	same(t, nil, give(visitor), other)
}

func identitySecrets(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentChat)
	set := func(sealed []byte) {
		Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.SetIdentitySecret(ctx, agent.OrgID, agent.ID, sealed)
		})
	}
	set([]byte("sealed"))
	got, err := st.FindWidgetAgent(t.Context(), agent.ID)
	same(t, err, got.Identity, []byte("sealed"))
	any, err := st.HasSealed(t.Context())
	same(t, err, any, true)
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateAgent(ctx, agent.OrgID, agent) })
	got, err = st.FindWidgetAgent(t.Context(), agent.ID)
	same(t, err, got.Identity, []byte("sealed"))
	set(nil)
	any, err = st.HasSealed(t.Context())
	same(t, err, any, false)
}

// messageCounts: many at once never pass a bound that each of them checks in its own transaction.
func messageCounts(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentChat)
	const writers, bound = 20, 7
	day := store.Day(time.Date(2026, 1, 31, 23, 59, 59, 0, time.UTC))
	if next := store.Day(time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)); next != day+1 {
		t.Fatalf("midnight is on day %d, the second before on %d", next, day)
	}
	count := func(day int64) ([]int, error) {
		var n []int
		err := TryWrite(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
			n, err = tx.CountMessages(ctx, agent.OrgID, agent.ID, day, "visitor", "")
			if err == nil && n[1] > bound {
				return parley.Errorf(parley.CodeRateLimited, "over")
			}
			return err
		})
		return n, err
	}
	var wg sync.WaitGroup
	accepted := make(chan bool, writers)
	for range writers {
		wg.Go(func() {
			_, err := count(day)
			if err != nil && parley.ErrorCode(err) != parley.CodeRateLimited {
				t.Error(err)
			}
			accepted <- err == nil
		})
	}
	wg.Wait()
	close(accepted)
	n := 0
	for ok := range accepted {
		if ok {
			n++
		}
	}
	same(t, nil, n, bound)
	tomorrow, err := count(day + 1)
	same(t, err, tomorrow, []int{1, 1})
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		n, err := tx.CountMessages(ctx, agent.OrgID, agent.ID, day+1, "another", "visitor")
		same(t, err, n, []int{1, 2})
		none, err := tx.CountMessages(ctx, agent.OrgID, agent.ID, day+1)
		same(t, err, len(none), 0)
		return nil
	})
}

func feedback(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentChat)
	conv := Conversation(t, st, agent)
	f := parley.Feedback{MessageID: "b", Rating: parley.RatingUp, At: Now()}
	g := parley.Feedback{MessageID: "a", Rating: parley.RatingDown, Comment: "wrong", At: Now()}
	save := func(f parley.Feedback) {
		Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.SaveFeedback(ctx, agent.OrgID, conv.ID, f) })
	}
	save(f)
	save(g)
	f.Rating, f.Comment, f.At = parley.RatingDown, "no", f.At.Add(time.Second)
	save(f)
	got, err := st.ListFeedback(t.Context(), agent.OrgID, conv.ID)
	same(t, err, got, []parley.Feedback{g, f})
	deferred(t, st, agent.OrgID, conv.ID, f)
}

// deferred checks feedback that is to be logged later.
func deferred(t *testing.T, st *store.Store, orgID, conversationID string, f parley.Feedback) {
	t.Helper()
	// waiting is what of this conversation is not logged.
	waiting := func() (own []store.DeferredFeedback) {
		t.Helper()
		all, err := st.ListDeferredFeedback(t.Context(), f.At.Add(time.Hour), 1000)
		for _, d := range all {
			if d.ConversationID == conversationID {
				own = append(own, d)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		return own
	}
	logged := func(at time.Time) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.LogFeedback(ctx, orgID, conversationID, f.MessageID, at)
		})
	}
	same(t, nil, len(waiting()), 0)
	f.Rating, f.At = parley.RatingUp, f.At.Add(time.Second)
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.DeferFeedback(ctx, orgID, conversationID, f) })
	same(t, nil, waiting(), []store.DeferredFeedback{{OrgID: orgID, ConversationID: conversationID, Feedback: f}})
	wantCode(t, "logging what was replaced", logged(f.At.Add(-time.Second)), parley.CodeNotFound)
	same(t, logged(f.At), len(waiting()), 0)
	wantCode(t, "logging it twice", logged(f.At), parley.CodeNotFound)
}

// visitorSweep deletes what is old, and nothing that is still of use.
func visitorSweep(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentChat)
	now := Now()
	old, fresh := NewSession(agent), NewSession(agent)
	old.ExpiresAt = now.Add(-time.Hour)
	gone := parley.Visitor{ID: parley.NewID(), AgentID: agent.ID, Name: "Gone", UpdatedAt: now.Add(-time.Hour)}
	spoke, came := gone, gone
	spoke.ID, came.ID, came.UpdatedAt = parley.NewID(), parley.NewID(), now
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		for _, v := range []parley.Visitor{gone, spoke, came} {
			if _, err := tx.SaveVisitor(ctx, agent.OrgID, v); err != nil {
				return err
			}
		}
		for day := range int64(3) {
			if _, err := tx.CountMessages(ctx, agent.OrgID, agent.ID, day, ""); err != nil {
				return err
			}
		}
		err := tx.CreateVisitorSession(ctx, agent.OrgID, old, []byte("old"))
		if err == nil {
			err = tx.CreateVisitorSession(ctx, agent.OrgID, fresh, []byte("fresh"))
		}
		if err == nil {
			err = tx.CreateConversation(ctx, agent.OrgID, parley.Conversation{ID: parley.NewID(), AgentID: agent.ID, Channel: parley.ChannelChat, StartedAt: now, VisitorID: spoke.ID})
		}
		if err != nil {
			return err
		}
		return tx.SweepVisitors(ctx, now.Add(-time.Minute), 2)
	})
	_, e1 := st.FindVisitorSession(t.Context(), []byte("old"))
	_, e2 := st.FindVisitor(t.Context(), agent.OrgID, gone.ID)
	wantCode(t, "an old session", e1, parley.CodeNotFound)
	wantCode(t, "a visitor who said nothing", e2, parley.CodeNotFound)
	_, e3 := st.FindVisitorSession(t.Context(), []byte("fresh"))
	_, e4 := st.FindVisitor(t.Context(), agent.OrgID, spoke.ID)
	_, e5 := st.FindVisitor(t.Context(), agent.OrgID, came.ID)
	for i, err := range []error{e3, e4, e5} {
		if err != nil {
			t.Errorf("swept although in use (%d): %v", i, err)
		}
	}
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		for day, want := range []int{1, 1, 2} {
			n, err := tx.CountMessages(ctx, agent.OrgID, agent.ID, int64(day), "")
			same(t, err, n, []int{want})
		}
		return nil
	})
}

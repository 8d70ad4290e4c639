package widget

import (
	"testing"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestForeignIDs: what is another visitor's, agent's or organization's does not exist, on every route, and nobody's
// chat is touched.
func TestForeignIDs(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newHouse(t, st, nil)
		owner := b.session(site)
		run := owner.say("hold my secret")
		neighbors := map[string]*browser{"another visitor": b.session(site)}
		for name, orgID := range map[string]string{"another agent": b.agent.OrgID, "another organization": ""} {
			h := *b
			h.agent = b.addAgent(nil)
			if orgID != "" {
				h.agent = storetest.Agent(t, st, orgID, parley.AgentChat)
			}
			neighbors[name] = h.session(site)
		}
		for name, n := range neighbors {
			for _, begun := range []bool{false, true} {
				if begun {
					n.listen(n.say("mine").RunID, nil)
				}
				for _, a := range []ask{
					{method: "GET", path: "/widget/v1/runs/" + run.RunID + "/events"},
					{method: "POST", path: "/widget/v1/runs/" + run.RunID + "/stop"},
					{method: "POST", path: "/widget/v1/runs/" + run.RunID + "/retry"},
					{method: "POST", path: "/widget/v1/feedback", body: `{"messageId":"` + run.MessageID + `","rating":"down"}`},
					{method: "POST", path: "/widget/v1/sessions", body: n.opening(`"conversationId":"` + owner.ConversationID + `"`)},
				} {
					n.do(a.method, a.path, a.body).want(name+" "+a.method+" "+a.path, 404)
				}
				unknown := "/widget/v1/runs/" + parley.NewID() + "/events"
				n.do("GET", unknown, "").want("an unknown run", 404)
				n.do("GET", "/widget/v1/runs/x/events", "").want("no run", 404)
			}
			b.do(ask{method: "POST", path: "/widget/v1/sessions", body: n.opening(`"conversationId":"` + owner.ConversationID + `"`)}).want("without a token", 404)
			n.do("DELETE", "/widget/v1/conversation", "").want("ending its own", 200)
		}
		b.model.release()
		if _, text := owner.listen(run.RunID, nil); text != "You said: hold my secret" {
			t.Errorf("the owner's answer is %q", text)
		}
		if ratings, err := st.ListFeedback(t.Context(), b.agent.OrgID, owner.ConversationID); err != nil || len(ratings) != 0 {
			t.Errorf("rated by others: %v, %v", ratings, err)
		}
	})
}

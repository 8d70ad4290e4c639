package api_test

import (
	"encoding/json"
	"testing"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestAgentDefaultsOnTheWire: what an agent of nothing but a name and a type is answered as.
func TestAgentDefaultsOnTheWire(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		for body, want := range map[string]string{
			`{"name":"V","type":"voice"}`: `{"config":{"eagerness":"auto","fallbackNumber":null,"greeting":"","interruptionThreshold":0.5,"language":null,"maxCost":null,"maxDuration":1800,` +
				`"noiseReduction":"off","prefixPaddingMs":300,"recording":false,"recordingNotice":"","silenceDurationMs":500,"speed":1,"timeout":30,"toolFillerSeconds":3,"transcription":true,"transferTargets":[],"turnDetection":"server_vad","voice":"sage"},` +
				`"instructions":"","model":"gpt-realtime-2025-08-28","name":"V","phoneNumbers":[],"status":"active","tools":[],"type":"voice"}`,
			`{"name":"C","type":"chat"}`: `{"config":{"allowedDomains":[],"dailyMessageLimit":null,"greeting":"","placeholder":"","position":"bottom-right",` +
				`"primaryColor":"#3B82F6","suggestions":[],"theme":"light","title":""},` +
				`"instructions":"","model":"gpt-4o","name":"C","status":"active","tools":[],"type":"chat"}`,
		} {
			id := h.createAgent(t, "", body)
			got, _ := h.do(t, request{method: "GET", path: "/api/v1/agents/" + id}).at("data").(map[string]any)
			for _, volatile := range []string{"id", "createdAt", "updatedAt", "embedCode"} {
				delete(got, volatile)
			}
			if text, err := json.Marshal(got); err != nil || string(text) != want {
				t.Errorf("%s is\n%s, want\n%s", body, text, want)
			}
		}
	})
}

// TestDeletedAgentsLeaveTheirConversations: a deletion is soft: the agent is gone for everybody but who asks for
// deleted ones, and what it said stays, under its name.
func TestDeletedAgentsLeaveTheirConversations(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		path := "/api/v1/agents/" + h.createAgent(t, "", `{"name":"Short-lived","type":"chat"}`)
		said := h.do(t, request{method: "POST", path: path + "/chat", body: `{"message":"Hello"}`})
		conversation := "/api/v1/conversations/" + said.text("data.conversationId")
		if a := h.do(t, request{method: "DELETE", path: path}); a.status != 200 {
			t.Fatalf("delete: %d %s", a.status, a.body)
		}
		for query, total := range map[string]float64{"": 0, "?includeDeleted=false": 0, "?includeDeleted=true": 1, "?includeDeleted=true&search=short": 1, "?includeDeleted=true&type=voice": 0} {
			if a := h.do(t, request{method: "GET", path: "/api/v1/agents" + query}); a.at("data.pagination.total") != total || total > 0 && a.text("data.agents.0.deletedAt") == "" {
				t.Errorf("list%s: %s", query, a.body)
			}
		}
		if a := h.do(t, request{method: "GET", path: conversation}); a.status != 200 || a.text("data.agentName") != "Short-lived" || a.at("data.messages.1.role") != "assistant" {
			t.Errorf("its conversation: %d %s", a.status, a.body)
		}
		if a := h.do(t, request{method: "POST", path: path + "/chat", body: `{"message":"Hello"}`}); a.status != 404 {
			t.Errorf("a message to it: %d %s", a.status, a.body)
		}
		if a := h.do(t, request{method: "POST", path: path + "/restore"}); a.status != 200 || a.text("data.status") != "inactive" {
			t.Errorf("restore: %d %s", a.status, a.body)
		}
	})
}

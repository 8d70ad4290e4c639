package api_test

import (
	"bufio"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"parley"
	"parley/internal/sim/phone"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// operations lists every operation of the document, with the ids of the given house filled in.
func (h *house) operations(t *testing.T, ids map[string]string) []request {
	t.Helper()
	raw, err := h.api.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct{ RequestBody *struct{} }
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	var out []request
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for method, op := range doc.Paths[path] {
			r := request{method: strings.ToUpper(method), path: path}
			for name, id := range ids {
				r.path = strings.ReplaceAll(r.path, "{"+name+"}", id)
			}
			if strings.Contains(r.path, "{") {
				t.Fatalf("no id for %s: add the new resource to this test", r.path)
			}
			if op.RequestBody != nil {
				r.body = validBodies[method+" "+path]
				if r.body == "" {
					t.Fatalf("no body for %s %s: add the new operation to this test", method, path)
				}
			}
			out = append(out, r)
		}
	}
	return out
}

// validBodies are requests that would succeed for the owner.
var validBodies = map[string]string{
	"post /api/v1/agents":                         `{"name":"Own","type":"voice"}`,
	"patch /api/v1/agents/{agentId}":              `{"name":"Stolen"}`,
	"post /api/v1/agents/{agentId}/chat":          `{"message":"hi"}`,
	"post /api/v1/phone-numbers":                  `{"number":"+14155550188"}`,
	"post /api/v1/phone-numbers/import":           `{"numbers":["+14155550189"],"agentId":null}`,
	"patch /api/v1/phone-numbers/{phoneNumberId}": `{"label":"Stolen"}`,
	"post /api/v1/tools":                          toolBody,
	"patch /api/v1/tools/{toolId}":                `{"name":"Stolen"}`,
	"post /api/v1/tools/{toolId}/test":            `{"dryRun":true}`,
	"put /api/v1/secrets/{secretName}":            `{"value":"stolen"}`,
	"post /api/v1/api-keys":                       `{"name":"Own"}`,
	"patch /api/v1/api-keys/{keyId}":              `{"name":"Stolen"}`,
	"post /api/v1/api-keys/{keyId}/rotate":        `{}`,
	"patch /api/v1/organization":                  `{"limits":{"requestsPerMinute":null}}`,
	"post /api/v1/test-calls":                     `{"agentId":"$agent"}`,
	"post /api/v1/test-calls/{id}/sign":           `{"url":"https://parley.example/twilio/resume","form":{"CallSid":"CA1"}}`,
	"post /api/v1/agents/{agentId}/web-call":      `{}`,
}

// TestTenants calls every operation with another organization's key and our ids: 404 where an id is named, and
// nothing of ours in what the others list.
func TestTenants(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		rest := newCarrier(t)
		h := newHouseWith(t, st, houseOptions{rest: rest})
		rest.AddNumber(phone.Number{PhoneNumber: "+14155550189"})
		rest.AddNumber(phone.Number{PhoneNumber: "+14155550187", FriendlyName: "Canary phone"})
		number := h.do(t, request{method: "POST", path: "/api/v1/phone-numbers/import", body: `{"numbers":["+14155550187"]}`})
		agent := h.createAgent(t, "", `{"name":"Canary agent","type":"chat","config":{"allowedDomains":["a.com"]}}`)
		voice := h.createAgent(t, "", `{"name":"Canary voice","type":"voice"}`)
		said := h.do(t, request{method: "POST", path: "/api/v1/agents/" + agent + "/chat", body: `{"message":"Canary words"}`})
		tool := h.createTool(t, "", `{"name":"Canary tool","description":"Canary","kind":"http","http":{"method":"GET","url":"https://a.example.com/"}}`)
		key := h.do(t, request{method: "POST", path: "/api/v1/api-keys", body: `{"name":"Canary key"}`})
		test := h.do(t, request{method: "POST", path: "/api/v1/test-calls", body: `{"agentId":"` + voice + `"}`})
		if number.status != 201 || said.status != 200 || key.status != 201 || test.status != 201 {
			t.Fatalf("preparing: %s %s %s %s", number.body, said.body, key.body, test.body)
		}
		ids := map[string]string{"agentId": agent, "conversationId": said.text("data.conversationId"), "keyId": key.text("data.id"), "toolId": tool, "id": test.text("data.id"), "phoneNumberId": number.text("data.phoneNumbers.0.id"), "secretName": "SHOP"}
		thief := h.newKey(storetest.Organization(t, st).ID, parley.ScopeAll)
		for _, r := range h.operations(t, ids) {
			named := strings.Contains(r.path, "-") && slices.ContainsFunc(slices.Collect(maps.Values(ids)), func(id string) bool { return strings.Contains(r.path, id) })
			named = named || strings.Contains(r.body, "$agent")
			r.body = strings.ReplaceAll(r.body, "$agent", voice)
			r.key = thief
			a := h.do(t, r)
			own := strings.HasPrefix(r.path, secrets+"/") // each organization has names of its own: TestSecretLife
			if !own && (named && a.status != 404 || !named && a.status >= 400) {
				t.Errorf("%s %s by another organization: %d %s", r.method, r.path, a.status, a.body)
			}
			if strings.Contains(string(a.body), "Canary") || strings.Contains(string(a.body), h.org.ID) {
				t.Errorf("%s %s shows another organization's data: %s", r.method, r.path, a.body)
			}
			r.key = "none"
			if a := h.do(t, r); a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s without a key: %d %s", r.method, r.path, a.status, a.body)
			}
		}
		if a := h.do(t, request{method: "GET", path: "/api/v1/agents/" + agent}); a.text("data.name") != "Canary agent" {
			t.Errorf("the agent was changed by another organization: %s", a.body)
		}
	})
}

// TestScopes: a key with one scope is refused by every operation of the others, by name.
func TestScopes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	unknown := "550e8400-e29b-41d4-a716-446655440000"
	ids := map[string]string{"agentId": unknown, "conversationId": unknown, "keyId": unknown, "toolId": unknown, "id": unknown, "phoneNumberId": unknown, "secretName": "SHOP"}
	key := h.newKey(h.org.ID, "nothing")
	for _, r := range h.operations(t, ids) {
		r.key, r.body = key, strings.ReplaceAll(r.body, "$agent", unknown)
		a := h.do(t, r)
		if r.path == "/api/v1/organization" && r.method == "GET" {
			if a.status != 200 {
				t.Errorf("%s: %d", r.path, a.status)
			}
			continue
		}
		if a.status != 403 || a.text("error.type") != "forbidden" || !strings.Contains(a.text("error.message"), "scope") {
			t.Errorf("%s %s without the scope: %d %s", r.method, r.path, a.status, a.body)
		}
	}
	reader := h.newKey(h.org.ID, parley.ScopeAgentsRead)
	if a := h.do(t, request{method: "GET", path: "/api/v1/agents", key: reader}); a.status != 200 {
		t.Errorf("reading with agents:read: %d", a.status)
	}
	if a := h.do(t, request{method: "POST", path: "/api/v1/agents", key: reader, body: voiceBody}); a.status != 403 || !strings.Contains(a.text("error.message"), "agents:write") {
		t.Errorf("writing with agents:read: %d %s", a.status, a.body)
	}
}

func TestChatAndItsRecord(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		agent := h.createAgent(t, "", `{"name":"Site","type":"chat","toolIds":["current_time"],"config":{"allowedDomains":["a.com"]}}`)
		path := "/api/v1/agents/" + agent + "/chat"
		first := h.do(t, request{method: "POST", path: path, body: `{"message":"What time is it?"}`})
		if first.status != 200 || first.text("data.message.role") != "assistant" || first.text("data.message.text") == "" || first.at("data.toolCalls.0.name") != "current_time" {
			t.Fatalf("chat: %d %s", first.status, first.body)
		}
		id := first.text("data.conversationId")
		stream := h.do(t, request{method: "POST", path: path, accept: "text/event-stream", body: `{"message":"And now?","conversationId":"` + id + `"}`})
		checkStream(t, stream, id)

		one := h.do(t, request{method: "GET", path: "/api/v1/conversations/" + id})
		messages, _ := one.at("data.messages").([]any)
		if one.status != 200 || one.at("data.type") != "chat" || one.at("data.simulated") != true || one.at("data.agentName") != "Site" || len(messages) < 4 || one.at("data.duration") != nil {
			t.Errorf("conversation: %d %s", one.status, one.body)
		}
		list := h.do(t, request{method: "GET", path: "/api/v1/conversations?type=chat&agentId=" + agent})
		if list.at("data.pagination.total") != 1.0 || list.at("data.conversations.0.messages") != nil || list.at("data.conversations.0.messageCount") != one.at("data.messageCount") {
			t.Errorf("list: %s", list.body)
		}
		h.checkEvents(t, id)

		if a := h.do(t, request{method: "POST", path: path, body: `{"message":"x","conversationId":"550e8400-e29b-41d4-a716-446655440000"}`}); a.status != 404 {
			t.Errorf("unknown conversation: %d %s", a.status, a.body)
		}
		h.do(t, request{method: "PATCH", path: "/api/v1/agents/" + agent, body: `{"status":"inactive"}`})
		if a := h.do(t, request{method: "POST", path: path, body: `{"message":"x"}`}); a.status != 409 || a.text("error.type") != "unavailable" {
			t.Errorf("inactive agent: %d %s", a.status, a.body)
		}
		test := h.do(t, request{method: "POST", path: path, body: `{"message":"x","test":true}`})
		if got := h.do(t, request{method: "GET", path: "/api/v1/conversations/" + test.text("data.conversationId")}); test.status != 200 || got.at("data.test") != true {
			t.Errorf("test of an inactive agent: %d %s", test.status, test.body)
		}
	})
}

// checkStream reads server-sent events: ids increase, run.started comes first, run.completed last.
func checkStream(t *testing.T, a answer, conversationID string) {
	t.Helper()
	if a.status != 200 || a.header.Get("Content-Type") != "text/event-stream" || a.header.Get("X-Accel-Buffering") != "no" {
		t.Fatalf("stream: %d %v", a.status, a.header)
	}
	var types []string
	var text string
	var last int64 = -1
	var typ string
	for scan := bufio.NewScanner(strings.NewReader(string(a.body))); scan.Scan(); {
		name, value, _ := strings.Cut(scan.Text(), ": ")
		switch name {
		case "id":
			var id int64
			if err := json.Unmarshal([]byte(value), &id); err != nil || id <= last {
				t.Errorf("id %s after %d", value, last)
			}
			last = id
		case "event":
			typ = value
			types = append(types, value)
		case "data":
			var d map[string]any
			if err := json.Unmarshal([]byte(value), &d); err != nil {
				t.Errorf("data %s: %v", value, err)
			}
			switch typ {
			case "run.started":
				if d["conversationId"] != conversationID || d["runId"] == "" {
					t.Errorf("run.started %v", d)
				}
			case "message.delta":
				text += d["text"].(string)
			case "message.completed":
				if d["text"] != text {
					t.Errorf("deltas say %q, the whole message %q", text, d["text"])
				}
			case "run.completed":
				if d["status"] != "completed" {
					t.Errorf("run.completed %v", d)
				}
			}
		}
	}
	if len(types) < 4 || types[0] != "run.started" || types[len(types)-1] != "run.completed" || !slices.Contains(types, "message.completed") {
		t.Errorf("events = %q", types)
	}
}

// checkEvents pages through a log: gapless from 1, whatever the page.
func (h *house) checkEvents(t *testing.T, id string) {
	t.Helper()
	path := "/api/v1/conversations/" + id + "/events"
	all := h.do(t, request{method: "GET", path: path})
	want, _ := all.at("data.events").([]any)
	if all.status != 200 || len(want) < 8 || all.at("data.pagination.hasMore") != false || all.at("data.events.0.type") != "conversation.started" {
		t.Fatalf("events: %d %s", all.status, all.body)
	}
	var seen float64
	for after := "0"; ; {
		a := h.do(t, request{method: "GET", path: path + "?limit=3&after=" + after})
		for _, e := range a.at("data.events").([]any) {
			if seq := e.(map[string]any)["seq"].(float64); seq != seen+1 {
				t.Fatalf("seq %v after %v", seq, seen)
			}
			seen++
		}
		next, _ := json.Marshal(a.at("data.pagination.after"))
		after = string(next)
		if a.at("data.pagination.hasMore") != true {
			break
		}
	}
	if int(seen) != len(want) {
		t.Errorf("pages show %v events, all at once %d", seen, len(want))
	}
}

func TestTestCalls(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	agent := h.createAgent(t, "", voiceBody)
	a := h.do(t, request{method: "POST", path: "/api/v1/test-calls", body: `{"agentId":"` + agent + `"}`})
	if a.status != 201 || a.text("data.url") != "https://parley.example/twilio/voice" || a.text("data.form.To") != "client:agent-"+agent || a.text("data.signature") == "" {
		t.Fatalf("create: %d %s", a.status, a.body)
	}
	if strings.Contains(string(a.body), `"token"`) {
		t.Errorf("the auth token is shown: %s", a.body)
	}
	// Nothing may be signed before the call lives.
	b := h.do(t, request{method: "POST", path: "/api/v1/test-calls/" + a.text("data.id") + "/sign",
		body: `{"url":"https://parley.example/twilio/resume","form":{"CallSid":"` + a.text("data.form.CallSid") + `"}}`})
	if b.status != 404 && b.status != 409 {
		t.Errorf("sign before the call: %d %s", b.status, b.body)
	}
}

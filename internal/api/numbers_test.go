package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"parley"
	"parley/internal/sim/phone"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

const numbersPath = "/api/v1/phone-numbers"

// warnings are the texts beside data.
func (a answer) warnings() string {
	list, _ := a.at("warnings").([]any)
	return fmt.Sprint(list)
}

// pointsHere fails unless a number of the account sends its calls to the house, or none of them.
func pointsHere(t *testing.T, rest *phone.REST, e164 string, want bool) {
	t.Helper()
	n, ok := rest.Number(e164)
	got := []string{n.VoiceURL, n.VoiceMethod, n.VoiceFallbackURL, n.VoiceFallbackMethod, n.StatusCallback, n.StatusCallbackMethod}
	const at = "https://parley.example/twilio/"
	here := []string{at + "voice", "POST", at + "resume", "POST", at + "status", "POST"}
	if !want {
		here = []string{"", "POST", "", "POST", "", "POST"}
	}
	if !ok || !slices.Equal(got, here) {
		t.Errorf("%s points to %q, want %q", e164, got, here)
	}
}

// TestNumberLife: add, assign, release, delete, and what Twilio is told each time.
func TestNumberLife(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		rest := newCarrier(t)
		h := newHouseWith(t, st, houseOptions{rest: rest})
		const number = "+14155550123"
		sid := rest.AddNumber(phone.Number{PhoneNumber: number, VoiceURL: "https://demo.twilio.com/welcome/voice/"})
		agent := h.createAgent(t, "", `{"name":"Front desk","type":"voice"}`)

		made := h.do(t, request{method: "POST", path: numbersPath, body: `{"number":"` + number + `","label":"Desk"}`})
		if made.status != 201 || made.at("data.agentId") != nil || made.text("data.setup.state") != "not_needed" || made.text("data.source") != "manual" || made.at("warnings") != nil {
			t.Fatalf("added: %d %s", made.status, made.body)
		}
		one := numbersPath + "/" + made.text("data.id")
		patch := func(body string, tag string) answer {
			r := request{method: "PATCH", path: one, body: body}
			if tag != "" {
				r.headers = map[string]string{"If-Match": tag}
			}
			return h.do(t, r)
		}
		before := h.do(t, request{method: "GET", path: "/api/v1/agents/" + agent})
		set := patch(`{"agentId":"`+strings.ToUpper(agent)+`"}`, made.header.Get("ETag"))
		if set.status != 200 || set.text("data.agentName") != "Front desk" || set.text("data.setup.state") != "configured" || set.text("data.twilioSid") != sid || set.at("warnings") != nil {
			t.Errorf("assigned: %d %s", set.status, set.body)
		}
		pointsHere(t, rest, number, true)
		if stale := patch(`{"agentId":null}`, made.header.Get("ETag")); stale.status != 412 {
			t.Errorf("an old version: %d %s", stale.status, stale.body)
		}
		shown := h.do(t, request{method: "GET", path: "/api/v1/agents/" + agent})
		if shown.at("data.phoneNumbers.0") != number || shown.header.Get("ETag") == before.header.Get("ETag") {
			t.Errorf("the agent: %s, tag %s", shown.body, shown.header.Get("ETag"))
		}
		got := h.do(t, request{method: "GET", path: one})
		if got.text("data.setup.state") != "configured" || got.header.Get("ETag") != set.header.Get("ETag") {
			t.Errorf("got: %s, tag %s, want %s", got.body, got.header.Get("ETag"), set.header.Get("ETag"))
		}
		named := patch(`{"label":null}`, "")
		if named.text("data.label") != "" || named.text("data.setup.state") != "configured" {
			t.Errorf("renamed: %s", named.body)
		}
		if freed := patch(`{"agentId":null}`, ""); freed.at("data.agentId") != nil || freed.text("data.setup.state") != "not_needed" {
			t.Errorf("released: %s", freed.body)
		}
		pointsHere(t, rest, number, false)
		patch(`{"agentId":"`+agent+`"}`, "")
		pointsHere(t, rest, number, true)
		if gone := h.do(t, request{method: "DELETE", path: one}); gone.status != 200 || gone.at("warnings") != nil {
			t.Errorf("deleted: %d %s", gone.status, gone.body)
		}
		pointsHere(t, rest, number, false)
		if gone := h.do(t, request{method: "GET", path: one}); gone.status != 404 {
			t.Errorf("after that: %d", gone.status)
		}
		log := h.do(t, request{method: "GET", path: "/api/v1/audit-log?resourceType=phone_number"})
		var actions []string
		for _, e := range log.at("data.entries").([]any) {
			actions = append(actions, e.(map[string]any)["action"].(string))
		}
		if want := []string{"phone_number.delete", "phone_number.update", "phone_number.update", "phone_number.update", "phone_number.update", "phone_number.create"}; !slices.Equal(actions, want) {
			t.Errorf("audited: %q", actions)
		}
	})
}

// TestNumbersOfAgentsAreSetUp: the agents API assigns through the same code.
func TestNumbersOfAgentsAreSetUp(t *testing.T) {
	t.Parallel()
	rest := newCarrier(t)
	h := newHouseWith(t, storetest.SQLite(t), houseOptions{rest: rest})
	a, b, c := "+14155550101", "+14155550102", "+14155550103"
	for _, n := range []string{a, b, c} {
		rest.AddNumber(phone.Number{PhoneNumber: n})
	}
	made := h.do(t, request{method: "POST", path: "/api/v1/agents", body: `{"name":"A","type":"voice","phoneNumbers":["` + a + `","` + b + `"]}`})
	pointsHere(t, rest, a, true)
	pointsHere(t, rest, b, true)
	path := "/api/v1/agents/" + made.text("data.id")
	changed := h.do(t, request{method: "PATCH", path: path, body: `{"phoneNumbers":["` + b + `","` + c + `","+14155550199"]}`})
	if !strings.Contains(changed.warnings(), "+14155550199: The Twilio account "+carrierSID+" does not have it") || strings.Contains(changed.warnings(), b) {
		t.Errorf("changed: %s", changed.body)
	}
	pointsHere(t, rest, a, false)
	pointsHere(t, rest, b, true)
	pointsHere(t, rest, c, true)
	list := h.do(t, request{method: "GET", path: numbersPath + "?search=0199"})
	if list.text("data.phoneNumbers.0.setup.state") != "failed" || !strings.Contains(list.text("data.phoneNumbers.0.setup.message"), "does not have it") {
		t.Errorf("list: %s", list.body)
	}
	h.do(t, request{method: "DELETE", path: path})
	pointsHere(t, rest, b, false)
	pointsHere(t, rest, c, false)
	if list := h.do(t, request{method: "GET", path: numbersPath + "?unassigned=true&limit=3&offset=1"}); list.at("data.pagination.total") != 4.0 || len(list.at("data.phoneNumbers").([]any)) != 3 {
		t.Errorf("released: %s", list.body)
	}
}

// TestNumberSetupThatFails: the change stands, and the answer says why Twilio does not send calls.
func TestNumberSetupThatFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		number phone.Number
		refuse int // code of Twilio's error
		want   string
	}{
		"app":      {phone.Number{VoiceApplicationSID: "AP" + strings.Repeat("a", 32)}, 0, "TwiML App AP"},
		"trunk":    {phone.Number{TrunkSID: "TK" + strings.Repeat("a", 32)}, 0, "SIP trunk TK"},
		"no voice": {phone.Number{NoVoice: true}, 0, "cannot take calls"},
		"refused":  {phone.Number{}, 20429, "error 20429, Too many"},
		"password": {phone.Number{}, 20003, "Check account SID and auth token."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rest := newCarrier(t)
			h := newHouseWith(t, storetest.SQLite(t), houseOptions{rest: rest})
			agent := h.createAgent(t, "", `{"name":"A","type":"voice"}`)
			c.number.PhoneNumber = "+14155550123"
			rest.AddNumber(c.number)
			if c.refuse != 0 {
				rest.RefuseNumbers(http.StatusTooManyRequests, c.refuse, "Too many\nrequests")
			}
			before, _ := rest.Number(c.number.PhoneNumber)
			made := h.do(t, request{method: "POST", path: numbersPath, body: `{"number":"+14155550123","agentId":"` + agent + `"}`})
			if made.status != 201 || made.text("data.agentId") != agent || made.text("data.setup.state") != "failed" || !strings.Contains(made.warnings(), c.want) ||
				!strings.Contains(made.text("data.setup.message"), c.want) || strings.Contains(string(made.body), `"token"`) {
				t.Errorf("%d %s", made.status, made.body)
			}
			if after, _ := rest.Number(c.number.PhoneNumber); after != before {
				t.Errorf("the number was changed: %+v", after)
			}
			if c.refuse == 0 {
				return
			}
			rest.RefuseNumbers(0, 0, "")
			again := h.do(t, request{method: "PATCH", path: numbersPath + "/" + made.text("data.id"), body: `{"agentId":"` + agent + `"}`})
			if again.text("data.setup.state") != "configured" || again.at("warnings") != nil {
				t.Errorf("again: %s", again.body)
			}
			pointsHere(t, rest, c.number.PhoneNumber, true)
		})
	}
}

// TestNumbersWithoutTwilio: everything works on a server without an account, and it says what is missing.
func TestNumbersWithoutTwilio(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	agent := h.createAgent(t, "", `{"name":"A","type":"voice"}`)
	made := h.do(t, request{method: "POST", path: numbersPath, body: `{"number":"+14155550123","agentId":"` + agent + `"}`})
	if made.status != 201 || made.text("data.setup.state") != "not_needed" || !strings.Contains(made.warnings(), "only the simulated phone can call it") {
		t.Errorf("%d %s", made.status, made.body)
	}
	if list := h.do(t, request{method: "GET", path: numbersPath + "/available"}); list.status != 200 || list.at("data.pagination.total") != 0.0 || !strings.Contains(list.warnings(), "TWILIO_ACCOUNT_SID") {
		t.Errorf("%d %s", list.status, list.body)
	}
	if got := h.do(t, request{method: "POST", path: numbersPath + "/import", body: `{"numbers":["+14155550123"]}`}); got.status != 409 || !strings.Contains(got.text("error.message"), "nothing to import from") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestReleaseLeavesForeignAddresses: somebody else's settings are not ours to clear.
func TestReleaseLeavesForeignAddresses(t *testing.T) {
	t.Parallel()
	rest := newCarrier(t)
	h := newHouseWith(t, storetest.SQLite(t), houseOptions{rest: rest})
	agent := h.createAgent(t, "", `{"name":"A","type":"voice"}`)
	const number = "+14155550123"
	rest.AddNumber(phone.Number{PhoneNumber: number, VoiceURL: "https://u:secret@other.example/voice?key=1", VoiceMethod: "GET"})
	made := h.do(t, request{method: "POST", path: numbersPath, body: `{"number":"` + number + `","agentId":"` + agent + `"}`})
	if !strings.Contains(made.warnings(), "its calls went to other.example until now") || strings.Contains(string(made.body), "secret") {
		t.Errorf("taken over: %s", made.body)
	}
	pointsHere(t, rest, number, true)
	mixed := phone.Number{PhoneNumber: "+14155550124", VoiceURL: "https://other.example/voice", StatusCallback: "https://parley.example/twilio/status"}
	rest.AddNumber(mixed)
	other := h.do(t, request{method: "POST", path: numbersPath, body: `{"number":"+14155550124"}`})
	if h.do(t, request{method: "DELETE", path: numbersPath + "/" + other.text("data.id")}).status != 200 {
		t.Error("not deleted")
	}
	if n, _ := rest.Number("+14155550124"); n.VoiceURL != "https://other.example/voice" || n.StatusCallback != "" {
		t.Errorf("after the release: %+v", n)
	}
}

// TestAvailableAndImport: what the account has, page by page, and picking from it.
func TestAvailableAndImport(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		rest := newCarrier(t)
		h := newHouseWith(t, st, houseOptions{rest: rest})
		for i := range 1005 { // two of Twilio's pages
			rest.AddNumber(phone.Number{PhoneNumber: fmt.Sprintf("+1415555%04d", i)})
		}
		rest.AddNumber(phone.Number{PhoneNumber: "+358401234567", FriendlyName: "Helsinki", VoiceURL: "https://a:b@other.example/v?key=1"})
		agent := h.createAgent(t, "", `{"name":"A","type":"voice"}`)
		h.createAgent(t, "", `{"name":"B","type":"voice","phoneNumbers":["+14155550001"]}`)
		all := h.do(t, request{method: "GET", path: numbersPath + "/available?limit=2"})
		if all.at("data.pagination.total") != 1006.0 || all.text("data.phoneNumbers.1.number") != "+14155550001" || all.at("data.phoneNumbers.1.imported") != true ||
			all.at("data.phoneNumbers.1.pointsHere") != true || all.at("data.phoneNumbers.0.imported") != false || all.at("data.phoneNumbers.0.pointsHere") != false {
			t.Errorf("%d %s", all.status, all.body)
		}
		found := h.do(t, request{method: "GET", path: numbersPath + "/available?search=HELS"})
		if found.at("data.pagination.total") != 1.0 || found.text("data.phoneNumbers.0.voiceUrl") != "https://other.example/v?…" {
			t.Errorf("%s", found.body)
		}
		imports := func(body string, key string) answer {
			r := request{method: "POST", path: numbersPath + "/import", body: body}
			if key != "" {
				r.headers = map[string]string{"Idempotency-Key": key}
			}
			return h.do(t, r)
		}
		for body, want := range map[string]string{
			`{"numbers":["+14155559999","+14155550002"]}`: "400 numbers[0]",
			`{"numbers":[]}`: "400 numbers",
			`{}`:             "400 numbers",
			`{"numbers":["0401234567"],"agentId":"x"}`:                              "400 numbers[0] agentId",
			`{"numbers":["+14155550002"],"agentId":"` + parley.NewID() + `"}`:       "400 agentId",
			`{"numbers":["+14155550002","+14155550001"],"agentId":"` + agent + `"}`: "409",
		} {
			a := imports(body, "")
			if got := strings.TrimSpace(fmt.Sprint(a.status, " ", strings.Join(a.fields(), " "))); got != want {
				t.Errorf("%s: %s, want %s: %s", body, got, want, a.body)
			}
		}
		if list := h.do(t, request{method: "GET", path: numbersPath}); list.at("data.pagination.total") != 1.0 {
			t.Errorf("a refused import left something: %s", list.body)
		}
		body := `{"numbers":["+358401234567","+14155550002"],"agentId":"` + agent + `"}`
		got := imports(body, "key-1")
		if got.status != 201 || got.text("data.phoneNumbers.0.label") != "Helsinki" || got.text("data.phoneNumbers.1.label") != "" ||
			got.text("data.phoneNumbers.0.setup.state") != "configured" || got.text("data.phoneNumbers.1.setup.state") != "configured" || got.text("data.phoneNumbers.0.source") != "twilio" ||
			!strings.Contains(got.warnings(), "went to other.example") {
			t.Errorf("%d %s", got.status, got.body)
		}
		pointsHere(t, rest, "+358401234567", true)
		rest.RefuseNumbers(500, 20500, "down")
		again := imports(body, "key-1")
		if string(again.body) != string(got.body) || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("repeated:\n%s\n%s", again.body, got.body)
		}
		if a := imports(`{"numbers":["+14155550003"]}`, ""); a.status != 503 || !strings.Contains(a.text("error.message"), "20500") {
			t.Errorf("%d %s", a.status, a.body)
		}
		rest.RefuseNumbers(401, 20003, "Authenticate")
		if a := h.do(t, request{method: "GET", path: numbersPath + "/available"}); a.status != 409 || !strings.Contains(a.text("error.message"), "credentials") {
			t.Errorf("%d %s", a.status, a.body)
		}
		rest.RefuseNumbers(0, 0, "")
		marked := imports(`{"numbers":["+14155550001"]}`, "")
		if marked.status != 201 || marked.text("data.phoneNumbers.0.agentName") != "B" || marked.text("data.phoneNumbers.0.source") != "twilio" {
			t.Errorf("own number: %d %s", marked.status, marked.body)
		}
	})
}

// TestNumberRefusals: what is wrong is named, with a way out.
func TestNumberRefusals(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	chat := h.createAgent(t, "", `{"name":"C","type":"chat"}`)
	voice := h.createAgent(t, "", `{"name":"V","type":"voice"}`)
	first := h.do(t, request{method: "POST", path: numbersPath, body: `{"number":"+358401234567","agentId":"` + voice + `"}`})
	for _, c := range []struct{ method, path, body, want, words string }{
		{"POST", "", `{}`, "400 number", "required"},
		{"POST", "", `{"number":"040 1234568"}`, "400 number", "write +358401234568 for Finland."},
		{"POST", "", `{"number":"+358 40 1234568"}`, "400 number", "Write +358401234568."},
		{"POST", "", `{"number":5,"label":5,"agentId":5,"x":1}`, "400 number label agentId x", ""},
		{"POST", "", `{"number":"+358401234568","agentId":"` + chat + `"}`, "400 agentId", "Only voice agents"},
		{"POST", "", `{"number":"+358401234568","agentId":"` + parley.NewID() + `"}`, "400 agentId", "is not an agent of this organization"},
		{"POST", "", `{"number":"+358401234567"}`, "409", "already in use"},
		{"PATCH", "/" + first.text("data.id"), `{"number":"+358401234568"}`, "400 number", "is fixed"},
		{"PATCH", "/" + first.text("data.id"), `{"agentId":"` + h.createAgent(t, "", `{"name":"W","type":"voice"}`) + `"}`, "409", "Release it from its agent first"},
		{"PATCH", "/" + parley.NewID(), `{}`, "404", "Phone number not found"},
		{"DELETE", "/x", ``, "404", "Phone number not found"},
		{"DELETE", "/available", ``, "405", "Use GET or HEAD."},
		{"GET", "/import", ``, "405", "Use POST."},
		{"PUT", "/import", ``, "405", "is not allowed here"},
	} {
		a := h.do(t, request{method: c.method, path: numbersPath + c.path, body: c.body})
		if got := strings.TrimSpace(fmt.Sprint(a.status, " ", strings.Join(a.fields(), " "))); got != c.want || !strings.Contains(string(a.body), c.words) {
			t.Errorf("%s %s: %s, want %s: %s", c.method, c.body, got, c.want, a.body)
		}
	}
	for _, r := range []request{
		{method: "POST", path: "/api/v1/agents", body: `{"name":" ","type":"voice","phoneNumbers":["+358401234568","040 1234568"]}`},
		{method: "PATCH", path: "/api/v1/agents/" + voice, body: `{"name":" ","phoneNumbers":["+358401234568","040 1234568"]}`},
	} {
		if a := h.do(t, r); a.status != 400 || fmt.Sprint(a.fields()) != "[name phoneNumbers[1]]" || !strings.Contains(string(a.body), "write +358401234568 for Finland.") {
			t.Errorf("%s: %d %s", r.method, a.status, a.body)
		}
	}
	odd := h.do(t, request{method: "POST", path: numbersPath, body: `{"number":"+1234567890"}`})
	if odd.status != 201 || !strings.Contains(odd.warnings(), "too short for a number of the United States") {
		t.Errorf("an odd number: %d %s", odd.status, odd.body)
	}
}

// TestOneNumberOfTwoOrganizations: of claims at once exactly one wins, and the losers hear the same text.
func TestOneNumberOfTwoOrganizations(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		rest := newCarrier(t)
		h := newHouseWith(t, st, houseOptions{rest: rest})
		other := h.newKey(storetest.Organization(t, st).ID, parley.ScopeAll)
		mine, theirs := h.createAgent(t, "", `{"name":"A","type":"voice"}`), h.createAgent(t, other, `{"name":"B","type":"voice"}`)
		for i := range 6 {
			number := fmt.Sprintf("+1415555%04d", i)
			rest.AddNumber(phone.Number{PhoneNumber: number})
			requests := []request{
				{method: "POST", path: numbersPath, body: `{"number":"` + number + `","agentId":"` + mine + `"}`},
				{method: "POST", path: numbersPath + "/import", key: other, body: `{"numbers":["` + number + `"],"agentId":"` + theirs + `"}`},
				{method: "POST", path: "/api/v1/agents", key: other, body: `{"name":"C","type":"voice","phoneNumbers":["` + number + `"]}`},
			}
			done := make(chan answer, len(requests))
			for _, r := range requests {
				go func() { done <- h.do(t, r) }()
			}
			won := 0
			for range requests {
				a := <-done
				switch {
				case a.status == 201:
					won++
				case a.status != 409 || a.text("error.message") != "The phone number "+number+" is already in use. Release it from its agent first, or give another.":
					t.Errorf("a loser: %d %s", a.status, a.body)
				}
			}
			if won != 1 {
				t.Errorf("%d claims of %s won", won, number)
			}
			pointsHere(t, rest, number, true)
		}
	})
}

// TestSharedAccount: an organization that uses the server's account cannot turn the operator's other numbers away from
// where they go, nor see what other organizations have.
func TestSharedAccount(t *testing.T) {
	t.Parallel()
	st := storetest.SQLite(t)
	rest := newCarrier(t)
	h := newHouseWith(t, st, houseOptions{rest: rest})
	guest := h.newKey(storetest.Organization(t, st).ID, parley.ScopeAll)
	rest.AddNumber(phone.Number{PhoneNumber: "+14155550101", VoiceURL: "https://operator.example/voice"})
	rest.AddNumber(phone.Number{PhoneNumber: "+14155550102"})
	h.createAgent(t, "", `{"name":"A","type":"voice","phoneNumbers":["+14155550102"]}`)
	agent := h.createAgent(t, guest, `{"name":"G","type":"voice"}`)
	taken := h.do(t, request{method: "POST", path: numbersPath, key: guest, body: `{"number":"+14155550101","agentId":"` + agent + `"}`})
	if taken.text("data.setup.state") != "failed" || !strings.Contains(taken.warnings(), "Ask the operator") {
		t.Errorf("%s", taken.body)
	}
	if n, _ := rest.Number("+14155550101"); n.VoiceURL != "https://operator.example/voice" {
		t.Errorf("turned away: %+v", n)
	}
	list := h.do(t, request{method: "GET", path: numbersPath + "/available", key: guest})
	if list.at("data.pagination.total") != 1.0 || list.at("data.phoneNumbers.0.voiceUrl") != nil || strings.Contains(string(list.body), "+14155550102") {
		t.Errorf("%s", list.body)
	}
}

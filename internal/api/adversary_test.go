package api_test

import (
	"flag"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/api/apicheck"
	"parley/internal/sim/phone"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

var (
	adversarySeed     = flag.Uint64("adversary.seed", 1, "seed of the requests; 0 = a random one")
	adversaryRequests = flag.Int("adversary.n", 0, "requests per database; 0 = 5,000 on SQLite, 2,000 on PostgreSQL")
	adversaryOnly     = flag.String("adversary.only", "", "operation ids, by comma")
)

// wordsOnly are the refusals of valid requests that a schema cannot state.
var wordsOnly = []apicheck.Exception{
	{Operation: "chat", Status: 400, Message: "voice", Why: "contract §7: a voice agent → 400; the schema of the body does not know the agent in the path"},
	{Operation: "chat", Status: 429, Message: "dailyMessageLimit", Why: "what an agent may answer in a day is in its config; another wait does not help"},
	{Operation: "getAgentEmbed", Status: 400, Message: "only chat agents", Why: "a voice agent → 400; no schema knows the agent in the path"},
	{Operation: "rotateIdentitySecret", Status: 400, Message: "only chat agents", Why: "as for getAgentEmbed"},
	{Operation: "deleteIdentitySecret", Status: 400, Message: "only chat agents", Why: "as for getAgentEmbed"},
	{Operation: "revokeVisitors", Status: 400, Message: "only chat agents", Why: "as for getAgentEmbed"},
	{Operation: "createWebCall", Status: 400, Message: "only voice agents", Why: "a chat agent → 400; the schema of the body does not know the agent in the path"},
	{Operation: "listAgents", Status: 400, Message: `"field":"cursor"`, Why: "a cursor is opaque, and belongs to one list"},
	{Operation: "listAgents", Status: 400, Message: "does not go with cursor", Why: "a schema of parameters does not see two of them together"},
	{Operation: "createAPIKey", Status: 400, Message: "expiresAt", Why: "a schema does not know the time"},
	{Operation: "rotateAPIKey", Status: 400, Message: "expiresAt", Why: "a schema does not know the time"},
	{Operation: "updateOrganization", Status: 400, Message: "authToken", Why: "the token may be the one that the organization has"},
	{Operation: "updateOrganization", Status: 403, Message: "may choose at most", Why: "what the operator grants is in the organization, not in the schema"},
	{Operation: "signTestCall", Status: 400, Message: "must be a /twilio/ URL", Why: "only this server's own addresses are signed; the document does not know them"},
	{Operation: "addPhoneNumber", Status: 400, Message: `"field":"agentId"`, Why: "whose ids are those of voice agents is not in a schema"},
	{Operation: "updatePhoneNumber", Status: 400, Message: `"field":"agentId"`, Why: "as for addPhoneNumber"},
	{Operation: "importPhoneNumbers", Status: 400, Message: `"field":"agentId"`, Why: "as for addPhoneNumber"},
	{Operation: "importPhoneNumbers", Status: 400, Message: "is not in the Twilio account", Why: "what an account has is not in a schema"},
	{Operation: "updateOrganization", Status: 400, Message: `"field":"webSearch.`, Why: "what a provider needs, and when a key is needed again, is described in words"},
	{Operation: "createTool", Status: 400, Message: `"field":"http.`, Why: "templates, hosts, names of headers and how the members go together are described in words"},
	{Operation: "updateTool", Status: 400, Message: `"field":"http.`, Why: "as for createTool"},
	{Operation: "createTool", Status: 400, Message: `"field":"mcp.`, Why: "hosts, names of headers and addresses that are not public are described in words"},
	{Operation: "updateTool", Status: 400, Message: `"field":"mcp.`, Why: "as for createTool"},
	{Operation: "updateTool", Status: 400, Message: "of kind mcp", Why: "the schema of the body does not know the tool in the path"},
	{Operation: "updateTool", Status: 400, Message: "is fixed at creation", Why: "as for http and client: the kind is that of the tool in the path"},
	{Operation: "updateTool", Status: 400, Message: "of kind client", Why: "the schema of the body does not know the tool in the path"},
	{Operation: "createTool", Status: 400, Message: `"field":"parameters"`, Why: "a JSON Schema is checked by its own meta-schema"},
	{Operation: "updateTool", Status: 400, Message: `"field":"parameters"`, Why: "as for createTool"},
	{Operation: "createTool", Status: 400, Message: "nested more than", Why: "a schema does not count levels"},
	{Operation: "updateTool", Status: 400, Message: "nested more than", Why: "as for createTool"},
}

// omitted are members whose success would hinder the run itself.
var omitted = map[string][]string{"updateOrganization": {"limits", "twilio"}}

// outOfReach are operations that need more than the API: signTestCall signs for a call that runs,
// importPhoneNumbers takes only what the Twilio account has, recordings are made by calls, notes by agents, and refreshTool
// asks servers.
var outOfReach = []string{"refreshTool", "signTestCall", "importPhoneNumbers", "getRecording", "deleteRecording", "listNotes", "deleteNotes"}

// TestAnAdversaryFindsNothing gives an adversary that knows only the OpenAPI document a listening server.
func TestAnAdversaryFindsNothing(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); adversary(t, storetest.SQLite(t), 5_000) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); adversary(t, storetest.Postgres(t), 4_000) })
}

func adversary(t *testing.T, st *store.Store, requests int) {
	rest := newCarrier(t)
	rest.AddNumber(phone.Number{PhoneNumber: "+14155550123"}) // the document's example
	h := newHouseWith(t, st, houseOptions{rest: rest})
	srv := httptest.NewServer(h.handler)
	defer srv.Close()
	document, err := h.api.JSON()
	if err != nil {
		t.Fatal(err)
	}
	opt := apicheck.Options{Document: document, BaseURL: srv.URL, Key: h.key, Requests: requests, Seed: *adversarySeed, Client: srv.Client(), Exceptions: wordsOnly, Omit: omitted}
	opt.Client.Timeout = time.Minute
	if *adversaryRequests > 0 {
		opt.Requests = *adversaryRequests
	}
	if *adversaryOnly != "" {
		opt.Only = strings.Split(*adversaryOnly, ",")
	}
	if opt.Seed == 0 {
		opt.Seed = rand.Uint64()
	}
	began := time.Now()
	report, err := apicheck.Run(t.Context(), opt)
	if err != nil {
		t.Errorf("the run broke off: %v", err)
	}
	t.Logf("%d requests in %s with -adversary.seed=%d; excused by words: %v", report.Requests, time.Since(began).Round(time.Second), opt.Seed, report.Excused)
	for _, id := range slices.Sorted(maps.Keys(report.Answers)) {
		t.Logf("%-24s %v", id, report.Answers[id])
	}
	for _, f := range report.Failures {
		t.Error(f)
	}
	for _, id := range report.Unproven {
		if !slices.Contains(outOfReach, id) && requests == opt.Requests {
			t.Errorf("%s never succeeded: the run proves little about it", id)
		}
	}
}

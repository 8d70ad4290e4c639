package api_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley"
	"parley/internal/api"
	"parley/internal/auth"
	"parley/internal/call"
	"parley/internal/chat"
	"parley/internal/egress"
	"parley/internal/event"
	"parley/internal/limit"
	"parley/internal/log"
	"parley/internal/metric"
	"parley/internal/number"
	"parley/internal/openai"
	"parley/internal/record"
	"parley/internal/secret"
	"parley/internal/server"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a whole server but for the listener: real routes, real database, simulated model.
type house struct {
	t       testing.TB
	st      *store.Store
	api     *api.API
	handler http.Handler
	org     parley.Organization
	key     string // of org, all scopes
	logins  *auth.Logins
	check   func(t testing.TB, method, path string, status int, media string, body []byte)
}

func newHouse(t testing.TB, st *store.Store) *house {
	t.Helper()
	return newHouseWith(t, st, houseOptions{})
}

// houseOptions are what a test wants otherwise.
type houseOptions struct {
	like       *house // another process of this house's organization, on the same database
	perMinute  int    // 0 = more than any test meets
	patience   time.Duration
	logger     *slog.Logger
	recordings *record.Folder
	rest       *phone.REST // the Twilio account of the server; nil = the simulated phone's
}

func newHouseWith(t testing.TB, st *store.Store, opt houseOptions) *house {
	t.Helper()
	perMinute, logger := cmp.Or(opt.perMinute, parley.MaxRequestsPerMinute), cmp.Or(opt.logger, slog.New(slog.DiscardHandler))
	h := &house{t: t, st: st}
	if opt.like != nil {
		h.org, h.key = opt.like.org, opt.like.key
	} else {
		h.org = storetest.Organization(t, st)
		h.key = h.newKey(h.org.ID, parley.ScopeAll)
	}
	sim, err := model.Start(model.Options{FirstDelta: -1})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := secret.OpenRing(filepath.Join(t.TempDir(), "keys"), true)
	if err != nil {
		t.Fatal(err)
	}
	gate, err := egress.New(egress.Options{Allow: []string{"127.0.0.0/8"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gate.Close)
	lg := log.New(st, event.NewBus(), log.Options{})
	client := openai.NewChatClient()
	chats := chat.New(chat.Options{
		Store: st, Log: lg, Tools: tool.New(tool.Options{}), Owner: "test", Model: openai.NewChat(openai.ChatOptions{Client: client}),
		Endpoint: func(context.Context, string) (openai.Endpoint, error) {
			return openai.Endpoint{BaseURL: sim.BaseURL(), Key: sim.Key(), Simulated: true}, nil
		},
	})
	apiURL := "https://api.twilio.com"
	if opt.rest != nil {
		apiURL = opt.rest.URL()
	}
	calls := call.New(st, lg, ring, call.Options{PublicURL: "https://parley.example", Owner: "test", DefaultOrg: h.org.ID, Simulated: opt.rest == nil, TwilioAPIURL: apiURL,
		Defaults: parley.Credentials{TwilioAccountSID: carrierSID, TwilioAuthToken: "token"}, Logger: logger})
	numbers := number.New(number.Options{Store: st, Account: calls.Account, PublicURL: "https://parley.example", APIURL: apiURL, DefaultOrg: h.org.ID, Logger: logger})
	keys := auth.New(st, logger, perMinute)
	h.logins = auth.NewLogins(keys, "https://parley.example")
	h.api = api.New(api.Options{Patience: opt.patience, Store: st, Auth: keys, Logins: h.logins, Logger: logger, PublicURL: "https://parley.example", Version: "test", Priced: func(model string) bool { return model != "unpriced-realtime" }, RateLimit: perMinute, Limits: limit.New(limit.Options{Shared: st, Logger: logger}), Ring: ring, Tools: tool.New(tool.Options{Store: st, Ring: ring, Egress: gate}), Chat: chats, Calls: calls, Numbers: numbers, Recordings: opt.recordings})
	h.handler = server.New(server.Options{API: h.api.Mux(), Page: http.NotFoundHandler(), Metrics: metric.New("test"), Logger: logger}).Handler()
	h.check = documented(t, h.api)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		for _, err := range []error{chats.Close(ctx), lg.Close(ctx), sim.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
		keys.Close()
		client.CloseIdleConnections()
	})
	return h
}

// carrierSID is the server's Twilio account, whose token is "token".
var carrierSID = "AC" + strings.Repeat("0", 32)

// newCarrier is a simulated Twilio account.
func newCarrier(t testing.TB) *phone.REST {
	t.Helper()
	rest, err := phone.ListenREST("127.0.0.1:0", carrierSID, "token")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rest.Close(); err != nil {
			t.Error(err)
		}
	})
	return rest
}

// newKey stores a key of an organization.
func (h *house) newKey(orgID string, scopes ...string) string {
	h.t.Helper()
	text := auth.NewKey()
	storetest.Write(h.t, h.st, func(ctx context.Context, tx *store.Tx) error {
		return tx.CreateAPIKey(ctx, orgID, auth.Describe(orgID, "test", text, scopes, time.Now()), auth.HashKey(text))
	})
	return text
}

// request is one row of a scenario.
type request struct {
	method, path string
	key          string // "" = the house's; "none" = without
	body         string // "" = without
	media        string // "" = application/json
	accept       string
	headers      map[string]string
	stranger     bool // is refused before it is known who asks
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any
}

// do sends a request through every middleware and checks the answer against the OpenAPI document.
func (h *house) do(t testing.TB, r request) answer {
	t.Helper()
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(r.body)
	}
	req := httptest.NewRequestWithContext(t.Context(), r.method, "http://x"+r.path, body)
	switch r.key {
	case "":
		req.Header.Set("X-Api-Key", h.key)
	case "none":
	default:
		req.Header.Set("X-Api-Key", r.key)
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
		if r.media != "" {
			req.Header.Set("Content-Type", r.media)
		}
	}
	if r.accept != "" {
		req.Header.Set("Accept", r.accept)
	}
	for name, value := range r.headers {
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, req)
	a := answer{status: w.Code, header: w.Header(), body: w.Body.Bytes()}
	if w.Header().Get("X-Request-Id") == "" {
		t.Errorf("%s %s carries no X-Request-Id", r.method, r.path)
	}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		dec := json.NewDecoder(bytes.NewReader(a.body))
		if err := dec.Decode(&a.json); err != nil {
			t.Errorf("%s %s answered no JSON: %s", r.method, r.path, a.body)
		}
		if ok := a.json["success"]; ok != (a.status < 400) {
			t.Errorf("%s %s = %d with success %v", r.method, r.path, a.status, ok)
		}
	}
	if limited := w.Header().Get("RateLimit") != ""; limited != (a.status != 401 && !r.stranger) && a.status != 404 && a.status != 405 {
		t.Errorf("%s %s = %d: rate limit headers %v", r.method, r.path, a.status, limited)
	}
	path, _, _ := strings.Cut(r.path, "?")
	h.check(t, r.method, path, a.status, w.Header().Get("Content-Type"), a.body)
	return a
}

// at returns the member at a path such as "data.agents.0.name".
func (a answer) at(path string) any {
	var v any = a.json
	for name := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i := int(name[0] - '0')
			if i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// text is at for strings.
func (a answer) text(path string) string {
	s, _ := a.at(path).(string)
	return s
}

// fields are the names in error.details.
func (a answer) fields() []string {
	var out []string
	list, _ := a.at("error.details").([]any)
	for _, d := range list {
		if m, ok := d.(map[string]any); ok {
			out = append(out, m["field"].(string))
		}
	}
	return out
}

// createAgent makes an agent through the API and returns its id.
func (h *house) createAgent(t testing.TB, key, body string) string {
	t.Helper()
	a := h.do(t, request{method: "POST", path: "/api/v1/agents", key: key, body: body})
	if a.status != 201 {
		t.Fatalf("create %s: %d %s", body, a.status, a.body)
	}
	return a.text("data.id")
}

package number

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley"
	"parley/internal/call"
	"parley/internal/sim/phone"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	public    = "https://parley.example"
	e164      = "+14155550123"
	carrierID = "AC00000000000000000000000000000000"
)

// bench is a service between a database and a simulated Twilio account.
type bench struct {
	*Service
	st      *store.Store
	rest    *phone.REST
	org     parley.Organization
	agent   parley.Agent
	account call.Account
	before  func(r *http.Request, form url.Values) // sees every request to Twilio before it is served
}

func newBench(t *testing.T, st *store.Store) *bench {
	t.Helper()
	rest, err := phone.ListenREST("127.0.0.1:0", carrierID, "token")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{st: st, rest: rest, org: storetest.Organization(t, st), account: call.Account{SID: carrierID, Token: "token"}}
	b.agent = storetest.Agent(t, st, b.org.ID, parley.AgentVoice)
	target, err := url.Parse(rest.URL())
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: transport}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		if b.before != nil {
			b.before(r, form)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		srv.Close()
		transport.CloseIdleConnections()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		if err := rest.Close(); err != nil {
			t.Error(err)
		}
	})
	b.Service = New(Options{Store: st, PublicURL: public, APIURL: srv.URL, DefaultOrg: b.org.ID,
		Account: func(context.Context, string) (call.Account, error) { return b.account, nil }})
	rest.AddNumber(phone.Number{PhoneNumber: e164})
	return b
}

// add stores the number for an agent of an organization.
func (b *bench) add(t *testing.T, orgID, agentID string) parley.PhoneNumber {
	t.Helper()
	n := parley.PhoneNumber{ID: parley.NewID(), OrgID: orgID, Number: e164, AgentID: agentID, Source: parley.NumberManual, CreatedAt: storetest.Now()}
	storetest.Write(t, b.st, func(ctx context.Context, tx *store.Tx) error { return tx.AddNumber(ctx, orgID, n) })
	return n
}

// assign gives the number to an agent, or to none.
func (b *bench) assign(t *testing.T, id, agentID string) {
	t.Helper()
	storetest.Write(t, b.st, func(ctx context.Context, tx *store.Tx) error {
		n, err := tx.HoldNumber(ctx, b.org.ID, id, agentID)
		if err != nil {
			return err
		}
		after := n
		after.AgentID = agentID
		return tx.UpdateNumber(ctx, b.org.ID, n, after)
	})
}

func (b *bench) here() bool {
	n, _ := b.rest.Number(e164)
	return n.VoiceURL == public+"/twilio/voice" && n.VoiceFallbackURL == public+"/twilio/resume" && n.StatusCallback == public+"/twilio/status"
}

func (b *bench) setup(t *testing.T) parley.SetupState {
	t.Helper()
	n, err := b.st.FindPhoneNumber(t.Context(), e164)
	if err != nil {
		t.Fatal(err)
	}
	return n.Setup.State
}

// An assignment that crosses a release at the worst moment, when the release has decided to clear the addresses, is
// not lost: Twilio ends at what the database says.
func TestCrossingChangesConverge(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newBench(t, st)
		n := b.add(t, b.org.ID, b.agent.ID)
		if w := b.Settle(t.Context(), b.org.ID, []string{e164}); len(w) > 0 || !b.here() {
			t.Fatalf("warnings %q, here %v", w, b.here())
		}
		b.assign(t, n.ID, "")
		crossed := false
		b.before = func(r *http.Request, form url.Values) {
			if r.Method == http.MethodPost && form.Has("VoiceUrl") && form.Get("VoiceUrl") == "" && !crossed {
				crossed = true
				b.assign(t, n.ID, b.agent.ID)
			}
		}
		if w := b.Settle(t.Context(), b.org.ID, []string{e164}); len(w) > 0 {
			t.Errorf("warnings %q", w)
		}
		if !crossed || !b.here() || b.setup(t) != parley.SetupConfigured {
			t.Errorf("crossed %v, here %v, setup %s", crossed, b.here(), b.setup(t))
		}
		b.assign(t, n.ID, "")
		released := false
		b.assign(t, n.ID, b.agent.ID)
		b.before = func(r *http.Request, form url.Values) {
			if r.Method == http.MethodGet && !released { // the other way round
				released = true
				b.assign(t, n.ID, "")
			}
		}
		b.Settle(t.Context(), b.org.ID, []string{e164})
		if !released || b.here() || b.setup(t) != parley.SetupNotNeeded {
			t.Errorf("released %v, here %v, setup %s", released, b.here(), b.setup(t))
		}
	})
}

// A number that was deleted, and that another organization took and set up while our release was on its way, is given
// back its addresses; we hear nothing of it.
func TestReleaseGivesBackWhatAnotherTook(t *testing.T) {
	t.Parallel()
	st := storetest.SQLite(t)
	b := newBench(t, st)
	n := b.add(t, b.org.ID, b.agent.ID)
	b.Settle(t.Context(), b.org.ID, []string{e164})
	storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.DeleteNumber(ctx, b.org.ID, n, storetest.Now())
	})
	other := storetest.Organization(t, st)
	agent := storetest.Agent(t, st, other.ID, parley.AgentVoice)
	taken := false
	b.before = func(r *http.Request, form url.Values) {
		if r.Method == http.MethodPost && form.Get("VoiceUrl") == "" && !taken {
			taken = true
			b.add(t, other.ID, agent.ID)
			if w := b.Settle(t.Context(), other.ID, []string{e164}); len(w) > 0 {
				t.Errorf("the other one's warnings: %q", w)
			}
		}
	}
	w := b.Settle(t.Context(), b.org.ID, []string{e164})
	if len(w) > 0 || !taken || !b.here() {
		t.Errorf("warnings %q, taken %v, here %v", w, taken, b.here())
	}
	b.before = func(r *http.Request, _ url.Values) {
		t.Errorf("a number of another organization was touched: %s", r.Method)
	}
	if w := b.Settle(t.Context(), b.org.ID, []string{e164}); len(w) > 0 {
		t.Errorf("warnings %q", w)
	}
}

func TestWhatStandsInTheWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(b *bench)
		want   string
		state  parley.SetupState
	}{
		"plain http":      {func(b *bench) { b.opt.PublicURL, b.opt.APIURL = "http://parley.example", "https://api.twilio.com" }, "PARLEY_PUBLIC_URL", parley.SetupFailed},
		"no account SID":  {func(b *bench) { b.account.SID = "" }, "TWILIO_ACCOUNT_SID", parley.SetupFailed},
		"simulated":       {func(b *bench) { b.account.Simulated = true }, "simulated phone", parley.SetupNotNeeded},
		"nobody listens":  {func(b *bench) { b.opt.APIURL = "http://127.0.0.1:1" }, "could not be reached", parley.SetupFailed},
		"wrong token":     {func(b *bench) { b.account.Token = "other" }, "refused the account's credentials", parley.SetupFailed},
		"another account": {func(b *bench) { b.account.SID = "AC1" }, "credentials", parley.SetupFailed},
		"Twilio is down":  {func(b *bench) { b.rest.RefuseNumbers(503, 0, "") }, "HTTP status 503", parley.SetupFailed},
		"Twilio is too slow": {func(b *bench) {
			b.opt.Patience = 50 * time.Millisecond
			b.before = func(r *http.Request, _ url.Values) { <-r.Context().Done() }
		}, "did not answer in time", parley.SetupFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, storetest.SQLite(t))
			b.add(t, b.org.ID, b.agent.ID)
			c.change(b)
			w := b.Settle(t.Context(), b.org.ID, []string{e164})
			if len(w) != 1 || !strings.HasPrefix(w[0], e164+": ") || !strings.Contains(w[0], c.want) || strings.Contains(w[0], "token ") {
				t.Errorf("warnings %q", w)
			}
			if got := b.setup(t); got != c.state {
				t.Errorf("setup %s, want %s", got, c.state)
			}
		})
	}
}

// What was begun is finished although the client has gone.
func TestSettleOutlivesTheRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	b.add(t, b.org.ID, b.agent.ID)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if w := b.Settle(ctx, b.org.ID, []string{e164}); len(w) > 0 || !b.here() {
		t.Errorf("warnings %q, here %v", w, b.here())
	}
	posts := 0
	b.before = func(r *http.Request, _ url.Values) {
		if r.Method == http.MethodPost {
			posts++
		}
	}
	b.Settle(t.Context(), b.org.ID, []string{e164})
	if posts != 0 {
		t.Errorf("what is set was set again %d times", posts)
	}
}

func TestGather(t *testing.T) {
	t.Parallel()
	got := gather([]string{"+3", "+1", "+2", "+4"}, []string{"No.", "No.", "", "Why?"})
	if want := []string{"+1, +3: No.", "+4: Why?"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

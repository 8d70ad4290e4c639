package api_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestOrganization(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouseWith(t, st, houseOptions{perMinute: 600})
		patch := func(body string) answer {
			return h.do(t, request{method: "PATCH", path: "/api/v1/organization", body: body})
		}
		const secret, token = "sk-canary-0123456789", "canarytoken0123456789abcdef"
		sid := "AC" + strings.Repeat("a", 32)
		a := patch(`{"name":"Acme","limits":{"requestsPerMinute":60},"openai":{"apiKey":"` + secret + `"},"twilio":{"accountSid":"` + sid + `","authToken":"` + token + `"}}`)
		if a.status != 200 || a.text("data.name") != "Acme" || a.at("data.limits.requestsPerMinute") != 60.0 || a.at("data.limits.maxRequestsPerMinute") != 600.0 ||
			a.text("data.openai.apiKeyLast4") != "6789" || a.text("data.twilio.accountSid") != sid || a.text("data.twilio.authTokenLast4") != "cdef" {
			t.Fatalf("update: %d %s", a.status, a.body)
		}
		get := h.do(t, request{method: "GET", path: "/api/v1/organization"})
		if get.text("data.name") != "Acme" || get.text("data.openai.apiKeyLast4") != "6789" {
			t.Errorf("get: %s", get.body)
		}
		sealed, err := st.FindCredentials(t.Context(), h.org.ID)
		if err != nil || len(sealed.OpenAIKey) == 0 || bytes.Contains(sealed.OpenAIKey, []byte("canary")) || bytes.Contains(sealed.TwilioAuthToken, []byte("canary")) {
			t.Errorf("not sealed: %q %v", sealed, err)
		}
		same := patch(`{"openai":{"apiKey":"sk-other-canary-6789"}}`) // ends alike
		audit := h.do(t, request{method: "GET", path: "/api/v1/audit-log?resourceType=organization"})
		if strings.Contains(string(a.body)+string(get.body)+string(same.body)+string(audit.body), "canary") {
			t.Error("an answer shows a secret")
		}
		if !strings.Contains(string(audit.body), `"replaced.openai.apiKey"`) || audit.at("data.pagination.total") != 2.0 {
			t.Errorf("the audit log does not tell of the new key: %s", audit.body)
		}
		if a := patch(`{"limits":{"requestsPerMinute":null},"openai":{"apiKey":null},"twilio":{"accountSid":null,"authToken":null}}`); a.at("data.limits.requestsPerMinute") != 600.0 || a.at("data.openai.apiKeyLast4") != nil || a.at("data.twilio.accountSid") != nil {
			t.Errorf("reset: %s", a.body)
		}
		for body, want := range map[string]string{
			`{"limits":{"requestsPerMinute":1000001}}`: "[limits.requestsPerMinute]",
			`{"limits":{"requestsPerMinute":0}}`:       "[limits.requestsPerMinute]",
			`{"limits":{"burst":1}}`:                   "[limits.burst]",
			`{"name":" ","id":"x"}`:                    "[name id]",
			`{"openai":{"apiKey":"two words"}}`:        "[openai.apiKey]",
			`{"openai":null}`:                          "[openai]",
			`{"twilio":{"accountSid":"AC1"}}`:          "[twilio.accountSid twilio.authToken]",
			`{"twilio":{"accountSid":"` + sid + `"}}`:  "[twilio.authToken]",
		} {
			if a := patch(body); a.status != 400 || fmt.Sprint(a.fields()) != want {
				t.Errorf("%s: %d %v, want %s", body, a.status, a.fields(), want)
			}
		}
		taken := storetest.Organization(t, st)
		if a := patch(`{"name":"` + taken.Name + `"}`); a.status != 200 { // a refusal would tell that the other exists
			t.Errorf("another organization's name: %d %s", a.status, a.body)
		}
		if o, err := st.FindOrganization(t.Context(), taken.Name); err != nil || o.ID != taken.ID {
			t.Errorf("the operator's name means %v, %v", o, err)
		}
	})
}

// TestGrantedLimit: the operator may grant more, or less, than the server's default.
func TestGrantedLimit(t *testing.T) {
	t.Parallel()
	h := newHouseWith(t, storetest.SQLite(t), houseOptions{perMinute: 600})
	grant := func(n int) {
		storetest.Write(t, h.st, func(ctx context.Context, tx *store.Tx) error {
			o, err := tx.FindOrganization(ctx, h.org.ID)
			if err != nil {
				return err
			}
			o.MaxRequestsPerMinute = &n
			return tx.UpdateOrganization(ctx, h.org.ID, o)
		})
	}
	limits := func(body string) string {
		r := request{method: "GET", path: "/api/v1/organization"}
		if body != "" {
			r.method, r.body = "PATCH", body
		}
		a := h.do(t, r)
		return fmt.Sprint(a.status, a.at("data.limits.requestsPerMinute"), a.at("data.limits.maxRequestsPerMinute"))
	}
	grant(5000)
	for _, c := range []struct{ body, want string }{
		{"", "200 5000 5000"}, {`{"limits":{"requestsPerMinute":4000}}`, "200 4000 5000"}, {`{"limits":{"requestsPerMinute":5001}}`, "403 <nil> <nil>"},
	} {
		if got := limits(c.body); got != c.want {
			t.Errorf("%s: %s, want %s", c.body, got, c.want)
		}
	}
	grant(100)
	if got := limits(""); got != "200 100 100" {
		t.Errorf("after lowering: %s", got)
	}
	if o := (parley.Organization{}); o.RateLimit(7) != 7 {
		t.Error("without anything, the server's default holds")
	}
}

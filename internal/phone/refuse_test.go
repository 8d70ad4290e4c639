package phone

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley"
	"parley/internal/call"
	"parley/internal/sim/phone"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/twilio"
)

func contextIn(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

const callSID = "CA000000000000000000000000000000aa"

// post sends a webhook signed with the token.
func (h *house) post(path, token string, form url.Values) (int, string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set(twilio.SignatureHeader, twilio.Sign(token, h.url+path, form))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func incoming(to string) url.Values {
	return url.Values{"CallSid": {callSID}, "AccountSid": {defaultSID}, "From": {"+15550100001"}, "To": {to}, "CallStatus": {"ringing"}}
}

// TestRefusedCallsLeaveNothingBehind covers who may not call, and that nothing half-made stays.
func TestRefusedCallsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	// Another organization with an account and a number of its own.
	other := storetest.Organization(t, h.st)
	storetest.Agent(t, h.st, other.ID, parley.AgentVoice, "+15550199999")
	storetest.Write(t, h.st, func(ctx context.Context, tx *store.Tx) error {
		return tx.SetCredentials(ctx, other.ID, store.SealedCredentials{
			TwilioAccountSID: "AC00000000000000000000000000000002",
			TwilioAuthToken:  h.ring.Seal(store.CredentialAAD(other.ID, "twilio_auth_token"), []byte("other-token")),
		})
	})
	asOther := incoming(number)
	asOther.Set("AccountSid", "AC00000000000000000000000000000002")
	foreignAccount := incoming(number)
	foreignAccount.Set("AccountSid", "AC00000000000000000000000000000009")
	inactive := storetest.NewAgent(h.org.ID, parley.AgentVoice)
	inactive.Status, inactive.PhoneNumbers = parley.AgentInactive, []string{"+15550100003"}
	chat := storetest.Agent(t, h.st, h.org.ID, parley.AgentChat)
	storetest.Write(t, h.st, func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(
			tx.CreateAgent(ctx, h.org.ID, inactive),
			tx.AddNumber(ctx, h.org.ID, parley.PhoneNumber{ID: parley.NewID(), Number: "+15550100004", CreatedAt: storetest.Now()}),
			tx.AddNumber(ctx, other.ID, parley.PhoneNumber{ID: parley.NewID(), Number: "+15550199998", CreatedAt: storetest.Now()}),
		)
	})
	asTheirs := incoming("+15550199998")
	asTheirs.Set("AccountSid", "AC00000000000000000000000000000002")

	cases := map[string]struct {
		token  string
		form   url.Values
		status int
		says   string
	}{
		"wrong signature":                      {"wrong", incoming(number), 403, ""},
		"another organization's own signature": {"other-token", asOther, 403, ""},
		"right token, another account":         {defaultToken, foreignAccount, 403, ""},
		"default token for their number":       {defaultToken, incoming("+15550199999"), 403, ""},
		"unknown number":                       {defaultToken, incoming("+15550100099"), 200, texts["en"].words[textUnknown]},
		"unknown number, wrong signature":      {"wrong", incoming("+15550100099"), 403, ""},
		"inactive agent":                       {defaultToken, incoming("+15550100003"), 200, texts["en"].words[textInactive]},
		"number without an agent":              {defaultToken, incoming("+15550100004"), 200, texts["en"].words[textUnknown]},
		"their number without an agent":        {"other-token", asTheirs, 200, texts["en"].words[textUnknown]},
		"default token, without an agent":      {defaultToken, incoming("+15550199998"), 403, ""},
		"chat agent":                           {defaultToken, incoming("client:agent-" + chat.ID), 200, texts["en"].words[textUnknown]},
		"unknown agent":                        {defaultToken, incoming("client:agent-" + parley.NewID()), 200, texts["en"].words[textUnknown]},
		"no CallSid":                           {defaultToken, url.Values{"AccountSid": {defaultSID}, "To": {number}}, 400, ""},
		"used test call":                       {defaultToken, func() url.Values { f := incoming(number); f.Set(call.FormTestCall, parley.NewID()); return f }(), 403, ""},
	}
	for name, c := range cases {
		status, body := h.post("/twilio/voice", c.token, c.form)
		if status != c.status || c.says != "" && !strings.Contains(body, c.says) || strings.Contains(body, "<Connect>") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	for _, path := range []string{"/twilio/resume", "/twilio/status"} {
		if status, _ := h.post(path, "wrong", incoming(number)); status != 403 {
			t.Errorf("%s with a wrong signature: %d", path, status)
		}
	}
	if n := h.count(); n != 0 {
		t.Errorf("%d conversations were made", n)
	}
	if logs := h.logs.String(); strings.Contains(logs, "other-token") || strings.Contains(logs, defaultToken) || !strings.Contains(logs, "refused") {
		t.Errorf("log:\n%s", logs)
	}
}

func streamURL(t *testing.T, twiml string) string {
	t.Helper()
	_, rest, ok := strings.Cut(twiml, `url="`)
	address, _, ok2 := strings.Cut(rest, `"`)
	if !ok || !ok2 {
		t.Fatalf("no stream in %s", twiml)
	}
	return address
}

// TestStreamTokenWorksOnceForItsOwnCall covers replay, forgery and strangers on the socket.
func TestStreamTokenWorksOnceForItsOwnCall(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st, houseOptions{})
		_, body := h.post("/twilio/voice", defaultToken, incoming(number))
		address := streamURL(t, body)
		if !strings.HasPrefix(address, "ws://") || strings.Contains(address, "?") {
			t.Errorf("stream URL %s", address)
		}
		refused := func(name, url string, header http.Header) {
			t.Helper()
			c, resp, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: header})
			if err == nil {
				_ = c.CloseNow()
				t.Errorf("%s: accepted", name)
			} else if resp == nil || resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %v", name, err)
			}
		}
		refused("unknown token", address[:len(address)-4]+"AAAA", nil)
		refused("wrong signature", address, http.Header{twilio.SignatureHeader: {"AAAA"}})

		open := func(sid, account string) *websocket.Conn {
			t.Helper()
			c, _, err := websocket.Dial(t.Context(), address, &websocket.DialOptions{
				HTTPHeader: http.Header{twilio.SignatureHeader: {twilio.Sign(defaultToken, address, nil)}}})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range []string{`{"event":"connected","protocol":"Call","version":"1.0.0"}`,
				`{"event":"start","sequenceNumber":"1","streamSid":"MZ1","start":{"streamSid":"MZ1","accountSid":"` + account + `","callSid":"` + sid +
					`","tracks":["inbound"],"customParameters":{},"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}`} {
				if err := c.Write(t.Context(), websocket.MessageText, []byte(m)); err != nil {
					t.Fatal(err)
				}
			}
			return c
		}
		closedBy := func(name string, c *websocket.Conn) {
			t.Helper()
			for {
				if _, _, err := c.Read(t.Context()); err != nil {
					if t.Context().Err() != nil {
						t.Errorf("%s: not closed", name)
					}
					return
				}
			}
		}
		closedBy("another call's start", open("CA000000000000000000000000000000bb", defaultSID))
		closedBy("another account's start", open(callSID, "AC00000000000000000000000000000009"))

		live := open(callSID, defaultSID) // the token has survived the forgeries
		if _, _, err := live.Read(t.Context()); err != nil {
			t.Fatalf("the rightful stream was refused: %v", err)
		}
		refused("used token", address, nil)
		if err := live.Write(t.Context(), websocket.MessageText, []byte(`{"event":"stop","sequenceNumber":"2","streamSid":"MZ1","stop":{"accountSid":"`+defaultSID+`","callSid":"`+callSID+`"}}`)); err != nil {
			t.Fatal(err)
		}
		closedBy("after stop", live)
		if conv, _ := h.conversation(); conv.EndReason != parley.EndCallerHangup {
			t.Errorf("conversation %+v", conv)
		}
		_ = live.CloseNow()
	})
}

func TestPreparedTestCallWorksOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	tc, err := h.calls.NewTestCall(t.Context(), h.org.ID, h.agent.ID, "")
	if err == nil {
		err = h.st.Write(t.Context(), func(tx *store.Tx) error { return h.calls.KeepTestCall(t.Context(), tx, h.org.ID, tc) })
	}
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{}
	for k, v := range tc.Form {
		form.Set(k, v)
	}
	_, r := h.dial(phone.Options{
		Form: form, Signature: tc.Signature, Program: []phone.Step{phone.Wait(200 * time.Millisecond), phone.Hangup()},
		Sign: func(ctx context.Context, address string, form url.Values) (string, error) {
			flat := map[string]string{}
			for k := range form {
				flat[k] = form.Get(k)
			}
			return h.calls.SignTestCall(ctx, h.org.ID, tc.ID, address, flat)
		},
	})
	healthy(t, r)
	conv, _ := h.conversation()
	if !conv.Test || !conv.Simulated {
		t.Errorf("conversation %+v", conv)
	}
	if _, r = h.dial(phone.Options{Form: form, Signature: tc.Signature}); r.Failure == nil || h.count() != 1 {
		t.Errorf("used twice: %+v", r)
	}
	other := storetest.Organization(t, h.st)
	if _, err := h.calls.NewTestCall(t.Context(), other.ID, h.agent.ID, ""); !parley.IsNotFound(err) {
		t.Errorf("another organization's agent: %v", err)
	}
	if _, err := h.calls.NewTestCall(t.Context(), other.ID, "", number); !parley.IsNotFound(err) {
		t.Errorf("another organization's number: %v", err)
	}
	if _, err := h.calls.SignTestCall(t.Context(), other.ID, tc.ID, h.url+"/twilio/voice", tc.Form); !parley.IsNotFound(err) {
		t.Errorf("another organization's test call: %v", err)
	}
	if _, err := h.calls.SignTestCall(t.Context(), h.org.ID, tc.ID, "https://elsewhere.example/twilio/voice", tc.Form); parley.ErrorCode(err) != parley.CodeInvalid {
		t.Errorf("a foreign URL: %v", err)
	}
}

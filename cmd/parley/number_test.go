package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/internal/sim/phone"
)

// TestImportedNumberRings: a number of the Twilio account is imported for an agent, and then a call that goes where
// Twilio was told to send it reaches that agent; a released number no longer points here, and hears a notice.
func TestImportedNumberRings(t *testing.T) {
	t.Parallel()
	const token, number = "canary-token", "+14155550123"
	account := "AC" + strings.Repeat("a", 32)
	rest, err := phone.ListenREST("127.0.0.1:0", account, token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := rest.Close(); err != nil {
			t.Error(err)
		}
	})
	rest.AddNumber(phone.Number{PhoneNumber: number, VoiceURL: "https://demo.twilio.com/welcome/voice/"})
	s := start(t, t.TempDir(), "--twilio-account-sid", account, "--twilio-auth-token", token, "--twilio-api-url", rest.URL())
	key := keyText.FindString(s.out.String())
	agent := ask(t, "POST", s.url+"/api/v1/agents", key, `{"name":"Ada","type":"voice","config":{"greeting":"Hello there."}}`)["id"].(string)
	made := ask(t, "POST", s.url+"/api/v1/phone-numbers/import", key, `{"numbers":["`+number+`"],"agentId":"`+agent+`"}`)
	one := made["phoneNumbers"].([]any)[0].(map[string]any)
	if setup := one["setup"].(map[string]any); setup["state"] != "configured" {
		t.Fatalf("setup: %v", setup)
	}
	dial := func(at string, status string, program ...phone.Step) *phone.Report {
		t.Helper()
		c, err := phone.Dial(t.Context(), phone.Options{WebhookURL: at, AccountSID: account, AuthToken: token, From: "+14155550100", To: number,
			StatusCallbackURL: status, REST: rest, Program: program, MaxDuration: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		r := c.Wait(t.Context())
		if len(r.Violations) > 0 || r.GaveUp != "" {
			t.Errorf("the call: gave up on %q, violations %v", r.GaveUp, r.Violations)
		}
		return r
	}
	n, _ := rest.Number(number)
	if r := dial(n.VoiceURL, n.StatusCallback, phone.WaitForAgent(20*time.Second), phone.Hangup()); len(r.Streams) != 1 || r.Failure != nil {
		t.Errorf("the call: %d streams, %+v", len(r.Streams), r.Failure)
	}
	ask(t, "PATCH", s.url+"/api/v1/phone-numbers/"+one["id"].(string), key, `{"agentId":null}`)
	if now, _ := rest.Number(number); now.VoiceURL != "" || now.StatusCallback != "" || now.VoiceFallbackURL != "" {
		t.Errorf("released, but %+v", now)
	}
	if r := dial(n.VoiceURL, n.StatusCallback); len(r.Streams) != 0 || len(r.Notices) != 1 || !strings.Contains(r.Notices[0], "not in service") {
		t.Errorf("a call to a number without an agent: %d streams, notices %q", len(r.Streams), r.Notices)
	}
	if strings.Contains(s.out.String()+s.err.String(), token) {
		t.Error("the token is in the log")
	}
}

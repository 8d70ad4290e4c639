package call

import (
	"context"
	"net/url"
	"strings"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/twilio"
)

// Form parameters that only our own simulated phone sends. They count because the signature covers them.
const (
	FormTest     = "ParleyTest"     // "true": the conversation is a test
	FormTestCall = "ParleyTestCall" // id of the prepared test call, usable once
)

// testCaller is the number that a simulated phone calls from: Twilio's own valid test number.
const testCaller = "+15005550006"

// TestCall is one ready-signed webhook request. Form holds single values.
type TestCall struct {
	ID        string            `json:"id"`
	URL       string            `json:"url"`
	Form      map[string]string `json:"form"`
	Signature string            `json:"signature"`
}

// NewTestCall signs the webhook of a simulated call to an agent, or to a dialed address, of the organization.
// Once KeepTestCall has stored it, it can be used once within 30 s. Exactly one of agentID and to must be given.
func (s *Service) NewTestCall(ctx context.Context, orgID, agentID, to string) (TestCall, error) {
	if (agentID == "") == (to == "") {
		return TestCall{}, parley.Invalid([]parley.FieldError{{Field: "agentId", Message: `give either "agentId" or "to"`}})
	}
	if agentID != "" {
		if _, err := s.st.FindAgent(ctx, orgID, agentID); err != nil {
			return TestCall{}, err
		}
		to = parley.ClientAddressPrefix + agentID
	} else if route, err := s.Route(ctx, to); err != nil {
		return TestCall{}, err
	} else if route.OrgID != orgID || route.Agent == nil {
		return TestCall{}, parley.Errorf(parley.CodeNotFound, "No agent answers this number")
	}
	account, err := s.Account(ctx, orgID)
	if err != nil {
		return TestCall{}, err
	}
	id := parley.NewID()
	t := TestCall{ID: id, URL: s.opt.PublicURL + "/twilio/voice", Form: map[string]string{
		"CallSid": testCallSID(id), "AccountSid": accountSID(account), "From": testCaller, "To": to,
		"Caller": testCaller, "Called": to, "CallStatus": "ringing", "Direction": "inbound", "ApiVersion": "2010-04-01",
		FormTest: "true", FormTestCall: id,
	}}
	t.Signature = twilio.Sign(account.Token, t.URL, values(t.Form))
	return t, nil
}

// KeepTestCall stores the right to place a test call, in the caller's transaction.
func (s *Service) KeepTestCall(ctx context.Context, tx *store.Tx, orgID string, t TestCall) error {
	return tx.CreateTestCall(ctx, orgID, t.ID, testCallSID(t.ID), time.Now().Add(testCallLife))
}

// UseTestCall uses up a prepared test call; forbidden when it was used or has expired.
func (s *Service) UseTestCall(ctx context.Context, orgID, id, callSID string) error {
	err := s.st.Write(ctx, func(tx *store.Tx) error { return tx.UseTestCall(ctx, orgID, id, callSID, time.Now()) })
	if parley.IsNotFound(err) {
		return parley.Errorf(parley.CodeForbidden, "This test call has been used or has expired: prepare a new one")
	}
	return err
}

// SignTestCall signs a further webhook of a running test call: the simulated phone has no token of its own.
// Only URLs under /twilio/ and forms of that very call are signed.
func (s *Service) SignTestCall(ctx context.Context, orgID, id, address string, form map[string]string) (string, error) {
	if !strings.HasPrefix(address, s.opt.PublicURL+"/twilio/") {
		return "", parley.Invalid([]parley.FieldError{{Field: "url", Message: "must be a /twilio/ URL of this server"}})
	}
	if !parley.IsID(id) || form["CallSid"] != testCallSID(id) {
		return "", parley.Errorf(parley.CodeNotFound, "Test call not found")
	}
	c, err := s.st.FindCallBySID(ctx, form["CallSid"])
	if err != nil || c.OrgID != orgID || !c.Test || time.Since(c.UpdatedAt) > time.Hour {
		return "", parley.Errorf(parley.CodeNotFound, "Test call not found")
	}
	if form["AccountSid"] != c.AccountSID {
		return "", parley.Invalid([]parley.FieldError{{Field: "form.AccountSid", Message: "must be the call's account"}})
	}
	account, err := s.Account(ctx, orgID)
	if err != nil {
		return "", err
	}
	return twilio.Sign(account.Token, address, values(form)), nil
}

// testCallSID derives the CallSid from the test call's id: both are 32 hex digits.
func testCallSID(id string) string { return "CA" + strings.ReplaceAll(id, "-", "") }

// accountSID gives an account without a configured SID a well-formed one.
func accountSID(a Account) string {
	if a.SID != "" {
		return a.SID
	}
	return "AC" + strings.Repeat("0", 32)
}

func values(form map[string]string) url.Values {
	v := url.Values{}
	for name, value := range form {
		v.Set(name, value)
	}
	return v
}

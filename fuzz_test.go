package parley_test

import (
	"encoding/json"
	"math/big"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"parley"
)

// FuzzAgentInput: whatever arrives, the answer is an agent within its bounds or a CodeInvalid error. Sending
// the same again changes nothing, and what was accepted is accepted again when it is written as JSON.
func FuzzAgentInput(f *testing.F) {
	for _, s := range []string{
		`{"name":"A","type":"voice","config":{"speed":1.2,"timeout":null},"toolIds":["current_time"],"phoneNumbers":["+123"]}`,
		`{"name":"A","type":"chat","config":{"allowedDomains":["*.example.com","localhost:1"],"suggestions":["a"],"dailyMessageLimit":3}}`,
		`{"name":"\u0000","name":"b"}`, `{"name":"\ud83d\ude00","type":"voice","instructions":"\ud800"}`, `{"name":"\u0085","type":"chat","config":{"title":"\\ud800"}}`, `{"config":{"language":"a-b"}}`, "\xff", `[[[[`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := parley.ParseInput(body)
		if err == nil {
			var a parley.Agent
			if a, _, err = parley.NewAgent("org", in, time.Unix(1, 0)); err == nil {
				checkBounds(t, a)
				checkStable(t, a, body)
				checkRoundTrip(t, a)
			}
		}
		if err != nil && parley.ErrorCode(err) != parley.CodeInvalid {
			t.Fatalf("error %v has code %s", err, parley.ErrorCode(err))
		}
	})
}

func checkBounds(t *testing.T, a parley.Agent) {
	t.Helper()
	if n := len([]rune(a.Name)); n < 1 || n > parley.MaxAgentName || strings.ContainsRune(a.Name, 0) {
		t.Fatalf("name of %d characters", n)
	}
	if (a.Voice == nil) == (a.Chat == nil) || a.Model == "" {
		t.Fatalf("agent %+v", a)
	}
	if v := a.Voice; v != nil && (v.Speed < 0.5 || v.Speed > 2 || v.Timeout < 0 || v.MaxDuration < 1 || v.InterruptionThreshold < 0 || v.InterruptionThreshold > 1) {
		t.Fatalf("voice config %+v", *v)
	}
	for _, n := range a.PhoneNumbers {
		if !parley.IsE164(n) {
			t.Fatalf("phone number %q", n)
		}
	}
}

// checkStable sends the body again as an update.
func checkStable(t *testing.T, a parley.Agent, body []byte) {
	t.Helper()
	in, err := parley.ParseInput(body)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := a.Apply(in, a.UpdatedAt)
	b.Revision = a.Revision // each change counts, an empty one too
	if err != nil || !reflect.DeepEqual(a, b) {
		t.Fatalf("the same again: %v\n%+v\n%+v", err, a, b)
	}
}

// checkRoundTrip sends every value of the agent, as JSON writes it.
func checkRoundTrip(t *testing.T, a parley.Agent) {
	t.Helper()
	all := map[string]any{"name": a.Name, "type": a.Type, "status": a.Status, "model": a.Model, "instructions": a.Instructions, "toolIds": a.ToolIDs}
	if a.Voice != nil {
		all["config"], all["phoneNumbers"] = a.Voice, a.PhoneNumbers
	} else {
		all["config"] = a.Chat
	}
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	checkStable(t, a, body)
}

// Independent descriptions of what the hand-written parsers accept.
var (
	e164     = regexp.MustCompile(`^\+[1-9][0-9]{1,14}\z`)
	color    = regexp.MustCompile(`^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})\z`)
	language = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*\z`)
	uuid     = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z`)
	visible  = regexp.MustCompile(`[^\s\v\x{a0}\x{feff}\x{2028}\x{2029}\p{Zs}]`)
	domain   = regexp.MustCompile(parley.DomainPattern)
)

// FuzzText: the parsers of small texts accept exactly what these patterns say, which are also the document's.
func FuzzText(f *testing.F) {
	for _, s := range []string{"+358401234567", "+1", "+0", "#3B82F6", "#38f", "en", "pt-BR", "en-", "550e8400-e29b-41d4-a716-446655440000", " \u00a0\ufeff", "\u0085",
		"example.com", "*.example.com", "*.1a", "localhost:3000", "[::1]:65535", "[::ffff:1.2.3.4]", "[fe80::1%25eth0]", "1.2.3.4:0", "a..b", "a_.b-c", "x:080", "[1:2:3:4:5:6:7::]", "*.bücher.例え", "\u3000", "a\u2003.b", "\u1680"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		agree(t, "IsE164", s, parley.IsE164(s), e164.MatchString(s))
		agree(t, "IsColor", s, parley.IsColor(s), color.MatchString(s))
		agree(t, "IsID", s, parley.IsID(s), uuid.MatchString(s))
		agree(t, "IsBlank", s, parley.IsBlank(s), !visible.MatchString(s))
		if id, ok := parley.AgentOfAddress(s); ok && s != parley.ClientAddressPrefix+id {
			t.Errorf("AgentOfAddress(%q) = %q", s, id)
		}
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return
		}
		text, _ := json.Marshal(s)
		_, _, err := create(`{"name":"A","type":"chat","config":{"allowedDomains":[` + string(text) + `]}}`)
		agree(t, "domain", s, err == nil, domain.MatchString(s) && utf8.RuneCountInString(s) <= parley.MaxDomain)
		_, _, err = create(`{"name":"A","type":"voice","config":{"language":` + string(text) + `}}`)
		agree(t, "language", s, err == nil, language.MatchString(s) && len(s) <= 35)
	})
}

func agree(t *testing.T, what, s string, got, want bool) {
	t.Helper()
	if got != want {
		t.Errorf("%s(%q) = %t, its pattern says %t", what, s, got, want)
	}
}

// FuzzWhole: an integer is accepted exactly when the number is one, however it is written.
func FuzzWhole(f *testing.F) {
	for _, s := range []string{"0", "-0", "30.0", "3e1", "3000e-2", "1e-400", "0e99999999999999999999", "0.5e1", "5.00", "12E+1", "1e-1", "10e-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !json.Valid([]byte(s)) || strings.Trim(s, "-+.eE0123456789") != "" || len(s) > 40 {
			return
		}
		x, ok := new(big.Float).SetPrec(2_000).SetString(s)
		_, power, _ := strings.Cut(strings.ToLower(s), "e")
		if n, err := strconv.Atoi(power); !ok || power != "" && (err != nil || n < -500 || n > 500) {
			return // out of the reference's reach
		}
		_, _, err := create(`{"name":"A","type":"voice","config":{"timeout":` + s + `}}`)
		agree(t, "whole", s, err == nil, x.IsInt() && x.Sign() >= 0 && x.Cmp(big.NewFloat(parley.MaxTimeout)) <= 0)
	})
}

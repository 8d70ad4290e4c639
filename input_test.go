package parley_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"parley"
)

func TestParseInputIsStrict(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ body, want string }{ // want: part of the message, "" = accepted
		"object":               {`{"a":1}`, ""},
		"white space":          {" {\n} ", ""},
		"empty":                {"", "not complete"},
		"cut off":              {`{"a":`, "not complete"},
		"array":                {`[]`, "must be a JSON object"},
		"null":                 {`null`, "must be a JSON object"},
		"string":               {`"a"`, "must be a JSON object"},
		"not json":             {`{a:1}`, "not valid JSON"},
		"trailing object":      {`{}{}`, "something after"},
		"trailing text":        {`{} x`, "something after"},
		"duplicate":            {`{"a":1,"a":2}`, "a: appears twice"},
		"duplicate deep":       {`{"a":{"b":1,"b":2}}`, "a.b: appears twice"},
		"duplicate by escape":  {`{"a":1,"\u0061":2}`, "a: appears twice"},
		"same name elsewhere":  {`{"a":{"b":1},"b":2}`, ""},
		"bad utf-8":            {"{\"a\":\"\xff\"}", "UTF-8"},
		"nul":                  {`{"a":"\u0000"}`, "U+0000"},
		"nul in name":          {`{"\u0000":1}`, "U+0000"},
		"nul in list":          {`{"a":["x","\u0000"]}`, "a[1]"},
		"deep":                 {`{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "nested"},
		"comment":              {`{/*x*/}`, "not valid JSON"},
		"byte order mark":      {"\ufeff{}", "not valid JSON"},
		"number with plus":     {`{"a":+1}`, "not valid JSON"},
		"single quotes":        {`{'a':1}`, "not valid JSON"},
		"comma before the end": {`{"a":1,}`, "not valid JSON"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parley.ParseInput([]byte(c.body))
			if c.want == "" {
				if err != nil {
					t.Fatalf("ParseInput(%q) = %v, want acceptance", c.body, err)
				}
				return
			}
			if parley.ErrorCode(err) != parley.CodeInvalid || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("ParseInput(%q) = %v, want invalid_request with %q", c.body, err, c.want)
			}
		})
	}
}

// problems returns field → message of an error.
func problems(t *testing.T, err error) map[string]string {
	t.Helper()
	out := map[string]string{}
	if err == nil {
		return out
	}
	e, ok := errors.AsType[*parley.Error](err)
	if !ok {
		t.Fatalf("error %v is no *parley.Error", err)
	}
	for _, d := range e.Details {
		if d.Message == "" {
			t.Errorf("field %s has no message", d.Field)
		}
		out[d.Field] = d.Message
	}
	return out
}

func create(body string) (parley.Agent, []string, error) {
	in, err := parley.ParseInput([]byte(body))
	if err != nil {
		return parley.Agent{}, nil, err
	}
	return parley.NewAgent("org", in, time.Unix(1, 0))
}

func patch(t *testing.T, a parley.Agent, body string) (parley.Agent, []string, error) {
	t.Helper()
	in, err := parley.ParseInput([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return a.Apply(in, time.Unix(2, 0))
}

func TestNewAgentHasTheDefaultsOfTheContract(t *testing.T) {
	t.Parallel()
	v, warnings, err := create(`{"name":"A","type":"voice"}`)
	if err != nil || len(warnings) != 0 {
		t.Fatalf("create: %v, warnings %q", err, warnings)
	}
	if v.Status != parley.AgentActive || v.Model != "gpt-realtime-2025-08-28" || !reflect.DeepEqual(*v.Voice, parley.DefaultVoiceConfig()) || v.Chat != nil || v.PhoneNumbers == nil || v.ToolIDs == nil {
		t.Errorf("voice agent = %+v", v)
	}
	c, warnings, err := create(`{"name":"A","type":"chat"}`)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "allowedDomains") {
		t.Fatalf("create: %v, warnings %q, want the one about domains", err, warnings)
	}
	if c.Model != "gpt-4o" || c.Voice != nil || c.Chat.PrimaryColor != "#3B82F6" || c.Chat.DailyMessageLimit != nil {
		t.Errorf("chat agent = %+v", c)
	}
}

func TestEveryWrongFieldIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, _, err := create(`{"name":"","type":"voice","status":"on","model":"","instructions":5,"toolIds":[1],"phoneNumbers":["12"],"extra":1,
		"config":{"voice":"bob","speed":2.1,"interruptionThreshold":"x","timeout":1.5,"maxDuration":0,"greeting":null,"language":"!","transcription":1,
		"recording":"no","noiseReduction":"on","turnDetection":"vad","fallbackNumber":"112","theme":"dark"}}`)
	got := problems(t, err)
	want := []string{"name", "status", "model", "instructions", "toolIds[0]", "phoneNumbers[0]", "extra", "config.voice", "config.speed",
		"config.interruptionThreshold", "config.timeout", "config.maxDuration", "config.language", "config.transcription", "config.recording",
		"config.noiseReduction", "config.turnDetection", "config.fallbackNumber", "config.theme"}
	for _, f := range want {
		if got[f] == "" {
			t.Errorf("no problem reported for %s", f)
		}
	}
	if len(got) != len(want) {
		t.Errorf("problems = %v, want %d", got, len(want))
	}
}

func TestAgentFieldRules(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 255)
	cases := []struct{ body, field string }{ // field "" = accepted
		{`{"type":"voice"}`, "name"},
		{`{"name":"A"}`, "type"},
		{`{"name":"A","type":"robot"}`, "type"},
		{`{"name":"A","type":"robot","config":{"x":1}}`, "type"},
		{`{"name":"` + long + `","type":"voice"}`, ""},
		{`{"name":"` + long + `é","type":"voice"}`, "name"},
		{`{"name":"   ","type":"voice"}`, "name"},
		{`{"name":null,"type":"voice"}`, "name"},
		{`{"Name":"A","name":"A","type":"voice"}`, "Name"},
		{`{"name":"A","type":"voice","instructions":"` + strings.Repeat("x", 100_000) + `"}`, ""},
		{`{"name":"A","type":"voice","instructions":"` + strings.Repeat("x", 100_001) + `"}`, "instructions"},
		{`{"name":"A","type":"voice","config":null}`, "config"},
		{`{"name":"A","type":"voice","config":[]}`, "config"},
		{`{"name":"A","type":"voice","config":{"speed":0.5}}`, ""},
		{`{"name":"A","type":"voice","config":{"speed":0.49}}`, "config.speed"},
		{`{"name":"A","type":"voice","config":{"speed":1e400}}`, "config.speed"},
		{`{"name":"A","type":"voice","config":{"speed":"1"}}`, "config.speed"},
		{`{"name":"A","type":"voice","config":{"interruptionThreshold":1}}`, ""},
		{`{"name":"A","type":"voice","config":{"interruptionThreshold":1.01}}`, "config.interruptionThreshold"},
		{`{"name":"A","type":"voice","config":{"timeout":0}}`, ""},
		{`{"name":"A","type":"voice","config":{"timeout":30.0}}`, ""},
		{`{"name":"A","type":"voice","config":{"timeout":3e1}}`, ""},
		{`{"name":"A","type":"voice","config":{"timeout":-0.0}}`, ""},
		{`{"name":"A","type":"voice","config":{"timeout":3000e-2}}`, ""},
		{`{"name":"A","type":"voice","config":{"timeout":1e-400}}`, "config.timeout"},
		{`{"name":"A","type":"voice","config":{"timeout":5.00000000000000000001}}`, "config.timeout"},
		{`{"name":"A","type":"voice","config":{"timeout":1e-999999999}}`, "config.timeout"},
		{`{"name":"A","type":"voice","config":{"timeout":-1}}`, "config.timeout"},
		{`{"name":"A","type":"voice","config":{"timeout":99999999999999999999}}`, "config.timeout"},
		{`{"name":"A","type":"voice","config":{"maxCost":0.5}}`, ""},
		{`{"name":"A","type":"voice","config":{"maxCost":null}}`, ""},
		{`{"name":"A","type":"voice","config":{"maxCost":0}}`, "config.maxCost"},
		{`{"name":"A","type":"voice","config":{"maxCost":1000.01}}`, "config.maxCost"},
		{`{"name":"A","type":"voice","config":{"maxCost":"0.50"}}`, "config.maxCost"},
		{`{"name":"A","type":"chat","config":{"maxCost":1}}`, "config.maxCost"},
		{`{"name":"A","type":"voice","config":{"language":"pt-BR"}}`, ""},
		{`{"name":"A","type":"voice","config":{"fallbackNumber":"+358401234567"}}`, ""},
		{`{"name":"A","type":"voice","phoneNumbers":["+1234567890"]}`, ""},
		{`{"name":"A","type":"voice","phoneNumbers":null}`, "phoneNumbers"},
		{`{"name":"A","type":"chat","phoneNumbers":[]}`, "phoneNumbers"},
		{`{"name":"A","type":"chat","config":{"primaryColor":"#abc"}}`, ""},
		{`{"name":"A","type":"chat","config":{"primaryColor":"#abcd"}}`, "config.primaryColor"},
		{`{"name":"A","type":"chat","config":{"primaryColor":"red"}}`, "config.primaryColor"},
		{`{"name":"A","type":"chat","config":{"suggestions":["1","2","3","4","5","6"]}}`, ""},
		{`{"name":"A","type":"chat","config":{"suggestions":["1","2","3","4","5","6","7"]}}`, "config.suggestions"},
		{`{"name":"A","type":"chat","config":{"theme":"auto","position":"top-left"}}`, ""},
		{`{"name":"A","type":"chat","config":{"voice":"sage"}}`, "config.voice"},
		{`{"name":"A","type":"chat","config":{"dailyMessageLimit":-1}}`, "config.dailyMessageLimit"},
		{`{"name":"A","type":"chat","config":{"dailyMessageLimit":10}}`, ""},
		{`{"name":"A","type":"voice","id":"x"}`, "id"},
	}
	for _, c := range cases {
		_, _, err := create(c.body)
		got := problems(t, err)
		if c.field == "" && len(got) > 0 || c.field != "" && (len(got) != 1 || got[c.field] == "") {
			t.Errorf("create(%.90s) problems = %v, want %q only", c.body, got, c.field)
		}
	}
}

func TestDomainEntries(t *testing.T) {
	t.Parallel()
	good := []string{"example.com", "*.example.com", "localhost", "localhost:3000", "example.com:8443", "xn--bcher-kva.example", "127.0.0.1:5000", "[::1]:3000", "EXAMPLE.com", "bücher.example", "*.例え.テスト:8443"}
	bad := []string{"", "*", "*.*.com", "a.*.com", "exa*mple.com", "https://example.com", "example.com/path", "example.com?", "user@example.com",
		"example.com:", "example.com:0", "example.com:99999", "example.com:80a", "-a.com", "a..com", "example.com.", "bü cher.example", "bücher\u3000.example", "💶.example", "a b.com", "*.127.0.0.1", "[::1", "::1"}
	for _, d := range good {
		if _, _, err := create(`{"name":"A","type":"chat","config":{"allowedDomains":["` + d + `"]}}`); err != nil {
			t.Errorf("domain %q refused: %v", d, err)
		}
	}
	for _, d := range bad {
		_, _, err := create(`{"name":"A","type":"chat","config":{"allowedDomains":["` + d + `"]}}`)
		if got := problems(t, err); got["config.allowedDomains[0]"] == "" {
			t.Errorf("domain %q accepted: %v", d, got)
		}
	}
}

func TestPatchMergesByKey(t *testing.T) {
	t.Parallel()
	a, _, err := create(`{"name":"A","type":"voice","config":{"voice":"ash","speed":1.2,"language":"fi"},"toolIds":["current_time"],"phoneNumbers":["+123"]}`)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := patch(t, a, `{"config":{"speed":null,"language":null,"timeout":5}}`)
	if err != nil {
		t.Fatal(err)
	}
	if b.Voice.Voice != "ash" || b.Voice.Speed != 1 || b.Voice.Language != nil || b.Voice.Timeout != 5 {
		t.Errorf("merged config = %+v", *b.Voice)
	}
	if a.Voice.Speed != 1.2 {
		t.Error("Apply changed its receiver")
	}
	if len(b.ToolIDs) != 1 || len(b.PhoneNumbers) != 1 || b.Name != "A" {
		t.Errorf("absent members did not keep their value: %+v", b)
	}
	if b, _, _ = patch(t, a, `{"toolIds":[],"phoneNumbers":[]}`); len(b.ToolIDs) != 0 || len(b.PhoneNumbers) != 0 {
		t.Errorf("[] did not clear: %+v", b)
	}
	if _, _, err = patch(t, a, `{"type":"voice"}`); err != nil {
		t.Errorf("the same type again: %v", err)
	}
	if _, _, err = patch(t, a, `{"type":"chat"}`); problems(t, err)["type"] == "" {
		t.Errorf("changing the type: %v", err)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	cases := []struct {
		body string
		want string // part of the only warning; "" = none
	}{
		{`{"name":"A","type":"voice","config":{"speed":1.5}}`, ""},
		{`{"name":"A","type":"voice","config":{"speed":1.6}}`, "config.speed"},
		{`{"name":"A","type":"voice","model":"gpt-4o"}`, "chat model"},
		{`{"name":"A","type":"voice","model":"gpt-realtime-2.1"}`, ""},
		{`{"name":"A","type":"voice","model":"my-own"}`, "my-own"},
		{`{"name":"A","type":"chat","model":"gpt-realtime","config":{"allowedDomains":["a.com"]}}`, "realtime model"},
		{`{"name":"A","type":"chat","model":"gpt-3.5-turbo","config":{"allowedDomains":["a.com"]}}`, ""},
		{`{"name":"A","type":"chat","model":"llama","config":{"allowedDomains":["a.com"]}}`, ""},
	}
	for _, c := range cases {
		_, w, err := create(c.body)
		if err != nil {
			t.Errorf("create(%s): %v", c.body, err)
		}
		if c.want == "" && len(w) > 0 || c.want != "" && (len(w) != 1 || !strings.Contains(w[0], c.want)) {
			t.Errorf("create(%s) warnings = %q, want %q", c.body, w, c.want)
		}
	}
	chat, _, _ := create(`{"name":"A","type":"chat","config":{"allowedDomains":["a.com"]}}`)
	if _, w, _ := patch(t, chat, `{"config":{"allowedDomains":[]}}`); len(w) != 1 {
		t.Errorf("emptying the domains warns %q", w)
	}
	open, _, _ := create(`{"name":"A","type":"chat"}`)
	if _, w, _ := patch(t, open, `{"name":"B"}`); len(w) != 0 {
		t.Errorf("a patch of something else warns %q", w)
	}
}

func TestUnknownToolsAreDroppedAndRepeatedOnesCountOnce(t *testing.T) {
	t.Parallel()
	a, _, err := create(`{"name":"A","type":"voice","toolIds":["current_time","x","current_time"]}`)
	if err != nil || len(a.ToolIDs) != 2 {
		t.Fatalf("toolIds = %q, %v", a.ToolIDs, err)
	}
	clock, _ := parley.BuiltinTool("current_time")
	w := a.KeepTools(map[string]parley.Tool{"current_time": clock})
	if len(a.ToolIDs) != 1 || a.ToolIDs[0] != "current_time" || len(w) != 1 || !strings.Contains(w[0], `"x"`) {
		t.Errorf("kept %q, warnings %q", a.ToolIDs, w)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"https://www.example.com": "https://www.example.com", "https://WWW.Example.com:443": "https://www.example.com",
		"https://a.example:8443": "https://a.example:8443", "http://localhost:3000": "http://localhost:3000", "http://localhost:80": "http://localhost",
		"http://127.0.0.1": "http://127.0.0.1", "https://[2001:db8::1]": "https://[2001:db8::1]", "http://[::1]:8080": "http://[::1]:8080",
		"http://example.com": "", "https://example.com/": "", "https://*.example.com": "", "null": "", "*": "", "": "", "https://": "",
		"https://a.example:0": "", "https://u@a.example": "", "https://a.example?x": "", "https://a.example\n": "", "file://": "",
	} {
		in, err := parley.ParseInput(fmt.Appendf(nil, `{"origin":%q}`, given))
		if err != nil {
			t.Fatal(err)
		}
		var got string
		in.Origin("origin", &got)
		if err := in.Done(); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", given, got, err, want)
		}
	}
}

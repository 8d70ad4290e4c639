package parley_test

import (
	"errors"
	"strings"
	"testing"

	"parley"
)

func TestPricesOfUsage(t *testing.T) {
	t.Parallel()
	p := parley.BuiltinPrices()
	voice := parley.Usage{InputTextTokens: 1000, CachedTextTokens: 400, InputAudioTokens: 2000, CachedAudioTokens: 500, OutputTextTokens: 100, OutputAudioTokens: 300}
	type priced func() (int64, string)
	response := func(model string, u parley.Usage) priced {
		return func() (int64, string) { return p.Response(model, u) }
	}
	transcript := func(model string, u parley.Usage) priced {
		return func() (int64, string) { return p.Transcript(model, u) }
	}
	minutes := func(direction, number string, n int64) priced {
		return func() (int64, string) { return p.Minutes(direction, number, n) }
	}
	cases := map[string]struct {
		price   priced
		cost    int64
		unknown bool
	}{
		"speech":                  {response("gpt-realtime", voice), 2400 + 160 + 48_000 + 200 + 1600 + 19_200, false},
		"text":                    {response("gpt-4o-mini", parley.Usage{InputTextTokens: 1_000_000, OutputTextTokens: 1_000_000}), 750_000, false},
		"rounds to the nearest":   {response("gpt-4o-mini", parley.Usage{InputTextTokens: 3}), 0, false},
		"unknown model":           {response("somebody-elses", voice), 0, true},
		"transcription by tokens": {transcript("gpt-4o-mini-transcribe", parley.Usage{TranscriptionTokens: 130, TranscriptionText: 10, TranscriptionOutput: 20}), 413, false},
		"tokens without a kind":   {transcript("gpt-4o-mini-transcribe", parley.Usage{TranscriptionTokens: 100}), 300, false},
		"transcription by time":   {transcript("whisper-1", parley.Usage{TranscriptionSeconds: 90}), 9000, false},
		"unknown transcription":   {transcript("whisper-9", parley.Usage{TranscriptionSeconds: 90}), 0, true},
		"call from the US":        {minutes("inbound", "+14155550100", 3), 37_500, false},
		"toll-free number":        {minutes("inbound", "+18005550100", 1), 26_000, false},
		"call to the US":          {minutes("outbound", "+14155550100", 2), 36_000, false},
		"call of a program":       {minutes("inbound", "client:agent-x", 1), 8000, false},
		"number without a price":  {minutes("inbound", "+358401234567", 1), 0, true},
	}
	for name, c := range cases {
		cost, version := c.price()
		if cost != c.cost || (version == "") != c.unknown || version != "" && version != parley.PriceVersion {
			t.Errorf("%s: %d %q, want %d", name, cost, version, c.cost)
		}
	}
}

func TestPriceFileChangesAndExtends(t *testing.T) {
	t.Parallel()
	p, err := parley.ParsePrices([]byte(`{"version":"ours","models":{"gpt-4o":{"textInput":1},"house":{"textInput":2,"textOutput":3,"audioInput":4,"audioOutput":5},"gpt-4":null},
		"transcription":{"ours":{"perMinute":0.01}},"carrier":{"streamPerMinute":0,"inbound":{"*":0.01,"+44":0.02,"+1":null},"outbound":{"+4":0.5,"+49":0.6}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if m := p.Models["gpt-4o"]; m.TextInput != 1 || m.CachedTextInput != 1.25 || m.TextOutput != 10 {
		t.Errorf("changed one price: %+v", m)
	}
	if m := p.Models["house"]; m.CachedTextInput != 2 || m.CachedAudioInput != 4 {
		t.Errorf("new model: %+v", m)
	}
	if _, ok := p.Models["gpt-4"]; ok || len(p.Models) != len(parley.BuiltinPrices().Models) {
		t.Errorf("models %v", p.Models)
	}
	for number, want := range map[string]int64{"+14155550100": 10_000, "+447700900000": 20_000, "client:agent-x": 4000} {
		if cost, _ := p.Minutes("inbound", number, 1); cost != want {
			t.Errorf("a minute from %s costs %d, want %d", number, cost, want)
		}
	}
	if cost, _ := p.Minutes("outbound", "+4930123456", 1); cost != 600_000 {
		t.Errorf("the longest prefix does not win: %d", cost)
	}
	if _, version := p.Response("house", parley.Usage{}); !strings.HasPrefix(version, "ours+") || version != p.Version {
		t.Errorf("version %q", version)
	}
}

// TestPriceFileRoundTrip is what an operator does: print the table, edit it, load it.
func TestPriceFileRoundTrip(t *testing.T) {
	t.Parallel()
	builtin := parley.BuiltinPrices()
	same, err := parley.ParsePrices(builtin.Encode())
	if err != nil || same.Version != parley.PriceVersion {
		t.Fatalf("the built-in table, printed and read: %q, %v", same.Version, err)
	}
	edited := strings.Replace(string(builtin.Encode()), `"textInput": 2.5,`, `"textInput": 2.75,`, 1)
	first, err := parley.ParsePrices([]byte(edited))
	if err != nil || !strings.HasPrefix(first.Version, parley.PriceVersion+"+") {
		t.Fatalf("a price was changed and the version forgotten: %q, %v", first.Version, err)
	}
	second, err := parley.ParsePrices(first.Encode())
	if err != nil || second.Version != first.Version {
		t.Errorf("printed again: %q, was %q, %v", second.Version, first.Version, err)
	}
}

func TestPriceFileNamesEveryWrongField(t *testing.T) {
	t.Parallel()
	_, err := parley.ParsePrices([]byte(`{"version":"","modells":{},"models":{"a":{"textInput":-1,"textOutput":"x","audio":1},"b":{"audioInput":1},"c":7},
		"transcription":{"d":{}},"carrier":{"perMinute":1,"inbound":{"49":1,"+49":-1},"outbound":[]}}`))
	if parley.ErrorCode(err) != parley.CodeInvalid {
		t.Fatal(err)
	}
	wrong := map[string]bool{}
	var failure *parley.Error
	errors.As(err, &failure)
	for _, d := range failure.Details {
		wrong[d.Field] = true
	}
	for _, field := range []string{"version", "modells", "models.a.textInput", "models.a.textOutput", "models.a.audio", "models.b.textInput", "models.b.textOutput",
		"models.b.audioOutput", "models.c", "transcription.d.audioInput", "carrier.perMinute", "carrier.inbound.49", "carrier.inbound.+49", "carrier.outbound"} {
		if !wrong[field] {
			t.Errorf("%s is not named in %v", field, err)
		}
		delete(wrong, field)
	}
	if len(wrong) > 0 {
		t.Errorf("named, but not wrong: %v", wrong)
	}
}

package parley_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"parley"
)

func voiceAgent(t *testing.T, targets string) (parley.Agent, []string) {
	t.Helper()
	a, warnings, err := create(`{"name":"A","type":"voice","toolIds":["transfer_call"],"config":{"transferTargets":` + targets + `}}`)
	if err != nil {
		t.Fatal(err)
	}
	return a, warnings
}

func TestTransferTargets(t *testing.T) {
	t.Parallel()
	a, warnings := voiceAgent(t, `[{"name":" Sales ","number":"+15550100009"},{"name":"Dr. Müller","number":"+491701234567","description":"Medical questions.","mode":"screened"}]`)
	if len(warnings) != 0 {
		t.Errorf("warnings %q", warnings)
	}
	if got, ok := a.Voice.Target("sales "); !ok || got.Number != "+15550100009" || got.Mode != parley.TransferCold {
		t.Errorf("target %+v, %v", got, ok)
	}
	for _, name := range []string{"", "+15550100009", "Sale", "Support"} {
		if got, ok := a.Voice.Target(name); ok {
			t.Errorf("%q is taken for %+v", name, got)
		}
	}
	a.Voice.FallbackNumber = new(string)
	if b, _, err := patch(t, a, `{"config":{"transferTargets":null}}`); err != nil || b.Voice.TransferTargets == nil || len(b.Voice.TransferTargets) != 0 || len(a.Voice.TransferTargets) != 2 {
		t.Errorf("reset: %+v, %v", b.Voice, err)
	}
}

func TestTransferTargetsAreChecked(t *testing.T) {
	t.Parallel()
	for targets, field := range map[string]string{
		`{}`:                                     "config.transferTargets",
		`["x"]`:                                  "config.transferTargets[0]",
		`[null]`:                                 "config.transferTargets[0]",
		`[{"number":"+15550100009"}]`:            "config.transferTargets[0].name",
		`[{"name":" ","number":"+15550100009"}]`: "config.transferTargets[0].name",
		`[{"name":"A"}]`:                         "config.transferTargets[0].number",
		`[{"name":"A","number":"0401234567"}]`:   "config.transferTargets[0].number",
		`[{"name":"A","number":"+15550100009","mode":"hot"}]`:                     "config.transferTargets[0].mode",
		`[{"name":"A","number":"+15550100009","url":"x"}]`:                        "config.transferTargets[0].url",
		`[` + strings.Repeat(`{"name":"A","number":"+15550100009"},`, 20) + `{}]`: "config.transferTargets",
	} {
		_, _, err := create(`{"name":"A","type":"voice","config":{"transferTargets":` + targets + `}}`)
		var e *parley.Error
		if !errors.As(err, &e) || !slices.ContainsFunc(e.Details, func(d parley.FieldError) bool { return d.Field == field }) {
			t.Errorf("%s: %v, want %s named", targets, err, field)
		}
	}
}

func TestTransferWarnings(t *testing.T) {
	t.Parallel()
	if _, w := voiceAgent(t, `[]`); len(w) != 1 || !strings.Contains(w[0], "transferTargets") {
		t.Errorf("no targets: %q", w)
	}
	a, _ := voiceAgent(t, `[{"name":"A","number":"+15550100009"}]`)
	for body, want := range map[string]int{
		`{"name":"B"}`:                           0,
		`{"config":{"transferTargets":[]}}`:      1,
		`{"toolIds":[],"config":{"speed":1}}`:    1,
		`{"toolIds":[],"config":{"speed":null}}`: 1,
		`{"toolIds":[]}`:                         0,
		`{"config":{"transferTargets":[{"name":"A","number":"+15550100009"},{"name":"a ","number":"+15550100008"}]}}`: 1,
	} {
		if _, w, err := patch(t, a, body); err != nil || len(w) != want {
			t.Errorf("%s: %q, %v", body, w, err)
		}
	}
}

// TestTransferIsOfferedByName: the model sees the agent's names, and never a number.
func TestTransferIsOfferedByName(t *testing.T) {
	t.Parallel()
	tool, _ := parley.BuiltinTool(parley.ToolTransferCall)
	empty, _ := voiceAgent(t, `[]`)
	if _, ok := tool.ForAgent(empty); ok {
		t.Error("offered without targets")
	}
	for targets, summary := range map[string]bool{
		`[{"name":"Sales","number":"+15550100009","description":"Prices."}]`:                                                                      false,
		`[{"name":"Sales","number":"+15550100009","description":"Prices."},{"name":"Desk","number":"+15550100008","mode":"warm"}]`:                true,
		`[{"name":"Sales","number":"+15550100009","mode":"screened","description":"Prices."},{"name":"D","number":"+15550100008","mode":"warm"}]`: true,
	} {
		a, _ := voiceAgent(t, targets)
		offered, ok := tool.ForAgent(a)
		var schema struct {
			Properties map[string]struct {
				Enum        []string
				Description string
			}
			Required             []string
			AdditionalProperties *bool
		}
		if err := json.Unmarshal(offered.Parameters, &schema); err != nil || !ok {
			t.Fatalf("%s: %v, %v", offered.Parameters, err, ok)
		}
		names := schema.Properties["target"].Enum
		if len(names) != len(a.Voice.TransferTargets) || names[0] != "Sales" || !strings.Contains(schema.Properties["target"].Description, "Prices.") {
			t.Errorf("schema %s", offered.Parameters)
		}
		if strings.Contains(string(offered.Parameters), "+1555") {
			t.Errorf("a number is shown: %s", offered.Parameters)
		}
		if _, has := schema.Properties["summary"]; has != summary || len(schema.Required) != len(schema.Properties) || schema.AdditionalProperties == nil || *schema.AdditionalProperties {
			t.Errorf("schema %s", offered.Parameters)
		}
	}
	chat, _, _ := create(`{"name":"A","type":"chat"}`)
	if _, ok := tool.ForAgent(chat); ok {
		t.Error("offered to a chat agent")
	}
}

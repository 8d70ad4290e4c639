package tool

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"parley/internal/spoken"
)

// collected is what collect_input answers.
type collected struct {
	Kind     spoken.Kind `json:"kind"`
	Value    *string     `json:"value"` // null: nothing usable
	Valid    bool        `json:"valid"`
	ReadBack string      `json:"readBack,omitempty"`
	SpellOut string      `json:"spellOut,omitempty"`
	Unclear  []string    `json:"unclear,omitempty"`
	Next     string      `json:"next"`
}

// What the model does with a reading.
const (
	collectConfirm = "Not confirmed yet. Speak readBack to the person, slowly, and ask whether it is right (spellOut, if they are not sure). Use value only after a clear yes. " +
		"If they correct it, call collect_input again with the whole corrected value."
	collectClarify = "Not confirmed yet. Ask about what is unclear, one question at a time, then call collect_input again with everything as the person said it. Do not use value before that."
	collectAgain   = "Nothing usable was understood. Ask the person to spell it slowly, then call collect_input again."
)

// collectInput normalizes what a person spelled, checks it, and says how to have it confirmed.
func (r *Runner) collectInput(_ context.Context, j job) (string, error) {
	var in struct {
		Kind     spoken.Kind `json:"kind"`
		Heard    string      `json:"heard"`
		Language string      `json:"language"`
		Country  string      `json:"country"`
	}
	if err := decodeArguments(j.arguments, &in); err != nil || !slices.Contains(spoken.Kinds, in.Kind) || strings.TrimSpace(in.Heard) == "" {
		return "", &argumentError{`send "kind" (email, name, phone, postal_code, customer_number or date) and "heard", everything exactly as the person said it; optionally "language" such as "de" and "country" such as "DE"`}
	}
	country := strings.ToUpper(in.Country)
	if country == "" {
		country = regionOf(j.CallerNumber)
	}
	if country != "" && !phonenumbers.GetSupportedRegions()[country] {
		return "", &argumentError{`"country" must be a code of two letters such as DE or US; leave it out if you do not know it`}
	}
	got := spoken.Read(spoken.Question{Kind: in.Kind, Heard: in.Heard, Language: in.Language, Country: country, Now: r.now()})
	out := collected{Kind: in.Kind, Valid: got.Valid, ReadBack: got.ReadBack, SpellOut: got.SpellOut, Unclear: got.Unclear, Next: collectConfirm}
	if got.Value != "" {
		out.Value = &got.Value
	}
	switch {
	case out.Value == nil:
		out.Next = collectAgain
	case !got.Valid:
		out.Next = collectClarify
	}
	return asData(out)
}

// regionOf is the country of the caller's own number, which is a good guess for numbers said without one.
func regionOf(number string) string {
	n, err := phonenumbers.Parse(number, "")
	if err != nil {
		return ""
	}
	if region := phonenumbers.GetRegionCodeForNumber(n); phonenumbers.GetSupportedRegions()[region] {
		return region
	}
	return ""
}

// asData writes an answer as JSON without escaping what only HTML must escape.
func asData(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

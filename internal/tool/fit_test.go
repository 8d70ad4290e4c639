package tool

import (
	"encoding/json"
	"strings"
	"testing"

	"parley"
)

func TestFitKeepsTheFrame(t *testing.T) {
	t.Parallel()
	http := parley.Tool{Kind: parley.ToolHTTP}
	for name, a := range map[string]answer{
		"text":       {data: strings.Repeat(`much "quoted" text `, 2000)},
		"JSON":       {data: `{"list":[` + strings.Repeat(`"item",`, 5000) + `1]}`},
		"our words":  {text: "The answer is larger than 1 MiB; this is its beginning.", data: strings.Repeat("x", 50_000)},
		"short":      {data: `{"a":1}`},
		"not framed": {text: strings.Repeat("words ", 1000), own: true},
	} {
		output, _ := frame(http, a, OutcomeOK)
		for _, limit := range []int{1000, 5000, 100_000} {
			got := Fit(output, limit)
			if len(got) > limit {
				t.Errorf("%s: %d bytes, at most %d", name, len(got), limit)
			}
			if framed := strings.HasPrefix(output, frameNote); framed && !json.Valid([]byte(got)) || len(output) <= limit && got != output {
				t.Errorf("%s within %d: %.80q … %q", name, limit, got, got[max(0, len(got)-40):])
			}
		}
	}
}

package tool

import (
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"parley"
)

func TestCalculator(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		"1+2":                      "3",
		" 0.1 + 0.2 ":              "0.3",
		"19.90 * 24%":              "4.776",
		"200 + 10%":                "200.1",
		"10% - 3":                  "-2.9",
		"50%%":                     "0.005",
		"7 % 3":                    "1",
		"-7 % 3":                   "2",
		"7 % (-3)":                 "-2",
		"7.5 % 2":                  "1.5",
		"2 + 3 * 4":                "14",
		"(2 + 3) * 4":              "20",
		"2^10":                     "1024",
		"2**10":                    "1024",
		"2^3^2":                    "512",
		"-2^2":                     "-4",
		"(-2)^2":                   "4",
		"2^-2":                     "0.25",
		"0^0":                      "1",
		"0^5":                      "0",
		"0^4":                      "0",
		"(-1)^99999999999":         "-1",
		"1^(-99999999999)":         "1",
		"--5":                      "5",
		"+5 - -5":                  "10",
		"1/3":                      "≈ 0.33333333333333333333",
		"2/3":                      "≈ 0.66666666666666666667",
		"1/3*3":                    "1",
		"1/8":                      "0.125",
		"10/4":                     "2.5",
		"1e3 + .5":                 "1000.5",
		"1.5e-3":                   "0.0015",
		"010":                      "10",
		"5.":                       "5",
		"3 × 4 ÷ 2 − 1":            "5",
		"sqrt(16)":                 "4",
		"sqrt(2.25)":               "1.5",
		"sqrt(2)":                  "≈ 1.4142135623730950488",
		"sqrt(2)^2":                "≈ 2",
		"sqrt(0)":                  "0",
		"sqrt(1e-600) * 1e300":     "1",
		"round(sqrt(2), 3)":        "1.414",
		"round(2.5)":               "3",
		"round(-2.5)":              "-3",
		"round(1234.567, -2)":      "1200",
		"round(0.125, 2)":          "0.13",
		"ROUND(1/3, 4)":            "0.3333",
		"abs(-3.5)":                "3.5",
		"min(3, 1, 2) + max(1,2)":  "3",
		"2^500 / 2^499":            "2",
		"2/3e40":                   "≈ 6.6666666666666666667e-41",
		"1/0":                      "The expression has no value: it divides by zero.",
		"5 % 0":                    "The expression has no value: it divides by zero.",
		"0^-1":                     "The expression has no value: it divides by zero.",
		"sqrt(-1)":                 "The expression has no value: it takes the square root of a negative number.",
		"round(1/3, 2) * 3 - 0.99": "0",
		"-0":                       "0",
	} {
		if got, err := calculate(expression); err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", expression, got, err, want)
		}
	}
}

func TestCalculatorRefuses(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{ // part of what the model reads
		"":                       "not complete",
		"1 +":                    "not complete",
		"(1":                     "not complete",
		"1)":                     `')' at character 2`,
		"()":                     `')' at character 2`,
		"1,000":                  "thousands separators",
		"1,000.50 * 2":           "thousands separators",
		"1 000":                  "thousands separators",
		"1'000":                  "thousands separators",
		"1_000":                  "thousands separators",
		"12,5 + 1":               "thousands separators",
		"max(1,234, 5)":          "thousands separators",
		"1.2.3":                  "not understood",
		"$5":                     `'$' at character 1`,
		"5 €":                    `'€' at character 3`,
		"x + 1":                  `"x" is not a number`,
		"15% of 80":              `"of" is not a number`,
		"eval(1)":                `no function "eval"`,
		"abs(1, 2)":              "so many arguments",
		"1 = 1":                  "no =",
		"2^0.5":                  "use sqrt",
		"2^(1/3)":                "whole number",
		"9^9^9":                  "616 digits",
		"((9^999)^999)^999":      "616 digits",
		"9^99999999999999999999": "616 digits",
		"1e1000 * 1e1000":        "616 digits",
		"1e1001":                 "exponent",
		"1e999999999999999999":   "exponent",
		"2e":                     "exponent",
		"round(1, 101)":          "-100 to 100",
		"round(1, 0.5)":          "-100 to 100",
		strings.Repeat("(", 100): "64 levels",
		strings.Repeat("-", 100): "64 levels",
		strings.Repeat("2^", 99): "64 levels",
		strings.Repeat("1", 501): "500 characters",
		"1+1; rm -rf /":          `';' at character 4`,
		"\u202e1":                "not understood",
	} {
		got, err := calculate(expression)
		bad, ok := errors.AsType[*argumentError](err)
		if !ok || !strings.Contains(bad.msg, want) {
			t.Errorf("%.40q = %q, %v, want an error with %q", expression, got, err, want)
		}
	}
}

func TestCalculatorThroughTheRunner(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]string{
		`{"expression":"1/0"}`: OutcomeOK, `{"expression":"6*7"}`: OutcomeOK, `{"expression":"x"}`: OutcomeInvalidArguments,
		`{}`: OutcomeInvalidArguments, `{"expression":null}`: OutcomeInvalidArguments, `{"expression":5}`: OutcomeInvalidArguments,
		`{"expression":"1","more":1}`: OutcomeInvalidArguments,
	} {
		if got := newRunner().Run(t.Context(), Call{Name: "calculator", Offered: builtins, Arguments: json.RawMessage(arguments)}); got.Outcome != want {
			t.Errorf("%s: %+v, want %s", arguments, got, want)
		}
	}
}

// TestEveryBuiltinToolRuns: each has a function, a valid schema and a usable name, and only they are offered.
func TestEveryBuiltinToolRuns(t *testing.T) {
	t.Parallel()
	r := newRunner()
	ids := []string{parley.NewID()} // an HTTP tool's
	for _, b := range parley.BuiltinTools() {
		ids = append(ids, b.ID)
		if (r.builtins[b.ID] == nil) != b.Control || CheckSchema(b.Parameters) != "" || !parley.IsFunctionName(b.FunctionName) || b.Kind != parley.ToolBuiltin || b.Access == "" || b.Description == "" || len(b.Description) > parley.MaxToolDescription {
			t.Errorf("%s is not complete", b.ID)
		}
	}
	runs := slices.DeleteFunc(parley.BuiltinTools(), func(b parley.Tool) bool { return b.Control })
	if len(r.builtins) != len(runs) {
		t.Errorf("%d functions for %d built-in tools that the runner runs", len(r.builtins), len(runs))
	}
	if got := r.Tools(t.Context(), "org", ids); len(got) != len(ids)-2 { // nor web_search, which is not set up
		t.Errorf("offered %d tools, want the built-in ones only", len(got))
	}
}

// BenchmarkCalculatorWorst measures the dearest expressions that the bounds allow.
func BenchmarkCalculatorWorst(b *testing.B) {
	for name, expression := range map[string]string{
		"powers":   strings.Repeat("(1/7)^720+", 49) + "1",
		"quotient": "3^1280/7^720" + strings.Repeat("/3^2/7*9", 60),
		"roots":    strings.Repeat("sqrt(3)+", 62)[:495] + "1",
		"halves":   "3^1280" + strings.Repeat("/7", 240),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = calculate(expression)
			}
		})
	}
}

// FuzzCalculator: whatever is asked, the answer is short, plain text, and what looks like an exact number is one.
func FuzzCalculator(f *testing.F) {
	for _, s := range []string{"1+2*(3-4)", "2^3^2%7", "sqrt(2)/max(1, 2)", "-1e-3%", "1,000", "((((", "round(1/3, 5)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		got, err := calculate(expression)
		if err != nil {
			if _, ok := errors.AsType[*argumentError](err); !ok {
				t.Fatalf("%q: error %T", expression, err)
			}
			return
		}
		number := strings.TrimPrefix(got, "≈ ")
		if _, ok := new(big.Rat).SetString(number); !ok && !strings.HasPrefix(got, "The expression has no value") || len(got) > 6000 {
			t.Fatalf("%q = %.100q (%d bytes)", expression, got, len(got))
		}
	})
}

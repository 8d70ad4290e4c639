package tool

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/goleak"

	"parley"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// builtins is what an agent with every built-in tool is offered.
var builtins = parley.BuiltinTools()

func newRunner() *Runner {
	at := time.Date(2026, 1, 1, 23, 30, 15, 999, time.UTC)
	return New(Options{Now: func() time.Time { return at }})
}

func TestCurrentTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ arguments, output, outcome string }{
		"no arguments":    {``, `{"utc":"2026-01-01T23:30:15Z","local":"2026-01-01T23:30:15Z","timezone":"UTC","weekday":"Thursday"}`, OutcomeOK},
		"empty object":    {`{}`, `{"utc":"2026-01-01T23:30:15Z","local":"2026-01-01T23:30:15Z","timezone":"UTC","weekday":"Thursday"}`, OutcomeOK},
		"null":            {`{"timezone":null}`, `{"utc":"2026-01-01T23:30:15Z","local":"2026-01-01T23:30:15Z","timezone":"UTC","weekday":"Thursday"}`, OutcomeOK},
		"next day":        {`{"timezone":"Europe/Helsinki"}`, `{"utc":"2026-01-01T23:30:15Z","local":"2026-01-02T01:30:15+02:00","timezone":"Europe/Helsinki","weekday":"Friday"}`, OutcomeOK},
		"half hours":      {`{"timezone":"Asia/Kolkata"}`, `{"utc":"2026-01-01T23:30:15Z","local":"2026-01-02T05:00:15+05:30","timezone":"Asia/Kolkata","weekday":"Friday"}`, OutcomeOK},
		"unknown zone":    {`{"timezone":"Mars/Olympus"}`, "", OutcomeInvalidArguments},
		"path":            {`{"timezone":"../../etc/passwd"}`, "", OutcomeInvalidArguments},
		"server's zone":   {`{"timezone":"Local"}`, "", OutcomeInvalidArguments},
		"long":            {`{"timezone":"` + strings.Repeat("a", 100) + `"}`, "", OutcomeInvalidArguments},
		"wrong type":      {`{"timezone":5}`, "", OutcomeInvalidArguments},
		"unknown member":  {`{"tz":"UTC"}`, "", OutcomeInvalidArguments},
		"not an object":   {`["UTC"]`, "", OutcomeInvalidArguments},
		"not JSON":        {`{"timezone":`, "", OutcomeInvalidArguments},
		"trailing data":   {`{} {}`, "", OutcomeInvalidArguments},
		"too long":        {`{"timezone":"` + strings.Repeat("a", MaxArguments) + `"}`, "", OutcomeInvalidArguments},
		"nested too deep": {strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), "", OutcomeInvalidArguments},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := newRunner().Run(t.Context(), Call{Name: "current_time", Offered: builtins, Arguments: json.RawMessage(c.arguments)})
			if got.Outcome != c.outcome {
				t.Fatalf("outcome %q (%s), want %q", got.Outcome, got.Output, c.outcome)
			}
			if c.output != "" && got.Output != c.output {
				t.Errorf("output %s, want %s", got.Output, c.output)
			}
			if got.Output == "" {
				t.Error("empty output")
			}
		})
	}
}

func TestUnknownTool(t *testing.T) {
	t.Parallel()
	r := newRunner()
	if got := r.Run(t.Context(), Call{Name: "rm_rf\u202e", Offered: builtins}); got.Outcome != OutcomeUnknownTool || strings.ContainsRune(got.Output, '\u202e') {
		t.Errorf("got %+v", got)
	}
	if got := r.Run(t.Context(), Call{Name: "current_time", Offered: []parley.Tool{}}); got.Outcome != OutcomeUnknownTool {
		t.Errorf("a tool that was not offered ran: %+v", got)
	}
	if got := r.Run(t.Context(), Call{Name: "current_time", Offered: r.Tools(t.Context(), "", []string{"current_time"})}); got.Outcome != OutcomeOK {
		t.Errorf("got %+v", got)
	}
}

func TestTools(t *testing.T) {
	t.Parallel()
	got := newRunner().Tools(t.Context(), "org", []string{"nothing", "current_time", ""})
	if len(got) != 1 || got[0].FunctionName != "current_time" {
		t.Errorf("got %+v", got)
	}
}

// with gives a runner whose current_time does something else.
func with(fn function) *Runner {
	r := newRunner()
	r.builtins["current_time"] = fn
	return r
}

func TestMisbehavingTools(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fn      function
		outcome string
	}{
		"panic":    {func(context.Context, job) (string, error) { panic("secret") }, OutcomeError},
		"error":    {func(context.Context, job) (string, error) { return "x", errors.New("secret") }, OutcomeError},
		"nothing":  {func(context.Context, job) (string, error) { return "", nil }, OutcomeOK},
		"only NUL": {func(context.Context, job) (string, error) { return "\x00\u200b", nil }, OutcomeOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := with(c.fn).Run(t.Context(), Call{Name: "current_time", Offered: builtins})
			if got.Outcome != c.outcome || got.Output == "" || strings.Contains(got.Output, "secret") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestTimeoutAndStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, wait := range map[string]function{
			"obedient": func(ctx context.Context, _ job) (string, error) { <-ctx.Done(); return "", ctx.Err() },
			"late":     func(context.Context, job) (string, error) { time.Sleep(time.Minute); return "late", nil },
		} {
			got := with(wait).Run(context.Background(), Call{Name: "current_time", Offered: builtins})
			if got.Outcome != OutcomeTimeout || got.Duration != DefaultTimeout {
				t.Errorf("%s: got %+v", name, got)
			}
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Second, cancel)
			if got := with(wait).Run(ctx, Call{Name: "current_time", Offered: builtins}); got.Outcome != OutcomeError || got.Duration != time.Second {
				t.Errorf("%s, stopped: got %+v", name, got)
			}
		}
		time.Sleep(2 * time.Minute) // fake time: lets the late tools leave
	})
}

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                        "plain",
		"a\x00b\x1b[31m":               "ab[31m",
		"one\r\ntwo\rthree":            "one\ntwo\nthree",
		"tab\tnew\n":                   "tab\tnew\n",
		"zero\u200bwidth\ufeff":        "zerowidth",
		"bidi\u202e\u2066":             "bidi",
		"tags\U000E0041\U000E0042":     "tags",
		"vs\U000E0100":                 "vs",
		"👩\u200d🚀 ❤\ufe0f":             "👩\u200d🚀 ❤\ufe0f",
		"bad\xff":                      "bad\uFFFD",
		"":                             "(no output)",
		"\u2060":                       "(no output)",
		strings.Repeat("é", MaxOutput): Cut(strings.Repeat("é", MaxOutput), MaxOutput),
	} {
		if got := clean(in, MaxOutput); got != want {
			t.Errorf("clean(%.20q) = %.40q, want %.40q", in, got, want)
		}
	}
	if got := Cut(strings.Repeat("é", 100), 50); len(got) > 50 || !strings.Contains(got, "[cut: 200 bytes") || !utf8.ValidString(got) {
		t.Errorf("Cut: %q (%d bytes)", got, len(got))
	}
	if got := Cut("ééé", 3); got != "é" {
		t.Errorf("Cut to 3 bytes: %q", got)
	}
}

func FuzzRun(f *testing.F) {
	for _, s := range []string{`{}`, `{"timezone":"Europe/Berlin"}`, `{"timezone":"\ud800"}`, `[[[`, "\x00"} {
		f.Add("current_time", s)
	}
	r := newRunner()
	f.Fuzz(func(t *testing.T, name, arguments string) {
		got := r.Run(context.Background(), Call{Name: name, Offered: builtins, Arguments: json.RawMessage(arguments)})
		if got.Output == "" || len(got.Output) > MaxOutput || !utf8.ValidString(got.Output) {
			t.Fatalf("output %q", got.Output)
		}
		for _, c := range got.Output {
			if unicode.IsControl(c) && c != '\n' && c != '\t' {
				t.Fatalf("control character in %q", got.Output)
			}
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Add("a\xffb\u200b", 10)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(limit%1000, 16)
		got := clean(s, limit)
		if len(got) > limit || !utf8.ValidString(got) || got == "" {
			t.Fatalf("clean(%q, %d) = %q", s, limit, got)
		}
	})
}

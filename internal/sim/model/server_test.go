package model

import (
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"parley/internal/sim/speech"
)

func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	s := start(t, quick)
	url := s.BaseURL() + "/realtime?model=gpt-realtime"
	cases := []struct {
		name, url, key, beta string
		change               func(*Options)
		status               int
		code                 string
	}{
		{name: "no key", url: url, status: 401},
		{name: "wrong key", url: url, key: "sk-wrong", status: 401, code: "invalid_api_key"},
		{name: "beta", url: url, key: s.Key(), beta: "realtime=v1", status: 400, code: "beta_api_shape_disabled"},
		{name: "no model", url: s.BaseURL() + "/realtime", key: s.Key(), status: 400, code: "missing_model"},
		{name: "unknown path", url: s.BaseURL() + "/realtim", key: s.Key(), status: 404, code: "unknown_url"},
		{name: "overloaded", url: url, key: s.Key(), change: func(o *Options) { o.Status = 503 }, status: 503},
		{name: "refused key", url: url, key: s.Key(), change: func(o *Options) { o.RefuseKey = true }, status: 401, code: "invalid_api_key"},
	}
	for _, c := range cases {
		if c.change != nil {
			s.Configure(c.change)
		}
		h := http.Header{}
		if c.key != "" {
			h.Set("Authorization", "Bearer "+c.key)
		}
		if c.beta != "" {
			h.Set("OpenAI-Beta", c.beta)
		}
		_, resp, err := websocket.Dial(t.Context(), c.url, &websocket.DialOptions{HTTPHeader: h})
		if err == nil || resp == nil {
			t.Errorf("%s: not refused", c.name)
			continue
		}
		raw, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != c.status || !strings.Contains(string(raw), c.code) || strings.Contains(string(raw), "sk-") {
			t.Errorf("%s: %d %s", c.name, resp.StatusCode, raw)
		}
	}
}

func TestLinesAreRecorded(t *testing.T) {
	t.Parallel()
	for _, line := range append([]string{lineLookUp, lineResult}, lines...) {
		if !slices.Contains(speech.Lines(), line) {
			t.Errorf("no recorded clip for %q", line)
		}
	}
	if ms := speech.Say(lines[1]).Ms(); ms < 8000 {
		t.Errorf("the line for interruptions lasts only %d ms", ms)
	}
}

// TestNotLinked keeps the protocols' schemas, which are test data, out of the packages that the binary is made of.
func TestNotLinked(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-f", `{{if ne .ImportPath "parley/internal/sim/schema"}}{{.ImportPath}}: {{join .Imports " "}}{{end}}`, "parley/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "parley/internal/sim/schema") {
			t.Errorf("imports the schemas outside a test: %s", line)
		}
		if name, imports, _ := strings.Cut(line, ": "); strings.HasPrefix(name, "parley/internal/sim/") {
			for _, adapter := range []string{"twilio", "openai", "voice", "browser", "chat"} {
				if strings.Contains(imports+" ", "parley/internal/"+adapter+" ") {
					t.Errorf("a simulator imports the adapter that it tests: %s", line)
				}
			}
		}
	}
}

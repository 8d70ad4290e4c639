package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/audio"
)

// output collects what a command writes, and lets a test wait for a part of it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // capacity 1
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) await(t *testing.T, pattern string) string {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		o.mu.Lock()
		found := regexp.MustCompile(pattern).FindStringSubmatch(o.text.String())
		text := o.text.String()
		o.mu.Unlock()
		if found != nil {
			return found[1]
		}
		select {
		case <-o.more:
		case <-limit:
			t.Fatalf("no %q in output:\n%s", pattern, text)
		}
	}
}

// serving runs a server with the simulated model in the process, until the test ends.
func serving(t *testing.T, more ...string) (address, data string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	out, logs := &output{more: make(chan struct{}, 1)}, &output{more: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		done <- run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data, "--drain", "1s"}, more...), out, logs)
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("serve ended with %d:\n%s", code, logs.text.String())
		}
	})
	return out.await(t, `listening on (http://\S+)`), data
}

// short writes a caller's phrase as 16 kHz WAV: speech is not needed, only energy and an end.
func short(t *testing.T) string {
	t.Helper()
	samples := make([]int16, 16000*6/10)
	for i := range samples {
		samples[i] = int16((i%80 - 40) * 200)
	}
	path := filepath.Join(t.TempDir(), "short.wav")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := audio.WriteWAV(f, 16000, samples); err != nil {
		t.Fatal(err)
	}
	return path
}

// Tests run in parallel, which t.Setenv forbids; none of this package may depend on the developer's settings.
func init() {
	for _, name := range []string{"OPENAI_API_KEY", "OPENAI_BASE_URL", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "PARLEY_API_KEY", "PARLEY_PUBLIC_URL", "PARLEY_DATABASE_URL", "PARLEY_DATA"} {
		_ = os.Unsetenv(name)
	}
}

func TestCallFromAnEmptyFolder(t *testing.T) {
	t.Parallel()
	address, data := serving(t)
	saved := filepath.Join(t.TempDir(), "heard.wav")
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"call", "--url", address, "--data", data, "--say", short(t), "--interrupt", "600ms", "--save", saved, "--json"}, &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s\n%s", code, errs.String(), out.String())
	}
	var r callResult
	d := json.NewDecoder(&out)
	if err := d.Decode(&r); err != nil || d.More() {
		t.Fatalf("not one JSON object: %v", err)
	}
	if !r.OK || len(r.Turns) != 2 || r.Turns[0].LatencyMs == nil || r.Turns[1].LatencyMs == nil || r.EndedBy != "caller" || r.ConversationID == "" || r.SavedTo != saved {
		t.Errorf("result %+v", r)
	}
	interrupted := 0
	roles := map[string]int{}
	for _, m := range r.Transcript {
		roles[m.Role]++
		if m.Interrupted && m.HeardText != nil && len(*m.HeardText) < len(m.Text) {
			interrupted++
		}
	}
	if roles["user"] != 2 || roles["assistant"] < 3 || interrupted != 1 {
		t.Errorf("transcript %+v", r.Transcript)
	}
	f, err := os.Open(saved)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	wav, err := audio.ReadWAV(f)
	if err != nil || wav.Rate != audio.Rate || audio.RMS(wav.Samples) < 100 {
		t.Errorf("saved %d samples of %d Hz, RMS %.0f: %v", len(wav.Samples), wav.Rate, audio.RMS(wav.Samples), err)
	}
}

func TestCallRefusals(t *testing.T) {
	t.Parallel()
	address, data := serving(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	noise, silent := write("text.wav", "this is certainly not a sound file"), write("silent.ulaw", strings.Repeat("\xFF", 8000))
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"not a WAV":       {[]string{"--data", data, "--say", noise}, 1, "not a WAV file"},
		"silence":         {[]string{"--data", data, "--say", silent}, 1, "nothing can be heard in it"},
		"missing file":    {[]string{"--data", data, "--say", "nope.wav"}, 1, "no such file"},
		"bad address":     {[]string{"--url", "parley"}, 2, "give one such as http://"},
		"server down":     {[]string{"--url", "http://127.0.0.1:1", "--key", "x"}, 1, "parley serve"},
		"wrong key":       {[]string{"--key", "wrong"}, 1, "does not accept the API key"},
		"no key, no data": {[]string{"--data", dir}, 1, "pass --key"},
		"unknown agent":   {[]string{"--data", data, "--agent", "01900000-0000-7000-8000-000000000000"}, 1, "Agent not found"},
		"unknown number":  {[]string{"--data", data, "--to", "+15550000000"}, 1, "No agent answers this number"},
		"no such folder":  {[]string{"--data", data, "--save", filepath.Join(dir, "no", "x.wav")}, 1, "make it first"},
		"too short":       {[]string{"--data", data, "--timeout", "500ms"}, 1, "--timeout"},
		"bad keys":        {[]string{"--dtmf", "1x"}, 2, "--dtmf takes"},
	} {
		args := append([]string{"call", "--url", address, "--json"}, c.args...)
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != c.code || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%s: exit code %d, %q, want %d, %q", name, code, errs.String(), c.code, c.says)
		}
		var r callResult
		if err := json.Unmarshal(out.Bytes(), &r); c.code == 1 && (err != nil || r.OK || r.Error == "") {
			t.Errorf("%s: printed %q", name, out.String())
		}
	}
}

func TestCallSignsItself(t *testing.T) {
	t.Parallel()
	address, data := serving(t)
	dir := t.TempDir()
	for _, name := range []string{fileSimulatedTwilio, fileExample} {
		raw, err := os.ReadFile(filepath.Join(data, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	call := func(more ...string) (int, callResult, string) {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"call", "--url", address, "--data", dir, "--json"}, more...), &out, &errs)
		var r callResult
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatalf("%v in %q; %s", err, out.String(), errs.String())
		}
		return code, r, errs.String()
	}
	if code, r, errs := call("--say", short(t), "--turns", "1"); code != 0 || len(r.Turns) != 1 || len(r.Transcript) != 0 {
		t.Errorf("example agent: exit code %d, %s, %+v", code, errs, r)
	}
	if code, r, errs := call("--public-url", "https://elsewhere.example"); code != 1 || !strings.Contains(errs, "403") {
		t.Errorf("wrong public address: exit code %d, %s, %+v", code, errs, r)
	}
	if code, r, _ := call("--to", "+15550000000"); code != 1 || len(r.Notices) != 1 {
		t.Errorf("unknown number: exit code %d, %+v", code, r)
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	for _, e := range os.Environ() { // the developer's own settings are not under test
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "PARLEY_") || strings.HasPrefix(name, "OPENAI_") || strings.HasPrefix(name, "TWILIO_") || strings.HasPrefix(name, "OTEL_") {
			_ = os.Unsetenv(name)
		}
	}
	if os.Getenv("RUN_MAIN") != "" { // this process is a child of TestSignals
		main()
	}
	goleak.VerifyTestMain(m)
}

// TestSignals: SIGTERM, even when it comes twice at once as from timeout(1), ends the server in order.
func TestSignals(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0], "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	child.Env = append(os.Environ(), "RUN_MAIN=1")
	out := &watched{more: make(chan struct{}, 1)}
	child.Stdout, child.Stderr = out, out
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(out.String(), "for more") { // the end of the greeting
		select {
		case <-out.more:
		case <-time.After(30 * time.Second):
			_ = child.Process.Kill()
			t.Fatalf("no greeting: %s", out)
		}
	}
	for range 2 {
		if err := child.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	if err := child.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, out)
	}
}

// command runs one command line to its end.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, &out, &err)
	return code, out.String(), err.String()
}

// running is a `parley serve` in this process.
type running struct {
	url  string
	data string
	out  *watched
	err  *watched
	stop context.CancelFunc
	done chan int
}

// watched is a writer that many goroutines may use and that can be waited on.
type watched struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	more chan struct{}
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
	return w.buf.Write(b)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

var address = regexp.MustCompile(`listening on (http://[0-9.:]+)`)

// start begins `parley serve` on a free port and waits until it greets.
func start(t *testing.T, data string, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &running{data: data, out: &watched{more: make(chan struct{}, 1)}, err: &watched{more: make(chan struct{}, 1)}, stop: cancel, done: make(chan int, 1)}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data, "--drain", "1s"}, args...)
	go func() { s.done <- run(ctx, args, s.out, s.err) }()
	deadline := time.After(30 * time.Second)
	for {
		if m := address.FindStringSubmatch(s.out.String()); m != nil {
			s.url = m[1]
			break
		}
		select {
		case <-s.out.more:
		case code := <-s.done:
			cancel()
			t.Fatalf("serve ended with %d: %s", code, s.err)
		case <-deadline:
			cancel()
			t.Fatalf("serve did not greet: %s", s.err)
		}
	}
	t.Cleanup(func() { s.end(t) })
	return s
}

// end stops the server as SIGTERM does, once.
func (s *running) end(t *testing.T) {
	t.Helper()
	s.stop()
	if s.done == nil {
		return
	}
	if code := <-s.done; code != 0 {
		t.Errorf("serve exited with %d: %s", code, s.err)
	}
	s.done = nil
}

var keyText = regexp.MustCompile(`pk_live_[0-9A-Za-z]{49}`)

// get asks the server and returns status and body.
func (s *running) get(t *testing.T, path, key string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", key)
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body.String()
}

func TestFirstStartFromAnEmptyFolder(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data)
	out := s.out.String()
	keys := keyText.FindAllString(out, -1)
	if len(keys) != 1 || !strings.Contains(out, "SIMULATED") || !strings.Contains(out, "call --say examples/hello.wav") {
		t.Fatalf("greeting with %d keys:\n%s", len(keys), out)
	}
	if strings.Contains(s.err.String(), keys[0]) {
		t.Error("the key is in the log")
	}
	status, body := s.get(t, "/api/v1/agents?sort=name&order=asc", keys[0])
	if status != 200 || !strings.Contains(body, "Example phone agent") || !strings.Contains(body, "Example chat agent") || !strings.Contains(body, `"total":2`) {
		t.Errorf("agents: %d %s", status, body)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/": 200, "/openapi.yaml": 200, "/api/v1/agents": 401, "/nope": 404} {
		if status, body := s.get(t, path, ""); status != want || strings.Contains(body, keys[0]) {
			t.Errorf("%s = %d, want %d", path, status, want)
		}
	}
	checkFiles(t, s)
	local, err := os.ReadFile(filepath.Join(data, fileLocalKey))
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSpace(string(local))
	if status, _ := s.get(t, "/api/v1/conversations", key); status != 200 {
		t.Errorf("the local key reads conversations: %d", status)
	}
	if status, _ := s.get(t, "/api/v1/api-keys", key); status != 403 {
		t.Errorf("the local key lists keys: %d", status)
	}
	s.end(t)

	again := start(t, data)
	if keyText.MatchString(again.out.String()) {
		t.Error("the second start shows a key")
	}
	if status, body := again.get(t, "/api/v1/agents", keys[0]); status != 200 || !strings.Contains(body, `"total":2`) {
		t.Errorf("after a restart: %d %s", status, body)
	}
	if now, err := os.ReadFile(filepath.Join(data, fileLocalKey)); err != nil || string(now) != string(local) {
		t.Error("the restart made another local key")
	}
}

// checkFiles looks at the data folder: everything there, for its owner only, nothing left over.
func checkFiles(t *testing.T, s *running) {
	t.Helper()
	if info, err := os.Stat(s.data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data folder: %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(s.data)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"parley.db": true, "parley.db-wal": true, "parley.db-shm": true, "secret.keys": true,
		fileLocalKey: true, fileExample: true, fileSimulatedTwilio: true}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 || !want[e.Name()] {
			t.Errorf("file %s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
	var ex example
	raw, err := os.ReadFile(filepath.Join(s.data, fileExample))
	if err != nil || json.Unmarshal(raw, &ex) != nil || ex.VoiceAgentID == "" || ex.ChatAgentID == "" || ex.OrganizationID == "" {
		t.Errorf("%s: %s, %v", fileExample, raw, err)
	}
	var account simulatedTwilio
	raw, err = os.ReadFile(filepath.Join(s.data, fileSimulatedTwilio))
	if err != nil || json.Unmarshal(raw, &account) != nil || len(account.AccountSID) != 34 || len(account.AuthToken) != 32 {
		t.Errorf("%s: %v", fileSimulatedTwilio, err)
	}
}

func TestBootstrapKey(t *testing.T) {
	t.Parallel()
	const key = "automation~key~of~the~operator"
	s := start(t, t.TempDir(), "--bootstrap-key", key)
	if out := s.out.String() + s.err.String(); strings.Contains(out, key) || keyText.MatchString(out) {
		t.Errorf("a key is shown:\n%s", out)
	}
	if status, body := s.get(t, "/api/v1/organization", key); status != 200 || !strings.Contains(body, `"default"`) {
		t.Errorf("bootstrap key: %d %s", status, body)
	}
}

func TestKeysAndOrganizationsWhileServing(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	code, key, stderr := command(t, "key", "create", "--data", s.data, "--scope", "agents:read", "--name", "Reader")
	if code != 0 || !keyText.MatchString(key) || strings.Count(key, "\n") != 1 || stderr != "" {
		t.Fatalf("key create: %d %q %q", code, key, stderr)
	}
	key = strings.TrimSpace(key)
	if status, _ := s.get(t, "/api/v1/agents", key); status != 200 {
		t.Errorf("the new key: %d", status)
	}
	if status, _ := s.get(t, "/api/v1/conversations", key); status != 403 {
		t.Errorf("the new key beyond its scope: %d", status)
	}
	code, list, _ := command(t, "key", "list", "--data", s.data)
	row := regexp.MustCompile(`(?m)^(\S+)  Reader .*live$`).FindStringSubmatch(list)
	if code != 0 || row == nil || strings.Contains(list, key) {
		t.Fatalf("key list: %d\n%s", code, list)
	}
	if code, _, stderr := command(t, "key", "revoke", row[1], "--data", s.data); code != 0 {
		t.Errorf("key revoke: %d %s", code, stderr)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) { // contract: within a second
		status, _ := s.get(t, "/api/v1/agents", key)
		if status == 401 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the revoked key: %d", status)
		}
	}
	code, out, stderr := command(t, "org", "create", "Acme", "--key", "--data", s.data)
	var org struct{ ID, Name, Key string }
	if err := json.Unmarshal([]byte(out), &org); err != nil || code != 0 || org.Name != "Acme" || org.ID == "" {
		t.Fatalf("org create: %d %s %s", code, out, stderr)
	}
	if status, body := s.get(t, "/api/v1/agents", org.Key); status != 200 || !strings.Contains(body, `"total":0`) {
		t.Errorf("the new organization: %d %s", status, body)
	}
	for _, name := range []string{"Acme", org.ID} {
		if code, out, _ := command(t, "key", "create", "--org", name, "--data", s.data); code != 0 || !keyText.MatchString(out) {
			t.Errorf("key create --org %s: %d", name, code)
		}
	}
	if code, out, _ := command(t, "org", "list", "--data", s.data); code != 0 || !strings.Contains(out, "Acme") || !strings.Contains(out, "default") {
		t.Errorf("org list: %d %s", code, out)
	}
	if code, _, stderr := command(t, "org", "create", "Acme", "--data", s.data); code != 1 || !strings.Contains(stderr, "Acme") && !strings.Contains(stderr, "exists") {
		t.Errorf("org create twice: %d %s", code, stderr)
	}
}

func TestStartsThatMustFail(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	taken := filepath.Join(t.TempDir(), "never")
	code, _, stderr := command(t, "serve", "--listen", l.Addr().String(), "--data", taken)
	if code != 1 || !strings.Contains(stderr, "in use") || !strings.Contains(stderr, "PARLEY_LISTEN") {
		t.Errorf("port in use: %d %s", code, stderr)
	}
	if _, err := os.Stat(taken); !os.IsNotExist(err) {
		t.Errorf("port in use left a data folder: %v", err)
	}

	data := t.TempDir()
	start(t, data).end(t)
	ring := filepath.Join(data, "secret.keys")
	if err := os.Rename(ring, ring+".old"); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := command(t, "serve", "--listen", "127.0.0.1:0", "--data", data); code != 1 || !strings.Contains(stderr, "missing") {
		t.Errorf("ring missing: %d %s", code, stderr)
	}
	other := t.TempDir()
	start(t, other).end(t)
	if code, _, stderr := command(t, "serve", "--listen", "127.0.0.1:0", "--data", data, "--secret-key-file", filepath.Join(other, "secret.keys")); code != 1 || !strings.Contains(stderr, "does not belong") {
		t.Errorf("another ring: %d %s", code, stderr)
	}
}

func TestExitCodesAndWords(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "none")
	cases := []struct {
		args []string
		code int
		want string // in either output
	}{
		{[]string{"version"}, 0, "SQLite 3."},
		{[]string{"--help"}, 0, "serve"},
		{[]string{"serve", "--help"}, 0, "PARLEY_TRUSTED_PROXIES"},
		{[]string{}, 2, "--help"},
		{[]string{"fly"}, 2, "fly"},
		{[]string{"serve", "--listen", "nowhere"}, 2, "PARLEY_LISTEN"},
		{[]string{"serve", "--bootstrap-key", "short"}, 2, "PARLEY_BOOTSTRAP_KEY"},
		{[]string{"serve", "--database-url", "postgres://127.0.0.1/x"}, 2, "PARLEY_SECRET_KEY_FILE"},
		{[]string{"key", "create", "--scope", "fly"}, 2, "agents:read"},
		{[]string{"key", "create", "--data", empty}, 1, "parley serve"},
		{[]string{"key", "list", "--data", empty}, 1, "--data"},
		{[]string{"org", "create", "  ", "--data", empty}, 2, "name"},
	}
	for _, c := range cases {
		code, out, stderr := command(t, c.args...)
		if code != c.code || !strings.Contains(out+stderr, c.want) {
			t.Errorf("parley %q = %d, want %d with %q:\n%s%s", c.args, code, c.code, c.want, out, stderr)
		}
	}
	if _, err := os.Stat(empty); !os.IsNotExist(err) {
		t.Errorf("a failed command made a data folder: %v", err)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	for range 2 {
		if code, out, stderr := command(t, "migrate", "--data", data); code != 0 || !strings.Contains(out, "up to date") {
			t.Fatalf("migrate: %d %s", code, stderr)
		}
	}
	if code, _, stderr := command(t, "key", "create", "--data", data); code != 1 || !strings.Contains(stderr, "parley serve") {
		t.Errorf("key create before the first start: %d %s", code, stderr)
	}
	if code, out, stderr := command(t, "org", "create", "default", "--key", "--data", data); code != 0 || !keyText.MatchString(out) {
		t.Fatalf("org create before the first start: %d %s", code, stderr)
	}
	if s := start(t, data); !strings.Contains(s.out.String(), "curl") || keyText.MatchString(s.out.String()) {
		t.Errorf("a start that adopts the organization:\n%s", s.out)
	}
}

func TestTwilioNeedsHTTPS(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "--twilio-account-sid", "AC"+strings.Repeat("a", 32), "--twilio-auth-token", "canary-token")
	if out := s.out.String(); !strings.Contains(out, "PARLEY_PUBLIC_URL is not https") || strings.Contains(out+s.err.String(), "canary-token") {
		t.Errorf("greeting:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(s.data, fileSimulatedTwilio)); !os.IsNotExist(err) {
		t.Errorf("a simulated account beside a real one: %v", err)
	}
}

// TestOpenAPIFileIsUpToDate keeps the committed document equal to the code.
func TestOpenAPIFileIsUpToDate(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	code, out, stderr := command(t, "openapi")
	if code != 0 || out != string(want) {
		t.Errorf("openapi.yaml is out of date: go run ./cmd/parley openapi > openapi.yaml (%s)", stderr)
	}
	if code, out, _ := command(t, "openapi", "--json"); code != 0 || !json.Valid([]byte(out)) {
		t.Errorf("openapi --json: %d", code)
	}
}

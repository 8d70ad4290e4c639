package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"parley/internal/sim/model"
)

const (
	startTimeout = 30 * time.Second // from the start of the server to its readiness
	stopTimeout  = 20 * time.Second // from SIGTERM to its end; no call is live then
)

// buildServer compiles the server, so that what is measured is a process of its own and no `go run`.
func buildServer(ctx context.Context, binary string, flags ...string) error {
	args := append(append([]string{"build", "-o", binary}, flags...), "./cmd/parley")
	cmd := exec.CommandContext(ctx, "go", args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building ./cmd/parley (run this command in the repository): %w\n%s", err, out)
	}
	return nil
}

// server is a running `parley serve`.
type server struct {
	process
	url        string
	key        string // API key
	accountSID string
	authToken  string
	log        string // file of its standard error
	debug      string // origin of its profiles
	pin        bool   // to the processor core
	core       int
	cmd        *exec.Cmd
	exited     chan struct{} // closed after err is set
	err        error
}

// newServer is a server that is not started yet, with credentials of its own.
func newServer() *server {
	return &server{key: secret("load"), accountSID: "AC" + secret("")[:32], authToken: secret("")}
}

// startServer starts the server with a fresh database in dir and waits until it is ready.
func startServer(ctx context.Context, binary, dir string, delay time.Duration, m *model.Server) (*server, error) {
	s := newServer()
	return s, s.launch(ctx, dir, s.env(dir, m.BaseURL(), m.Key()), binary, "serve", "--commit-delay="+delay.String())
}

// env configures a server with data in dir and a model at an address of its own.
func (s *server) env(dir, modelURL, modelKey string) []string {
	return []string{
		"PARLEY_DATA=" + filepath.Join(dir, "data"), "PARLEY_LOG=warn",
		"PARLEY_BOOTSTRAP_KEY=" + s.key, "PARLEY_RATE_LIMIT=1000000", "PARLEY_MAX_CALLS=1000000", // no call is refused for the load that is to be measured

		"OPENAI_BASE_URL=" + modelURL, "OPENAI_API_KEY=" + modelKey,
		"TWILIO_ACCOUNT_SID=" + s.accountSID, "TWILIO_AUTH_TOKEN=" + s.authToken,
		"PARLEY_TWILIO_API_URL=http://127.0.0.1:1", // nobody: callers hang up themselves
	}
}

// launch runs a program that listens on PARLEY_LISTEN, with its log in dir, and waits until it is ready.
func (s *server) launch(ctx context.Context, dir string, env []string, binary string, args ...string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the server's folder: %w", err)
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	s.url, s.log, s.exited = "http://"+address, filepath.Join(dir, "server.log"), make(chan struct{})
	stderr, err := os.Create(s.log)
	if err != nil {
		return fmt.Errorf("making the server's log: %w", err)
	}
	defer func() { _ = stderr.Close() }() // the child has its own
	s.cmd = exec.Command(binary, args...) //nolint:noctx // ended by stop, which asks first
	s.cmd.Stderr = stderr
	s.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir(), "PARLEY_LISTEN=" + address,
	}, env...)
	if err := s.begin(); err != nil {
		return fmt.Errorf("starting the server: %w", err)
	}
	s.pid = s.cmd.Process.Pid
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	if err := s.waitReady(ctx); err != nil {
		return errors.Join(fmt.Errorf("%w\n%s", err, s.tail()), s.stop())
	}
	return nil
}

func (s *server) begin() error {
	if s.pin {
		return startOn(s.core, s.cmd)
	}
	return s.cmd.Start()
}

// freeAddress finds a loopback port that is free now.
func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// secret is a random word of at least 48 hexadecimal digits.
func secret(prefix string) string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails
	return prefix + hex.EncodeToString(b[:])
}

func (s *server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return poll(ctx, func() error {
		select {
		case <-s.exited:
			return final{fmt.Errorf("the server has ended: %w", s.err)}
		default:
		}
		_, err := s.get(ctx, "/readyz")
		return err
	})
}

// stop asks the server to end and waits for it; an exit code other than 0 is an error.
func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-s.exited:
	case <-time.After(stopTimeout):
		_ = s.cmd.Process.Kill()
		<-s.exited
		return fmt.Errorf("the server did not end within %v of SIGTERM", stopTimeout)
	}
	if s.err != nil {
		return fmt.Errorf("the server: %w", s.err)
	}
	return nil
}

// tail is the end of the server's log.
func (s *server) tail() string {
	raw, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(raw), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// logLines is how much the server had to say; it logs warnings and errors only.
func (s *server) logLines() int {
	raw, _ := os.ReadFile(s.log)
	return bytes.Count(raw, []byte("\n"))
}

// standing is what a server holds. Two of them compare what was held before and after.
type standing struct {
	Goroutines int `json:"goroutines"`
	Files      int `json:"files"` // open descriptors, sockets included
	Sockets    int `json:"sockets"`
}

// standing asks the server and the kernel. The request's own socket and goroutines are in Goroutines, each
// time alike.
func (s *server) standing(ctx context.Context) (standing, error) {
	page, err := s.get(ctx, "/metrics")
	if err != nil {
		return standing{}, err
	}
	goroutines, err := gauge(page, "go_goroutines")
	if err != nil {
		return standing{}, err
	}
	open, sockets, err := s.files()
	return standing{Goroutines: int(goroutines), Files: open, Sockets: sockets}, err
}

// within reports whether s holds no more than before.
func (s standing) within(before standing) bool {
	return s.Goroutines <= before.Goroutines && s.Files <= before.Files && s.Sockets <= before.Sockets
}

// oneShot opens a connection for every request, so that no kept connection looks like a leak.
var oneShot = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// final is an error that poll does not wait over.
type final struct{ error }

// Unwrap lets errors.Is see through.
func (f final) Unwrap() error { return f.error }

// poll tries until try succeeds, a final error or the end of ctx; it returns the last error.
func poll(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil || errors.As(err, new(final)) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tutorial are the commands of the README's section "Let it act", in their order.
func tutorial(t *testing.T) (commands []string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(readme), "\n## Let it act\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if !found {
		t.Fatal("the README has no such section")
	}
	for _, c := range regexp.MustCompile(`(?m)^\$ ((?:.*\\\n)*.*)$`).FindAllStringSubmatch(section, -1) {
		commands = append(commands, c[1])
	}
	return commands
}

// shell runs commands in the repository's folder, all with the same environment.
type shell struct {
	t       *testing.T
	env     []string
	replace *strings.Replacer
}

func (s *shell) command(line string) *exec.Cmd {
	c := exec.CommandContext(s.t.Context(), "sh", "-c", s.replace.Replace(line))
	c.Dir, c.Env = "../..", append(os.Environ(), s.env...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run has a child of its own
	return c
}

// start runs a command until the test ends and waits for what it prints.
func (s *shell) start(line, pattern string) string {
	s.t.Helper()
	c, out := s.command(line), &output{more: make(chan struct{}, 1)}
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGTERM)
		_ = c.Wait()
	})
	return out.await(s.t, pattern)
}

func (s *shell) run(line string) string {
	s.t.Helper()
	c := s.command(line)
	var complaints bytes.Buffer
	c.Stderr = &complaints
	out, err := c.Output()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s%s", line, err, out, complaints.String())
	}
	return string(out)
}

// TestTutorial does what the README's tutorial says, word for word but for addresses and keys: three tools book, change
// and cancel an order in a phone call and in a chat.
func TestTutorial(t *testing.T) {
	t.Parallel()
	const key = "tutorial-key-0123456789abcdef"
	lines := tutorial(t)
	if len(lines) != 7 {
		t.Fatalf("the tutorial has %d commands: %q", len(lines), lines)
	}
	address, shop := freeAddress(t), freeAddress(t)
	s := &shell{t: t, env: []string{"PARLEY_LISTEN=" + address, "PARLEY_DATA=" + t.TempDir(), "PARLEY_BOOTSTRAP_KEY=" + key, "NO_PROXY=127.0.0.1"}}
	bin := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".", "../../examples/shop").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	put := []string{"go run ./cmd/", bin + "/", "go run ./examples/", bin + "/", "127.0.0.1:9090", shop, "127.0.0.1:8080", address, "YOUR_KEY", key}
	s.replace = strings.NewReplacer(put...)
	s.start(lines[0], "(Parley is listening on)")
	opened := s.start(lines[1]+" --listen "+shop+" --parley http://"+address, "(?s)(.*)Try the chat at")
	for _, name := range []string{"VOICE_AGENT_ID", "CHAT_AGENT_ID"} {
		found := regexp.MustCompile(name + `=([0-9a-f-]{36})`).FindStringSubmatch(opened)
		if found == nil {
			t.Fatalf("the shop printed no %s: %s", name, opened)
		}
		put = append(put, name, found[1])
	}
	s.replace = strings.NewReplacer(put...)

	called := s.run(lines[2] + " --url http://" + address)
	for _, name := range []string{"book_order: ok", "change_order: ok", "cancel_order: ok"} {
		if !strings.Contains(called, name) {
			t.Errorf("the call has no %q:\n%s", name, called)
		}
	}
	for _, line := range lines[3:6] {
		var answer struct {
			Data struct {
				ConversationID string `json:"conversationId"`
			} `json:"data"`
		}
		if out := s.run(line + " -sS"); json.Unmarshal([]byte(out), &answer) != nil || answer.Data.ConversationID == "" {
			t.Fatalf("%s: %s", line, out)
		}
		s.replace = strings.NewReplacer(append(put, "CONVERSATION_ID", answer.Data.ConversationID)...)
	}

	var orders struct {
		Orders []struct {
			OrderID, Item, Status string
			Quantity              int
			At                    time.Time
		}
	}
	if out := s.run(lines[6] + " -sS"); json.Unmarshal([]byte(out), &orders) != nil || len(orders.Orders) != 2 {
		t.Fatalf("orders: %s", out)
	}
	for _, o := range orders.Orders {
		if o.Item != "green tea" || o.Quantity != 3 || o.Status != "canceled" {
			t.Errorf("order %+v, want three green teas, canceled", o)
		}
	}
}

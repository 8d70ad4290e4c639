package tool

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"parley/internal/store/storetest"
)

// TestMCPEverything discovers and calls the protocol's own test server, which is written in another language.
func TestMCPEverything(t *testing.T) {
	t.Parallel()
	const scripts = "../../scripts"
	out, err := exec.CommandContext(t.Context(), scripts+"/npm.sh", "mcp").CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 3 {
		t.Skipf("%s", out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	server := exec.CommandContext(t.Context(), "node", scripts+"/mcp/node_modules/@modelcontextprotocol/server-everything/dist/index.js", "streamableHttp")
	server.Env = append(os.Environ(), "PORT="+port)
	said, err := server.StderrPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	lines := bufio.NewScanner(said)
	for ready := false; !ready; {
		if !lines.Scan() {
			t.Fatalf("the server ended: %v", lines.Err())
		}
		ready = strings.Contains(lines.Text(), "listening on port")
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()

	h := newMCPHouseAt(t, storetest.SQLite(t), address)
	made := h.add(t, fmt.Sprintf(`{"name":"Everything","description":"D","kind":"mcp","mcp":{"url":"http://%s/mcp"}}`, address))
	offered := h.Tools(t.Context(), h.org, []string{made.ID})
	names := offeredNames(offered)
	if !slices.Contains(names, "echo") || !slices.Contains(names, "get-sum") {
		m, err := h.Refresh(t.Context(), made)
		t.Fatalf("offered %v; %s %s %v", names, m.State, m.Error, err)
	}
	for name, c := range map[string]struct{ arguments, part string }{
		"echo":                   {`{"message":"hello"}`, "hello"},
		"get-sum":                {`{"a":2,"b":40}`, "42"},
		"get-tiny-image":         {`{}`, "an image of"},
		"get-structured-content": {`{"location":"Chicago"}`, "temperature"},
	} {
		if got := h.call(t, offered, name, c.arguments); got.Outcome != OutcomeOK || !strings.Contains(got.Output, c.part) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := h.call(t, offered, "get-sum", `{"a":"two"}`); got.Outcome != OutcomeInvalidArguments {
		t.Errorf("arguments that do not fit: %+v", got)
	}
}

// freeAddress is one that nobody listens at.
func freeAddress(t *testing.T) string {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

package api_test

import (
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"parley/internal/store/storetest"
)

// TestGeneratedClient: a public generator makes a TypeScript client of the document, which compiles strictly with
// a program that uses it, and that program does its work at a server that listens.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	srv := httptest.NewServer(h.handler)
	defer srv.Close()
	doc, err := h.api.YAML()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "openapi.yaml")
	if err := os.WriteFile(file, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "../../scripts/openapi/client.sh", file)
	cmd.Env = append(os.Environ(), "PARLEY_URL="+srv.URL, "PARLEY_KEY="+h.key)
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 3 {
		t.Skipf("%s", out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

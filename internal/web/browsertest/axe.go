package browsertest

import (
	"os"
	"os/exec"
	"testing"

	"errors"
)

// Axe is axe-core, for a test of the package whose folder has the repository at root. Without npm it is "", or the
// test fails with CI=true.
func Axe(t testing.TB, root string) string {
	t.Helper()
	if err := exec.CommandContext(t.Context(), root+"/scripts/npm.sh", "openapi").Run(); err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 3 {
			t.Log("npm is missing: axe looks at nothing")
			return ""
		}
		t.Fatal(err)
	}
	source, err := os.ReadFile(root + "/scripts/openapi/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

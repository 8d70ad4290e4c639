package parley_test

import (
	"os/exec"
	"strings"
	"testing"
)

// rows of the house, top to bottom: a package imports only packages of a lower row, never a sibling of its own
// row (docs/architecture.md). A package that is not here fails the test: give it a row.
var rows = [][]string{
	{"cmd/...", "scripts/...", "examples/..."},
	{"internal/server", "internal/rehearsal"},
	{"internal/api", "internal/phone", "internal/widget", "internal/dashboard"},
	{"internal/voice", "internal/chat", "internal/number"},
	{"internal/call", "internal/tool"},
	{"internal/log"},
	{"internal/event", "internal/auth", "internal/limit", "internal/bill", "internal/capacity", "internal/trace"},
	{"internal/twilio", "internal/openai", "internal/mcp", "internal/browser", "internal/sim/model", "internal/sim/phone", "internal/store/storetest"},
	{"internal/store", "internal/record", "internal/secret", "internal/config", "internal/sim/speech", "internal/sim/schema"},
	{"internal/audio", "internal/ws", "internal/fastjson", "internal/respond", "internal/metric", "internal/web", "internal/leg", "internal/reference", "internal/api/apicheck", "internal/web/browsertest", "internal/origin", "internal/egress", "internal/egress/egresstest", "internal/spoken"},
	{"", "web/webcall", "web/widget", "web/widget/bundle"}, // the domain; what browsers load, embedded, and its build
}

func rowOf(pkg string) int {
	for i, row := range rows {
		for _, name := range row {
			prefix, tree := strings.CutSuffix(name, "...")
			if pkg == name || tree && strings.HasPrefix(pkg, prefix) {
				return i
			}
		}
	}
	return -1
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	local := func(path string) (string, bool) {
		if path == "parley" {
			return "", true
		}
		return strings.CutPrefix(path, "parley/")
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg, _ := local(fields[0])
		row := rowOf(pkg)
		if row < 0 {
			t.Errorf("%s has no row: add it to this test and to docs/architecture.md", fields[0])
			continue
		}
		for _, imported := range fields[1:] {
			dep, ok := local(imported)
			switch {
			case !ok && pkg == "" && strings.Contains(imported, "."):
				t.Errorf("the domain imports %s: standard library only", imported)
			case ok && rowOf(dep) <= row && rowOf(dep) >= 0:
				t.Errorf("%s imports %s, which is not below it", fields[0], imported)
			}
		}
	}
}

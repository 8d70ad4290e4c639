package parley_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The seed is the text that this project began with, kept verbatim. docs/seed-coverage.md says of each of its
// sentences where it is proven.
const (
	seedFile     = "testdata/seed/agents-api-overview.txt"
	coverageFile = "docs/seed-coverage.md"
)

// coverage is one row of the table.
type coverage struct {
	line  int
	quote string   // of the seed
	tests []string // "package: TestName/case"
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// readCoverage reads the rows of the tables: the seed's words in code, then tests in code.
func readCoverage(t *testing.T) (rows []coverage) {
	t.Helper()
	text, err := os.ReadFile(coverageFile)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		row := coverage{line: i + 1}
		for _, m := range codeSpan.FindAllStringSubmatch(cells[1], -1) {
			row.quote += m[1]
		}
		for _, m := range codeSpan.FindAllStringSubmatch(cells[2], -1) {
			row.tests = append(row.tests, m[1])
		}
		rows = append(rows, row)
	}
	return rows
}

func withoutSpace(s string) string { return strings.Join(strings.Fields(s), "") }

// TestSeedIsCovered: the quotes, read from top to bottom, are the whole seed, and each has a test.
func TestSeedIsCovered(t *testing.T) {
	t.Parallel()
	seed, err := os.ReadFile(seedFile)
	if err != nil {
		t.Fatal(err)
	}
	rest := withoutSpace(string(seed))
	for _, row := range readCoverage(t) {
		if len(row.tests) == 0 {
			t.Errorf("%s:%d: %q has no test", coverageFile, row.line, row.quote)
		}
		after, ok := strings.CutPrefix(rest, withoutSpace(row.quote))
		if !ok {
			t.Fatalf("%s:%d: %q is not what the seed says next: %.80q", coverageFile, row.line, row.quote, rest)
		}
		rest = after
	}
	if rest != "" {
		t.Errorf("%s ends before the seed does: %.80q", coverageFile, rest)
	}
}

// TestSeedTestsExist: every test that the table names is in the repository, and has the case.
func TestSeedTestsExist(t *testing.T) {
	t.Parallel()
	packages := map[string]map[string]map[string]bool{}
	for _, row := range readCoverage(t) {
		for _, name := range row.tests {
			pkg, test, ok := strings.Cut(name, ": ")
			if !ok {
				t.Errorf("%s:%d: %q is not of the form package: TestName", coverageFile, row.line, name)
				continue
			}
			if packages[pkg] == nil {
				packages[pkg] = testsOf(t, pkg)
			}
			test, named, hasCase := strings.Cut(test, "/")
			words, ok := packages[pkg][test]
			if !ok || hasCase && !words[named] {
				t.Errorf("%s:%d: there is no test %q", coverageFile, row.line, name)
			}
		}
	}
}

// testsOf parses a folder's tests: of each, the texts in it, among which are the names of its cases.
func testsOf(t *testing.T, dir string) map[string]map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(dir), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") && !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			words := map[string]bool{}
			ast.Inspect(f, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if s, err := strconv.Unquote(lit.Value); err == nil {
						words[s] = true
					}
				}
				return true
			})
			tests[f.Name.Name] = words
		}
	}
	return tests
}

package widget_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"parley/web/widget"
	"parley/web/widget/bundle"
)

// What visitors pay, brotli, in bytes.
const (
	launcherBudget = 2 << 10
	requestBudget  = 3000     // the one request before the first click, with an appearance
	panelBudget    = 30 << 10 // all that the first opening loads: the panel with its styles, and one locale
)

// TestDist: what is committed is what the sources make. Compressed files are compared unpacked, because another
// version of Go may pack them otherwise.
func TestDist(t *testing.T) {
	t.Parallel()
	built, err := bundle.Build(".")
	if err != nil {
		t.Fatal(err)
	}
	var committed []string
	for _, e := range must(os.ReadDir("dist")) {
		committed = append(committed, e.Name())
	}
	if want := slices.Sorted(maps.Keys(built)); !slices.Equal(committed, want) {
		t.Fatalf("dist has %q, the sources make %q: run make generate", committed, want)
	}
	for name, body := range built {
		if !bytes.Equal(unpacked(t, name, must(os.ReadFile("dist/"+name))), unpacked(t, name, body)) {
			t.Errorf("dist/%s is not what the sources make: run make generate", name)
		}
	}
}

func unpacked(t *testing.T, name string, body []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(body)
	switch filepath.Ext(name) {
	case ".br":
		r = brotli.NewReader(r)
	case ".gz":
		r = must(gzip.NewReader(r))
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

func TestSizes(t *testing.T) {
	t.Parallel()
	if n := len(bundle.Brotli(widget.Launcher(nil))); n > launcherBudget {
		t.Errorf("the launcher has %d bytes, at most %d", n, launcherBudget)
	} else {
		t.Logf("launcher %d of %d bytes", n, launcherBudget)
	}
	look := widget.Appearance{Agent: agentID, Position: "bottom-right", Color: "#3B82F6", Theme: "auto", Title: strings.Repeat("Ask us anything ", 5), Online: true}
	if n := len(bundle.Brotli(widget.Launcher(&look))); n > requestBudget {
		t.Errorf("the launcher has %d bytes with an appearance", n)
	}
	panel, locale := 0, 0
	for _, e := range must(os.ReadDir("dist")) {
		name, ok := strings.CutSuffix(e.Name(), ".br")
		if !ok {
			continue
		}
		body, _, _ := widget.AssetEncoded(name, "br")
		if regexp.MustCompile(`^[a-z]{2}-`).MatchString(name) {
			locale = max(locale, len(body))
		} else {
			panel += len(body)
		}
	}
	if panel == 0 || locale == 0 || panel+locale > panelBudget {
		t.Errorf("the panel has %d and a locale up to %d bytes, together at most %d", panel, locale, panelBudget)
	}
	t.Logf("panel %d + locale %d of %d bytes", panel, locale, panelBudget)
}

func TestLauncher(t *testing.T) {
	t.Parallel()
	if got := string(widget.Launcher(nil)); strings.Contains(got, "APPEARANCE") || !strings.Contains(got, "null") {
		t.Error("the plain launcher has no place for an appearance, or one is left")
	}
	evil := widget.Appearance{Agent: agentID, Title: "</script><!--\u2028\"\\", Color: "#fff"}
	got := string(widget.Launcher(&evil))
	for _, no := range []string{"</script", "<!--", "\u2028", "APPEARANCE"} {
		if strings.Contains(got, no) {
			t.Errorf("the launcher contains %q", no)
		}
	}
	if !strings.Contains(got, `"title":"\u003c/script\u003e\u003c!--\u2028\"\\"`) || !strings.Contains(got, `"online":false`) {
		t.Error("the appearance is not in the launcher")
	}
}

func TestAsset(t *testing.T) {
	t.Parallel()
	files := must(fs.Glob(os.DirFS("dist"), "*.js"))
	if len(files) < 7 {
		t.Fatalf("only %q", files)
	}
	for _, name := range files {
		body, kind, ok := widget.Asset(name)
		if name == "launcher.js" {
			if ok {
				t.Error("the unfinished launcher is an asset")
			}
			continue
		}
		if !ok || len(body) == 0 || kind != "text/javascript; charset=utf-8" {
			t.Errorf("%s: %v %q", name, ok, kind)
		}
		for encoding, suffix := range map[string]string{"br": ".br", "gzip": ".gz"} {
			packed, kind, ok := widget.AssetEncoded(name, encoding)
			if !ok || kind != "text/javascript; charset=utf-8" || !bytes.Equal(unpacked(t, suffix, packed), body) {
				t.Errorf("%s as %s: %v %q", name, encoding, ok, kind)
			}
		}
	}
	for _, name := range []string{"", ".", "..", "launcher.js", "../widget.go", "panel.js", files[0] + ".br", "/" + files[0], "dist/" + files[0]} {
		if _, _, ok := widget.Asset(name); ok {
			t.Errorf("%q is an asset", name)
		}
	}
	if _, _, ok := widget.AssetEncoded(files[0], "zstd"); ok {
		t.Error("zstd")
	}
}

func TestEmbedPage(t *testing.T) {
	t.Parallel()
	got := string(widget.EmbedPage(widget.EmbedPageData{AgentID: agentID, Ticket: `t"><script>`, Title: "Fish & <b>chips</b>", Lang: "fi"}))
	for _, want := range []string{`<html lang="fi">`, `<title>Fish &amp; &lt;b&gt;chips&lt;/b&gt;</title>`, `src="/widget.js?agent=` + agentID + `"`, `data-container="page"`, `data-ticket="t&#34;&gt;&lt;script&gt;"`, `data-lang="fi"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
	if strings.Count(got, "<script") != 1 || strings.Contains(got, "style") {
		t.Errorf("the page needs more than script-src 'self':\n%s", got)
	}
	if got := string(widget.EmbedPage(widget.EmbedPageData{AgentID: agentID})); !strings.Contains(got, "<title>Chat</title>") || strings.Contains(got, "data-ticket") || strings.Contains(got, "lang=") {
		t.Errorf("without data:\n%s", got)
	}
}

// TestLocales: every language says everything.
func TestLocales(t *testing.T) {
	t.Parallel()
	member := regexp.MustCompile(`(?m)^  (\w+): (\(\w+(?:, \w+)*\))?`)
	words := func(name string) (members []string) {
		for _, m := range member.FindAllStringSubmatch(string(must(os.ReadFile(name))), -1) {
			members = append(members, m[1]+m[2])
		}
		return members
	}
	want := words("src/locales/en.js")
	files := must(filepath.Glob("src/locales/*.js"))
	if len(want) < 30 || len(files) < 5 {
		t.Fatalf("%d words in %d languages", len(want), len(files))
	}
	for _, name := range files {
		if got := words(name); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
		if loader := "import('./" + strings.TrimPrefix(name, "src/") + "')"; !strings.Contains(string(must(os.ReadFile("src/words.js"))), loader) {
			t.Errorf("words.js does not load %s", name)
		}
	}
}

// TestVendored: the modules of others are as published.
func TestVendored(t *testing.T) {
	t.Parallel()
	sums := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(must(os.ReadFile("../vendor/SHA256SUMS"))))
	for lines.Scan() {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		sums[name] = sum
	}
	for _, e := range must(os.ReadDir("../vendor")) {
		if e.Name() == "README.md" || e.Name() == "SHA256SUMS" {
			continue
		}
		sum := sha256.Sum256(must(os.ReadFile("../vendor/" + e.Name())))
		if sums[e.Name()] != hex.EncodeToString(sum[:]) {
			t.Errorf("web/vendor/%s is not what SHA256SUMS says", e.Name())
		}
		delete(sums, e.Name())
	}
	if len(sums) > 0 {
		t.Errorf("missing: %v", sums)
	}
}

// TestSources: nothing that a strict policy or Trusted Types would refuse, and nothing that follows text as HTML.
func TestSources(t *testing.T) {
	t.Parallel()
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|dangerouslySet|setAttribute\('style|createElement\('(style|script|iframe)`)
	for _, name := range append(must(filepath.Glob("src/*.js")), must(filepath.Glob("src/locales/*.js"))...) {
		if found := forbidden.Find(must(os.ReadFile(name))); found != nil {
			t.Errorf("%s uses %s", name, found)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

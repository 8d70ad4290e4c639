package widget

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"parley"
	"parley/internal/store/storetest"
)

func TestLauncher(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	b.set(func(a *parley.Agent) { a.Chat.Title, a.Chat.PrimaryColor = `</script><b>"`, "#123456" })
	get := func(query, encoding, tag string) reply {
		return b.do(ask{method: "GET", path: "/widget.js" + query, origin: "-", header: http.Header{"Accept-Encoding": {encoding}, "If-None-Match": {tag}}})
	}
	mine := "?agent=" + b.agent.ID
	plain := get(mine, "identity", "")
	if plain.status != 200 || !strings.HasPrefix(plain.header.Get("Content-Type"), "text/javascript") || !bytes.Contains(plain.body, []byte("#123456")) ||
		bytes.Contains(plain.body, []byte("</script>")) || bytes.Contains(plain.body, []byte("instructions are secret")) || plain.header.Get("Content-Encoding") != "" ||
		plain.header.Get("Access-Control-Allow-Origin") != "*" || plain.header.Get("Cross-Origin-Resource-Policy") != "cross-origin" {
		t.Errorf("the script: %d %v %s", plain.status, plain.header, plain.body)
	}
	for encoding, unpack := range map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"br":   func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
	} {
		for range 2 { // made, and kept
			r := get(mine, "deflate, "+encoding+";q=0.8", "")
			in, err := unpack(bytes.NewReader(r.body))
			if err != nil || r.header.Get("Content-Encoding") != encoding || !strings.Contains(strings.Join(r.header.Values("Vary"), ","), "Accept-Encoding") {
				t.Fatalf("%s: %v %v", encoding, r.header, err)
			}
			if body, err := io.ReadAll(in); err != nil || !bytes.Equal(body, plain.body) || len(r.body) > 3<<10 {
				t.Errorf("%s: %d bytes, %v", encoding, len(r.body), err)
			}
		}
	}
	if r := get(mine, "br;q=0, gzip;q=0", ""); r.header.Get("Content-Encoding") != "" {
		t.Errorf("refused encodings: %v", r.header)
	}
	tag := plain.header.Get("ETag")
	if r := get(mine, "identity", tag); r.status != 304 || len(r.body) != 0 {
		t.Errorf("the same again: %d", r.status)
	}
	b.set(func(a *parley.Agent) { a.Status = parley.AgentInactive })
	if r := get(mine, "identity", tag); r.status != 200 || !bytes.Contains(r.body, []byte(`"online":false`)) {
		t.Errorf("an agent that has gone offline: %d %s", r.status, r.body)
	}
	bare := get("", "identity", "")
	for _, query := range []string{"?agent=", "?agent=x", "?agent=" + parley.NewID()} {
		if r := get(query, "identity", ""); r.status != 200 || !bytes.Equal(r.body, bare.body) {
			t.Errorf("%s: %d", query, r.status)
		}
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	script := b.do(ask{method: "GET", path: "/widget.js", origin: "-"}).body
	panel := regexp.MustCompile(`panel-[A-Z0-9]+\.js`).Find(script)
	if panel == nil {
		t.Fatal("the launcher names no panel")
	}
	for _, encoding := range []string{"br", "gzip", ""} {
		r := b.do(ask{method: "GET", path: "/widget/assets/" + string(panel), header: http.Header{"Accept-Encoding": {encoding}}})
		if r.status != 200 || r.header.Get("Content-Encoding") != encoding || !strings.Contains(r.header.Get("Cache-Control"), "immutable") || r.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%q: %d %v", encoding, r.status, r.header)
		}
	}
	for _, name := range []string{"panel.js", "launcher.js", "..%2fwidget.go", string(panel) + ".br"} {
		b.do(ask{method: "GET", path: "/widget/assets/" + name}).want(name, 404)
	}
}

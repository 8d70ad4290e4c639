// Package web serves what people see in a browser: the greeting page, the page that calls an agent, their files, and
// the browser phone's client for other sites, all embedded in the binary. Nothing is loaded from elsewhere.
//
// It shows no secret and asks no database: what the page says is given once, at start.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"parley/web/webcall"
)

//go:embed page.html
var pageSource string

//go:embed call.html
var callSource string

//go:embed static
var static embed.FS

// State is what the page tells. The ids are empty when the example agents are gone.
type State struct {
	Origin       string
	Simulated    bool
	VoiceAgentID string
	ChatAgentID  string
}

// policy allows the page its own files and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// New renders the pages once. The templates are constants of this package, so a failure is a programming error.
func New(s State) http.Handler {
	page, call := render("page", pageSource, s), render("call", callSource, s)
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(fmt.Sprintf("web: files: %v", err))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	})
	mux.HandleFunc("GET /call", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", policy+"; connect-src 'self' ws"+strings.TrimPrefix(s.Origin, "http"))
		w.Header().Set("Permissions-Policy", "microphone=(self)")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(call)
	})
	mux.HandleFunc("GET /web-call.js", script(webcall.Client))
	mux.HandleFunc("GET /web-call-audio.js", script(webcall.Audio))
	serve := http.StripPrefix("/static/", http.FileServerFS(files))
	mux.HandleFunc("GET /static/{file}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		serve.ServeHTTP(w, r)
	})
	return secured(mux)
}

func render(name, source string, s State) []byte {
	var page bytes.Buffer
	if err := parsed(name, source).Execute(&page, s); err != nil {
		panic(fmt.Sprintf("web: %s: %v", name, err))
	}
	return page.Bytes()
}

// script serves a module that any site may load. Its address stays when it changes, so browsers ask each time and
// are mostly told that they have it.
func script(source []byte) http.HandlerFunc {
	sum := sha256.Sum256(source)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(source))
	}
}

// secured adds the headers that keep a page from being framed, sniffed or extended.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

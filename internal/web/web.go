// Package web serves what people see in a browser: the greeting page and its files, embedded in the binary.
// Nothing is loaded from elsewhere.
//
// It shows no secret and asks no database: what the page says is given once, at start.
package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
)

//go:embed page.html
var pageSource string

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

// New renders the page once. The template is a constant of this package, so a failure is a programming error.
func New(s State) http.Handler {
	var page bytes.Buffer
	if err := template.Must(template.New("page").Parse(pageSource)).Execute(&page, s); err != nil {
		panic(fmt.Sprintf("web: page: %v", err))
	}
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(fmt.Sprintf("web: files: %v", err))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page.Bytes())
	})
	serve := http.StripPrefix("/static/", http.FileServerFS(files))
	mux.HandleFunc("GET /static/{file}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		serve.ServeHTTP(w, r)
	})
	return secured(mux)
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

package web

import (
	"bytes"
	_ "embed" // for the pages
	"fmt"
	"html/template"
	"net/http"

	"parley"
)

// headSource is what the heads of the pages have in common.
//
//go:embed head.html
var headSource string

// The sources of pages that are filled for each request.
var (
	//go:embed login.html
	loginSource string
	//go:embed agents.html
	agentsSource string
	//go:embed problem.html
	problemSource string
	//go:embed notice.html
	noticeSource string
	//go:embed try.html
	trySource string
	//go:embed site.html
	siteSource string
)

// Login asks for an API key.
type Login struct {
	Next    string // path to go to afterwards
	Problem string // why the last attempt failed; "" = this is the first
}

// Agents lists what can be tried.
type Agents struct {
	Agents []parley.Agent
	More   int // how many there are beside these
}

// Problem says in words why a page is not there, and where to go instead.
type Problem struct {
	Title, Text  string
	Link, Action string // "" = nowhere
}

// Notice stands in an iframe where a chat would be.
type Notice struct{ Title, Text string }

// Try shows an agent on a sample site, with controls.
type Try struct {
	AgentID, Name string
	CanSave       bool // the login may change the agent
	Simulated     bool
}

// Site is the sample site.
type Site struct {
	AgentID, Ticket string
	Look            string // light, dark or busy
}

// Policies of the pages. Trusted Types keep a page's own scripts from making code of text.
const (
	trusted    = "; require-trusted-types-for 'script'; trusted-types"
	formPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	tryPolicy  = formPolicy + "; script-src 'self'; connect-src 'self'; frame-src 'self'" + trusted + " 'none'"
	sitePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'" + trusted + " parley-site"
)

// A page is parsed once; its source is a constant of this package.
type page struct {
	template *template.Template
	policy   string
}

func parsed(name, source string) *template.Template {
	return template.Must(template.New(name).Parse(headSource + source))
}

func parse(name, source, policy string) page {
	return page{parsed(name, source), policy}
}

var (
	loginPage   = parse("login", loginSource, formPolicy)
	agentsPage  = parse("agents", agentsSource, formPolicy)
	problemPage = parse("problem", problemSource, formPolicy)
	noticePage  = parse("notice", noticeSource, "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ")
	tryPage     = parse("try", trySource, tryPolicy)
	sitePage    = parse("site", siteSource, sitePolicy)
)

// Write answers with the page.
func (d Login) Write(w http.ResponseWriter, status int) { loginPage.write(w, status, d) }

// Write answers with the page.
func (d Agents) Write(w http.ResponseWriter, status int) { agentsPage.write(w, status, d) }

// Write answers with the page.
func (d Problem) Write(w http.ResponseWriter, status int) { problemPage.write(w, status, d) }

// Write answers with the page.
func (d Try) Write(w http.ResponseWriter, status int) { tryPage.write(w, status, d) }

// Write answers with the page.
func (d Site) Write(w http.ResponseWriter, status int) { sitePage.write(w, status, d) }

// Write answers with the page. ancestors are the source expressions of who may frame it.
func (d Notice) Write(w http.ResponseWriter, status int, ancestors string) {
	page{noticePage.template, noticePage.policy + ancestors}.write(w, status, d)
}

// write renders a page for the one who asks. Its data have the type that its template was written for.
func (p page) write(w http.ResponseWriter, status int, data any) {
	var body bytes.Buffer
	if err := p.template.Execute(&body, data); err != nil {
		panic(fmt.Sprintf("web: %s: %v", p.template.Name(), err))
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // without a referrer, forms would be sent with the Origin "null"
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

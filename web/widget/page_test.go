package widget_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"parley/internal/web/browsertest"
)

// helpers find things in the widget's shadow tree: $ one, $$ all, $t the text of all, $b a button by its label.
const helpers = `
window.violations = [];
addEventListener('securitypolicyviolation', (e) => violations.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample));
window.$root = () => document.querySelector('parley-chat')?.shadowRoot;
window.$ = (q) => $root()?.querySelector(q);
window.$$ = (q) => [...($root()?.querySelectorAll(q) || [])];
window.$t = (q) => $$(q).map((e) => e.innerText.trim()).join('|');
window.$b = (label) => $$('button').find((b) => (b.ariaLabel || b.innerText) === label);
window.$open = () => !!$('dialog')?.open;
window.$type = (text) => { const a = $('textarea'); a.value = text; a.dispatchEvent(new Event('input', {bubbles: true})); };
window.$said = [];
`

// strict is the policy under which nothing of the widget may fail: no style, no inline script, Trusted Types.
const strict = "default-src 'none'; script-src %s; connect-src %s; require-trusted-types-for 'script'"

// A site is somebody's page with the widget on it.
type site struct {
	*testing.T
	ctx  context.Context
	fake *fake
	url  string

	mu     sync.Mutex
	errors []string
}

type siteOptions struct {
	body  string // of the page, before the script
	plain bool   // no appearance inlined
	js    string // a script of the page's own, before the widget's
	lang  string
	attrs string // of the script, beside the ones that it needs
}

// newSite opens a tab with a page of its own origin.
func newSite(t *testing.T, browser context.Context, o siteOptions) *site {
	t.Helper()
	f := newFake(t)
	query := "?agent=" + agentID
	if o.plain {
		query = ""
	}
	if o.lang == "" {
		o.lang = "en"
	}
	csp := fmt.Sprintf(strict, f.srv.URL+" 'self'", f.srv.URL)
	mux := http.NewServeMux()
	mux.HandleFunc("/site.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write([]byte(o.js))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		attributes := ""
		if p := r.URL.Query().Get("position"); p != "" {
			attributes = `data-position="` + p + `"`
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", csp)
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="%s"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Shop</title><script src="/site.js"></script></head>
<body><main><h1>Shop</h1><p>Things for sale. <a href="#about">About us</a></p>%s</main><script async src="%s/widget.js%s" data-agent="%s" %s></script></body></html>`,
			o.lang, o.body, f.srv.URL, query, agentID, attributes+" "+o.attrs)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	f.site = srv.URL
	s := &site{T: t, fake: f, url: srv.URL}
	s.ctx = s.tab(browser)
	return s
}

// tab opens another tab on the same site.
func (s *site) tab(browser context.Context) context.Context {
	s.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	s.Cleanup(cancel)
	s.must(chromedp.Do(ctx))
	s.must(chromedp.Listen(ctx, func(ev any) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch ev := ev.(type) {
		case *log.EventEntryAdded:
			if ev.Entry.Source != "network" { // refused requests are the scripts' subject
				s.errors = append(s.errors, ev.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			text := ev.ExceptionDetails.Text
			if ev.ExceptionDetails.Exception != nil {
				text += " " + ev.ExceptionDetails.Exception.Description
			}
			s.errors = append(s.errors, text)
		}
	}))
	_, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	s.must(err)
	_, err = chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: helpers})
	s.must(err)
	return ctx
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// in is the same site seen through another tab.
func (s *site) in(ctx context.Context) *site {
	return &site{T: s.T, ctx: ctx, fake: s.fake, url: s.url}
}

func (s *site) visit(path string) {
	s.Helper()
	s.must(chromedp.Do(s.ctx, chromedp.Navigate(s.url+path)))
}

func (s *site) reload() {
	s.Helper()
	s.must(chromedp.Do(s.ctx, chromedp.Reload()))
}

// size is the page's part of the screen, light or dark.
func (s *site) size(width, height int64, scheme string) {
	s.Helper()
	s.must(chromedp.Do(s.ctx, chromedp.EmulateViewport(width, height)))
	s.prefer(scheme)
}

// prefer is what the visitor has told the browser: light or dark, and no motion, so that nothing is half-way in a
// picture or an audit.
func (s *site) prefer(scheme string) {
	s.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}
	_, err := chromedp.Call(s.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
	s.must(err)
}

// js runs a script and returns its value as JSON.
func (s *site) js(script string) string {
	s.Helper()
	out, err := chromedp.Run(s.ctx, chromedp.Evaluate[json.RawMessage]("(async () => { "+script+" })()", chromedp.EvalAwaitPromise))
	if err != nil {
		s.Fatalf("%s: %v", script, err)
	}
	return string(out)
}

// text is the value of an expression that is a string.
func (s *site) text(expression string) (text string) {
	s.Helper()
	if err := json.Unmarshal([]byte(s.js("return String("+expression+")")), &text); err != nil {
		s.Fatal(err)
	}
	return text
}

// wait waits until an expression is true. The page's own timer looks: chromedp.Poll needs eval, which the policy of the
// page refuses.
func (s *site) wait(expression string) {
	s.Helper()
	got := s.js(fmt.Sprintf(`const end = Date.now() + %d; for (;;) { let v; try { v = (%s) } catch (e) { v = false } if (v) return true; if (Date.now() > end) return $root() ? $t("dialog") || "closed" : "no widget"; await new Promise((r) => setTimeout(r, 20)); }`,
		(20 * time.Second).Milliseconds(), expression))
	if got != "true" {
		s.Fatalf("waited in vain for %s; the panel shows %s", expression, got)
	}
}

// until waits for something that the server sees.
func (s *site) until(what string, is func() bool) {
	s.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); {
		if time.Now().After(end) {
			s.Fatalf("waited in vain until %s; requests: %v", what, s.fake.requests)
		}
		s.js("await new Promise((r) => setTimeout(r, 20))")
	}
}

// open clicks the launcher and waits until the conversation is there.
func (s *site) open() {
	s.Helper()
	s.wait("$('.launch')")
	s.click("$('.launch')")
	s.wait("$open() && $('textarea') && ($('.state.live') || $('.notice'))")
}

// click presses the mouse in the middle of an element.
func (s *site) click(expression string) {
	s.Helper()
	var at struct{ X, Y float64 }
	where := s.js("const r = (" + expression + ").getBoundingClientRect(); return {x: r.x + r.width / 2, y: r.y + r.height / 2}")
	s.must(json.Unmarshal([]byte(where), &at))
	s.must(chromedp.Do(s.ctx, chromedp.MouseClickXY(at.X, at.Y)))
}

// ask types a message and sends it with the keyboard.
func (s *site) ask(text string) {
	s.Helper()
	s.js("$('textarea').focus()")
	s.must(chromedp.Do(s.ctx, chromedp.KeyEvent(text)))
	s.key("Enter", 13)
	s.wait("$t('.user').includes(" + quoted(text) + ")")
}

// key presses a key as a keyboard does: what the page prevents does not happen.
func (s *site) key(name string, code int64, modifiers ...int64) {
	s.Helper()
	p := input.DispatchKeyEventParams{Type: "keyDown", Key: name, Code: name, WindowsVirtualKeyCode: code}
	if name == "Enter" {
		p.Text = "\r"
	}
	for _, m := range modifiers {
		p.Modifiers |= m
	}
	for _, p.Type = range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		_, err := chromedp.Call(s.ctx, input.DispatchKeyEvent, p)
		s.must(err)
	}
}

func quoted(text string) string {
	q, _ := json.Marshal(text)
	return string(q)
}

// is compares the value of an expression.
func (s *site) is(expression, want string) {
	s.Helper()
	if got := s.text(expression); got != want {
		s.Errorf("%s is %q, want %q", expression, got, want)
	}
}

// shot keeps a picture of the page among the test's artifacts (go test -artifacts).
func (s *site) shot(name string) {
	s.Helper()
	s.js("await new Promise(requestAnimationFrame)")
	picture, err := chromedp.Run(s.ctx, chromedp.CaptureScreenshot())
	s.must(err)
	s.must(os.WriteFile(filepath.Join(s.ArtifactDir(), name+".png"), picture, 0o600))
}

var axeOnce struct {
	sync.Mutex
	source string
}

// axe is axe-core, read once.
func axe(t *testing.T) string {
	t.Helper()
	axeOnce.Lock()
	defer axeOnce.Unlock()
	if axeOnce.source == "" {
		axeOnce.source = browsertest.Axe(t, "../..")
	}
	return axeOnce.source
}

// audit lets axe look at the widget as it stands.
func (s *site) audit(state string) {
	s.Helper()
	source := axe(s.T)
	if source == "" {
		return
	}
	found := s.js("if (!window.axe) {" + source + "\n} const r = await axe.run({include: ['parley-chat']}, {resultTypes: ['violations'], preload: false}); return r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ') + ' ' + n.failureSummary).join('; '))")
	if found != "[]" {
		s.Errorf("axe, %s: %s", state, found)
	}
}

// clean fails on anything that the browser complained about since the page was loaded.
func (s *site) clean() {
	s.Helper()
	if v := s.js("return violations"); v != "[]" {
		s.Errorf("the content security policy was violated: %s", v)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.errors) > 0 {
		s.Errorf("the browser complains:\n%s", strings.Join(s.errors, "\n"))
	}
}

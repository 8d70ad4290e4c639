package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"parley/internal/web/browsertest"
)

// eyes look into the widget's shadow tree.
const eyes = `
globalThis.$$ = (q) => [...(document.querySelector("parley-chat")?.shadowRoot.querySelectorAll(q) ?? [])];
globalThis.$t = (q) => $$(q).map((e) => e.innerText.trim()).join("|");
globalThis.$b = (label) => $$("button").find((b) => b.ariaLabel === label || b.innerText === label);
globalThis.$ask = (text) => { const [a] = $$("textarea"); a.value = text; a.dispatchEvent(new Event("input", { bubbles: true })); setTimeout(() => $b("Send").click(), 100) };
`

// TestAWidgetOnASite: the whole way, with the embed code as the API gives it, on a site of another origin under the
// strictest policy: launcher, session, a tool, a streamed answer, a reload in its middle, another tab, feedback, an end.
func TestAWidgetOnASite(t *testing.T) {
	address, data := serving(t)
	key := newAgent(t, address, data)
	agent := ask(t, "POST", address+"/api/v1/agents", key, `{"name":"Shop","type":"chat","toolIds":["current_time"],"config":{"title":"Shop help","greeting":"Hello.","theme":"auto"}}`)
	code := agent["embedCode"].(string)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; script-src %s; connect-src %[1]s; require-trusted-types-for 'script'", address))
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title></head><body><main><h1>Shop</h1></main>%s</body></html>`, code)
	}))
	defer site.Close()
	browser := browsertest.Start(t)
	axe := browsertest.Axe(t, "../..")
	open := func() *desk {
		ctx, cancel := chromedp.NewContext(browser)
		t.Cleanup(cancel)
		d := &desk{newTab(t, ctx), axe}
		for _, script := range []string{noted, eyes} {
			if _, err := chromedp.Call(d.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := chromedp.Call(d.ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
			t.Fatal(err)
		}
		d.view(1280, 800, "light")
		d.do(chromedp.Navigate(site.URL))
		d.wait(`$b("Shop help")`)
		return d
	}
	if err := chromedp.Do(browser); err != nil {
		t.Fatal(err)
	}
	d := open()
	if n := d.js(`return performance.getEntriesByType("resource").length`); n != "1" {
		t.Errorf("%s requests before the first click", n)
	}
	if n := wire(t, address+"/widget.js?agent="+agent["id"].(string)); n > 3000 {
		t.Errorf("%d bytes before the first click", n)
	}
	d.js(`$b("Shop help").click()`)
	d.wait(`$t(".state") === "Online" && $t(".text") === "Hello."`)
	d.js(`$ask("What time is it?")`)
	d.wait(`$t(".tool").startsWith("Used ") && $t(".assistant").includes("The tool answered:") && $b("Good answer")`)
	d.js(`$b("Good answer").click()`)
	d.wait(`$b("Good answer").ariaPressed === "true"`)
	d.audit("answered")
	d.shot("answered")

	long := strings.TrimSpace(strings.Repeat("one two three four five six seven eight nine ten ", 30))
	said := "You are talking to Parley's simulated model. You said: " + long
	d.js(fmt.Sprintf(`$ask(%q)`, long))
	d.wait(`$$(".message").at(-1).innerText.includes("one two three") && $b("Stop answering")`)
	d.do(chromedp.Reload())
	d.wait(`$t(".state") === "Online" && $$(".user").length === 2`)
	two := open()
	two.js(`$b("Shop help").click()`)
	for _, tab := range []*desk{d, two} {
		tab.wait(fmt.Sprintf(`$$(".assistant .text").at(-1).innerText === %q && !$b("Stop answering")`, said))
		if n := tab.js(`return $$(".message").length`); n != "5" {
			t.Errorf("%s messages, want the greeting and two of each", n)
		}
	}
	d.clean("d")

	// What another tab does is seen in this one, also the end.
	two.js(`$ask("Anything else?")`)
	d.wait(`$$(".user").length === 3 && $t(".assistant").endsWith("You said: Anything else?") || $t(".assistant").includes("You said: Anything else?")`)
	d.js(`Parley("newConversation")`)
	for _, tab := range []*desk{d, two} {
		tab.wait(`$t(".text") === "Hello." && $t(".state") === "Online"`)
		tab.clean("site")
	}
	conversations := ask(t, "GET", address+"/api/v1/conversations?agentId="+agent["id"].(string), key, "")["conversations"].([]any)
	if len(conversations) != 1 {
		t.Fatalf("%d conversations", len(conversations))
	}
	if c := conversations[0].(map[string]any); c["status"] != "completed" {
		t.Errorf("the conversation is %v", c)
	}
}

// wire is how many bytes a browser gets from an address, without the headers.
func wire(t *testing.T, address string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "br, gzip")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Encoding") != "br" {
		t.Errorf("%s: %d %q %v", address, resp.StatusCode, resp.Header.Get("Content-Encoding"), err)
	}
	return len(body)
}

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"parley/internal/web/browsertest"
)

// shopScript is what a site's own script does: it says what the agent may use, before the launcher is there. How often a
// handler ran is counted for all tabs together.
const shopScript = `
window.Parley = window.Parley || function () { (Parley.q = Parley.q || []).push(arguments); };
const count = (name) => { localStorage[name] = +(localStorage[name] || 0) + 1; };
Parley("tool", "read_cart", async (args) => {
  count("read");
  try { args.sku = "changed"; } catch {}
  return { total: "12.50", of: args.sku, frozen: Object.isFrozen(args) };
});
Parley("tool", "buy_it", () => { count("bought"); return new Promise((resolve) => { window.finish = resolve; }); });
Parley("tool", "break_it", async () => { throw new TypeError("out of stock"); });
Parley("tool", "fill_it", () => "x".repeat(70000));
Parley("tool", "gone", () => 1);
Parley("tool", "gone", null);
`

// clientTool makes a tool that pages run.
func clientTool(t *testing.T, address, key, name string) string {
	t.Helper()
	return ask(t, "POST", address+"/api/v1/tools", key, fmt.Sprintf(`{"name":%q,"functionName":%[1]q,"description":"Of the page.","kind":"client","client":{"timeoutSeconds":30},
		"parameters":{"type":"object","properties":{"sku":{"type":"string"}},"required":["sku"]}}`, name))["id"].(string)
}

// TestThePageRunsTools: a site registers handlers, the model calls them, and the answer uses what they returned. Two
// tabs run a call once, a reload in its middle runs it no second time, and a page without handlers is asked nothing.
func TestThePageRunsTools(t *testing.T) {
	address, data := serving(t)
	key := newAgent(t, address, data)
	var ids []string
	for _, name := range []string{"read_cart", "buy_it", "break_it", "fill_it", "gone"} {
		ids = append(ids, `"`+clientTool(t, address, key, name)+`"`)
	}
	agent := ask(t, "POST", address+"/api/v1/agents", key, `{"name":"Shop","type":"chat","toolIds":[`+strings.Join(ids, ",")+`],"config":{"title":"Shop help"}}`)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/shop.js" {
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = fmt.Fprint(w, shopScript)
			return
		}
		own := ""
		if r.URL.Path != "/plain" {
			own = `<script src="/shop.js"></script>`
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; img-src data:; script-src 'self' %s; connect-src %[1]s; require-trusted-types-for 'script'", address))
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Shop</title></head><body><h1>Shop</h1>%s%s</body></html>`, own, agent["embedCode"])
	}))
	defer site.Close()
	browser := browsertest.Start(t)
	if err := chromedp.Do(browser); err != nil {
		t.Fatal(err)
	}
	open := func(path string) *desk {
		ctx, cancel := chromedp.NewContext(browser)
		t.Cleanup(cancel)
		d := &desk{newTab(t, ctx), ""}
		for _, script := range []string{noted, eyes} {
			if _, err := chromedp.Call(d.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := chromedp.Call(d.ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
			t.Fatal(err)
		}
		d.view(1280, 800, "light")
		d.do(chromedp.Navigate(site.URL + path))
		d.wait(`$b("Shop help") || $b("Close chat")`)
		d.js(`Parley("open")`)
		d.wait(`$t(".state") === "Online"`)
		return d
	}
	// answered asks for a tool and waits for what is said of it.
	answered := func(d *desk, question string, words ...string) {
		t.Helper()
		d.js(fmt.Sprintf(`$ask(%q)`, question))
		for _, w := range words {
			d.wait(fmt.Sprintf(`!$b("Stop answering") && $$(".user .text").at(-1).innerText === %q && $$(".assistant .text").at(-1).innerText.includes(%q)`, question, w))
		}
	}
	one := open("/")
	answered(one, "use read_cart", "total 12.50 of example frozen true")
	one.clean("a tool of the page")
	one.shot("used")
	answered(one, "use gone", "You said: use gone")

	two := open("/")
	answered(two, "please use read_cart", "total 12.50")
	one.wait(`$$(".user").length === 3 && $$(".assistant .text").at(-1).innerText.includes("12.50")`)
	if n := one.js(`return localStorage.read`); n != `"2"` {
		t.Errorf("two tabs: the handler ran %s times, want 2", n)
	}
	one.clean("two tabs")
	two.clean("two tabs")

	// A reload while the handler is at work.
	two.do(chromedp.Navigate("about:blank"))
	one.js(`$ask("use buy_it")`)
	one.wait(`window.finish && localStorage.bought === "1"`)
	one.do(chromedp.Reload())
	one.wait(`!$b("Stop answering") && $$(".assistant .text").at(-1).innerText.includes("left meanwhile")`)
	if n := one.js(`return localStorage.bought`); n != `"1"` {
		t.Errorf("a reload: the handler ran %s times, want 1", n)
	}
	one.clean("reloaded")
	one.js(`$ask("use buy_it")`)
	one.wait(`window.finish && localStorage.bought === "2"`)
	one.js(`finish([1, "two", null])`)
	one.wait(`!$b("Stop answering") && $$(".assistant .text").at(-1).innerText.includes("1 two null")`)

	answered(one, "use break_it", "out of stock")
	answered(one, "use fill_it", "too large")

	plain := open("/plain")
	answered(plain, "use read_cart", "You said: use read_cart")
	plain.clean("a page without handlers")
	c := ask(t, "GET", address+"/api/v1/conversations?agentId="+agent["id"].(string), key, "")["conversations"].([]any)[0].(map[string]any)
	calls := ask(t, "GET", address+"/api/v1/conversations/"+c["id"].(string), key, "")["toolCalls"].([]any)
	var outcomes []string
	for _, call := range calls {
		outcomes = append(outcomes, call.(map[string]any)["outcome"].(string))
	}
	if got := strings.Join(outcomes, " "); got != "ok ok error ok error error" {
		t.Errorf("the outcomes are %q", got)
	}
}

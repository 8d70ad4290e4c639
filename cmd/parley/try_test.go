package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"parley/internal/web/browsertest"
)

// noted keeps what the pages' policies refused.
const noted = `globalThis.violations = []; addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.blockedURI + " " + e.sample));`

// desk is a tab with what these tests do in it.
type desk struct {
	*tab
	axe string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{newTab(t, browsertest.Start(t)), browsertest.Axe(t, "../..")}
	if _, err := chromedp.Call(d.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: noted}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(d.ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	return d
}

// js runs a script and returns its value. Policies of pages do not count for it.
func (d *desk) js(script string) string {
	d.t.Helper()
	v, err := chromedp.Run(d.ctx, chromedp.Evaluate[json.RawMessage](`(async () => { `+inSite+script+` })()`, chromedp.EvalAwaitPromise))
	if err != nil {
		d.t.Fatalf("%s: %v; the browser says: %s", script, err, d.complaints())
	}
	return string(v)
}

// wait waits for an expression to become true, looking from inside the page, which may be left meanwhile.
func (d *desk) wait(expression string) {
	d.t.Helper()
	look := `(async () => { for (let n = 0; n < 40; n++) { try { ` + inSite + `if (` + expression + `) return true } catch {} await new Promise((r) => setTimeout(r, 25)) } return false })()`
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if is, err := chromedp.Run(d.ctx, chromedp.Evaluate[bool](look, chromedp.EvalAwaitPromise)); err == nil && is {
			return
		}
	}
	d.shot("failed")
	d.t.Fatalf("waited in vain for %s; the page shows %s; the browser says: %s", expression, d.js(`return document.body.innerText.slice(0, 2000)`), d.complaints())
}

func (d *desk) view(width, height int64, scheme string) {
	d.t.Helper()
	d.do(chromedp.EmulateViewport(width, height))
	prefers := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(d.ctx, emulation.SetEmulatedMedia, prefers); err != nil {
		d.t.Fatal(err)
	}
}

// shot keeps a picture among the test's artifacts (go test -artifacts).
func (d *desk) shot(name string) {
	d.t.Helper()
	d.js(`await new Promise((r) => setTimeout(() => requestAnimationFrame(r), 250))`) // entering takes 200 ms
	picture, err := chromedp.Run(d.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(d.t.ArtifactDir(), name+".png"), picture, 0o600)
	}
	if err != nil {
		d.t.Error(err)
	}
}

// audit lets axe look at the page and its frames of the same origin, and fails on what scrolls sideways.
func (d *desk) audit(state string) {
	d.t.Helper()
	if wide := d.js(`return document.documentElement.scrollWidth > innerWidth`); wide != "false" {
		d.t.Errorf("%s scrolls sideways", state)
	}
	if d.axe == "" {
		return
	}
	found := d.js(`if (!window.axe) {` + d.axe + "\n" + `}
		const r = await axe.run({ resultTypes: ["violations"], iframes: false });
		return r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target.join(" ") + " " + n.failureSummary).join("; "))`)
	if found != "[]" {
		d.t.Errorf("axe, %s: %s", state, found)
	}
}

// clean fails on what the page's policy refused.
func (d *desk) clean(state string) {
	d.t.Helper()
	if v := d.js(`return violations.concat(...[...document.querySelectorAll("iframe")].map((f) => { try { return f.contentWindow.violations ?? [] } catch { return [] } }))`); v != "[]" {
		d.t.Errorf("%s: the content security policy was violated: %s", state, v)
	}
}

// TestTryAnAgent: a person logs in, changes how a chat looks, talks to it on the sample site, and copies its code.
func TestTryAnAgent(t *testing.T) {
	d := newDesk(t)
	address, data := serving(t)
	key := newAgent(t, address, data)
	chat := ask(t, "GET", address+"/api/v1/agents?type=chat", key, "")["agents"].([]any)[0].(map[string]any)["id"].(string)
	d.do(chromedp.Navigate(address + "/try/" + chat))
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{360, 1280} {
			d.view(width, 800, scheme)
			d.audit(fmt.Sprintf("login, %s, %d px", scheme, width))
			d.shot(fmt.Sprintf("login-%s-%d", scheme, width))
		}
	}
	d.do(chromedp.SendKeys("#key", "wrong-"+key+"\r"))
	d.wait(`document.querySelector("#problem")`)
	d.audit("login, refused")
	d.do(chromedp.SendKeys("#key", key+"\r"))
	d.wait(`location.pathname.startsWith("/try/") && !document.querySelector("fieldset").disabled && !way.disabled`)
	d.wait(`$(".launch")`)
	d.js(`$(".launch").click()`)
	d.wait(`$("textarea") && $words().includes("How can I help you?")`)
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{360, 768, 1440} {
			d.view(width, 900, scheme)
			d.audit(fmt.Sprintf("try, %s, %d px", scheme, width))
			d.shot(fmt.Sprintf("try-%s-%d", scheme, width))
		}
	}
	d.view(1280, 900, "light")
	d.converse("What time is it?")
	list := ask(t, "GET", address+"/api/v1/conversations", key, "")["conversations"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["test"] != true || list[0].(map[string]any)["agentId"] != chat {
		t.Errorf("the record is %v, want one test", list)
	}
	d.change(chat, address, key)
	d.copyCode(chat, address)
	d.looks()
	d.clean("try")
	for said := range strings.SplitSeq(d.complaints(), "\n") {
		if said != "" && !strings.HasPrefix(said, "Failed to load resource") { // the wrong key, the change that came too late
			t.Errorf("the browser complains: %s", said)
		}
	}
	if strings.Contains(d.js(`return document.cookie`), "parley_login") {
		t.Error("scripts can read the login")
	}
	d.js(`document.querySelector("form[action='/logout'] button").click()`)
	d.wait(`location.pathname === "/login"`)
	d.do(chromedp.Navigate(address + "/try/" + chat))
	d.wait(`location.pathname === "/login"`)
	http.DefaultClient.CloseIdleConnections()
}

// change changes settings: they show at once, are kept only when they are saved, and can be undone.
func (d *desk) change(chat, address, key string) {
	d.t.Helper()
	set := func(id, value string) {
		d.js(fmt.Sprintf(`const e = document.getElementById(%q); e.value = %q; e.dispatchEvent(new Event("input", { bubbles: true }))`, id, value))
	}
	config := func() map[string]any {
		return ask(d.t, "GET", address+"/api/v1/agents/"+chat, key, "")["config"].(map[string]any)
	}
	set("primaryColor", "#7A1F5C")
	d.wait(`getComputedStyle($(".launch")).backgroundColor === "rgb(122, 31, 92)" && swatch.value === "#7a1f5c"`)
	set("theme", "dark")
	d.wait(`getComputedStyle($("dialog")).colorScheme === "dark" || parseInt(getComputedStyle($("dialog")).backgroundColor.match(/[\d.]+/)[0] * 100) < 6000`)
	set("position", "top-left")
	set("title", "Ask <b>us</b>")
	set("greeting", "Welcome to **the shop**.")
	set("suggestions", "Opening hours\n\n  Prices  \n")
	d.wait(`$("dialog").getAttribute("aria-label") === "Ask <b>us</b>" && $(".launch").getBoundingClientRect().left < 100 && $words().includes("Welcome to the shop.")`)
	d.wait(`$words().includes("The tool answered")`) // the conversation goes on
	d.shot("changed")
	if got := config()["title"]; got != "Example chat" {
		d.t.Errorf("a change was kept before it was saved: %v", got)
	}
	set("primaryColor", "red")
	if got := d.js(`return document.getElementById("state").textContent`); !strings.Contains(got, "#RRGGBB") {
		d.t.Errorf("a wrong color: %s", got)
	}
	d.audit("a wrong color")
	set("primaryColor", "#7a1")
	d.js(`look.querySelector("button.primary").click()`)
	d.wait(`document.getElementById("state").textContent.startsWith("Saved.")`)
	saved := config()
	if saved["primaryColor"] != "#7a1" || saved["position"] != "top-left" || saved["theme"] != "dark" || fmt.Sprint(saved["suggestions"]) != "[Opening hours Prices]" {
		d.t.Errorf("saved %v", saved)
	}
	set("title", "Undone")
	d.js(`reset.click()`)
	d.wait(`look.elements.title.value === "Ask <b>us</b>" && $("dialog")?.getAttribute("aria-label") === "Ask <b>us</b>"`)
	ask(d.t, "PATCH", address+"/api/v1/agents/"+chat, key, `{"name":"Renamed meanwhile"}`)
	d.js(`look.querySelector("button.primary").click()`)
	d.wait(`document.getElementById("state").textContent.startsWith("Somebody changed the agent")`)
}

// copyCode copies the embed code where the clipboard is refused.
func (d *desk) copyCode(chat, address string) {
	d.t.Helper()
	d.js(`navigator.clipboard.writeText = () => Promise.reject(new Error("refused"));
		globalThis.copied = ""; document.addEventListener("copy", () => { copied = getSelection().toString(); });
		document.querySelector("#code").closest(".code").querySelector("button").click()`)
	d.wait(`said.textContent === "Copied" && copied !== ""`)
	want, _ := json.Marshal(`<script async src="` + address + `/widget.js?agent=` + chat + `" data-agent="` + chat + `"></script>`)
	var got, line string
	_ = json.Unmarshal([]byte(d.js(`return copied`)), &got)
	_ = json.Unmarshal(want, &line)
	if strings.TrimSpace(got) != line {
		d.t.Errorf("copied %s, want %s", got, line)
	}
	for way, needs := range map[string]string{"react": "useEffect", "vue": "onMounted", "wordpress": "wp_footer", "iframe": "/embed/" + chat, "html": "<script async"} {
		d.js(fmt.Sprintf(`way.value = %q; way.dispatchEvent(new Event("change"))`, way))
		if shown := d.js(`return code.textContent.includes(` + fmt.Sprintf("%q", needs) + `) && directives.textContent !== ""`); shown != "true" {
			d.t.Errorf("the code for %s is not shown", way)
		}
	}
}

// looks shows the chat on the other sample sites, and as on a phone.
func (d *desk) looks() {
	d.t.Helper()
	for _, look := range []string{"dark", "busy"} {
		d.js(fmt.Sprintf(`document.getElementById("site-look").value = %q; document.getElementById("site-look").dispatchEvent(new Event("change"))`, look))
		d.wait(fmt.Sprintf(`site.contentDocument.body.className === %q && $("dialog").open && $words().includes("The tool answered")`, look))
		d.audit("the sample site " + look)
		d.shot("site-" + look)
	}
	d.js(`phone.click()`)
	d.wait(`site.contentWindow.innerWidth <= 390 && phone.getAttribute("aria-pressed") === "true"`)
	d.shot("site-phone")
}

// inSite finds things in the widget on the sample site.
const inSite = `const $ = (q) => document.getElementById("site")?.contentDocument.querySelector("parley-chat")?.shadowRoot.querySelector(q); const $words = () => $("dialog").innerText; `

// converse sends a message to the widget on the sample site and waits for the whole answer.
func (d *desk) converse(text string) {
	d.t.Helper()
	d.js(`$("textarea").focus()`)
	d.do(chromedp.KeyEvent(text + "\r"))
	d.wait(`$words().includes("The tool answered") && !$(".stop")`)
	d.shot("conversation")
}

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// websites serves a page with a strict policy at two origins of this machine, with the embed code of the query in it:
// what a site's owner would write by hand.
func websites(t *testing.T, parley, agent string) (one, two string) {
	t.Helper()
	iframe := fmt.Sprintf(`<iframe src="%s/embed/%s" title="Support" width="400" height="640" allow="clipboard-write"></iframe>`, parley, agent)
	script := fmt.Sprintf(`<script async src="%s/widget.js?agent=%s" data-agent="%s" data-open="true"></script>`, parley, agent, agent)
	policies := map[string]string{iframe: "frame-src " + parley, script: "script-src " + parley + "; connect-src " + parley}
	site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code := map[string]string{"/iframe": iframe, "/isolated": iframe, "/script": script}[r.URL.Path]
		w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src data:; require-trusted-types-for 'script'; "+policies[code])
		if r.URL.Path == "/isolated" {
			w.Header().Set("Cross-Origin-Embedder-Policy", "require-corp")
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Shop</title><h1>Shop</h1>%s</html>`, code)
	})
	for _, origin := range []*string{&one, &two} {
		srv := httptest.NewServer(site)
		t.Cleanup(srv.Close)
		*origin = srv.URL
	}
	return one, two
}

// inFrame waits until an expression is true in the page's frame, where $ finds things in the widget. It is false where
// the browser shows no page.
func (d *desk) inFrame(expression string) {
	d.t.Helper()
	look := `(() => { const $ = (q) => document.querySelector("parley-chat")?.shadowRoot.querySelector(q); const $words = () => $("dialog").innerText; try { return Boolean(` + expression + `) } catch { return false } })()`
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if is, err := chromedp.Run(d.ctx, chromedp.Evaluate[bool](look, d.frame)); err == nil && is {
			return
		}
		d.js(`await new Promise((r) => setTimeout(r, 25))`)
	}
	d.shot("failed")
	text, _ := chromedp.Run(d.ctx, chromedp.Evaluate[string](`document.body.innerText + (document.querySelector("parley-chat")?.shadowRoot.querySelector("dialog")?.innerText ?? "")`, d.frame))
	d.t.Fatalf("waited in vain for %s; the frame shows %s; the browser says: %s", expression, text, d.complaints())
}

// frame makes an evaluation happen in the page's first frame.
func (d *desk) frame(p *runtime.EvaluateParams) {
	tree, err := chromedp.Call(d.ctx, page.GetFrameTree, struct{}{})
	if err != nil || len(tree.FrameTree.ChildFrames) == 0 {
		return
	}
	world, err := chromedp.Call(d.ctx, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: tree.FrameTree.ChildFrames[0].Frame.ID})
	if err == nil {
		p.ContextID = world.ExecutionContextID
	}
}

// TestChatOnOtherSites: the chat in an iframe and by the script, on sites that may show it and on some that may not.
func TestChatOnOtherSites(t *testing.T) {
	d := newDesk(t)
	address, data := serving(t)
	key := newAgent(t, address, data)
	chat := ask(t, "GET", address+"/api/v1/agents?type=chat", key, "")["agents"].([]any)[0].(map[string]any)["id"].(string)
	one, two := websites(t, address, chat)
	local := strings.Replace(one, "127.0.0.1", "localhost", 1)
	d.view(1024, 768, "light")
	conversations := func() float64 {
		return ask(t, "GET", address+"/api/v1/conversations", key, "")["pagination"].(map[string]any)["total"].(float64)
	}
	// talk has a conversation in the frame.
	talk := func(at string) {
		t.Helper()
		before := conversations()
		d.do(chromedp.Navigate(at))
		d.inFrame(`$("textarea") && $words().includes("How can I help you?")`)
		if _, err := chromedp.Run(d.ctx, chromedp.Evaluate[bool](`document.querySelector("parley-chat").shadowRoot.querySelector("textarea").focus(), true`, d.frame)); err != nil {
			t.Fatal(err)
		}
		d.do(chromedp.KeyEvent("What time is it?\r"))
		d.inFrame(`$words().includes("The tool answered")`)
		if now := conversations(); now != before+1 {
			t.Errorf("%s: %v conversations, want one more than %v", at, now, before)
		}
		if said := d.complaints(); said != "" {
			t.Errorf("%s: the browser complains: %s", at, said)
		}
	}
	talk(one + "/iframe")
	d.shot("iframe")
	allow := func(domains string) {
		t.Helper()
		ask(t, "PATCH", address+"/api/v1/agents/"+chat, key, `{"config":{"allowedDomains":[`+domains+`]}}`)
	}
	allow(`"` + strings.TrimPrefix(two, "http://") + `"`)
	d.do(chromedp.Navigate(two + "/isolated"))
	d.inFrame(`$words().includes("The tool answered") || $words().includes("How can I help you?")`)
	if said := d.complaints(); said != "" {
		t.Errorf("the browser complains: %s", said)
	}
	for i, at := range []string{one, local} {
		d.do(chromedp.Navigate(at + "/iframe"))
		d.refused(i + 1)
	}
	d.do(chromedp.Navigate(two + "/script"))
	d.wait(`document.querySelector("parley-chat").shadowRoot.querySelector("textarea:enabled")`)
	d.clean("the script on a site that may")
	d.shot("script")
	d.do(chromedp.Navigate(one + "/script"))
	d.wait(`document.querySelector("parley-chat").shadowRoot.querySelector("dialog").innerText.includes("not")`)
	d.clean("the script on a site that may not")
	d.shot("script-refused")
	if n := conversations(); n != 1 {
		t.Errorf("%v conversations, want the one of before the list", n)
	}

	ask(t, "PATCH", address+"/api/v1/agents/"+chat, key, `{"status":"inactive","config":{"allowedDomains":[]}}`)
	d.do(chromedp.Navigate(one + "/iframe"))
	d.wait(`document.querySelector("iframe")`)
	for end := time.Now().Add(30 * time.Second); ; {
		text, _ := chromedp.Run(d.ctx, chromedp.Evaluate[string](`document.body.innerText`, d.frame))
		if strings.Contains(text, "The chat is offline") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("an inactive agent's frame shows %q", text)
		}
	}
	d.shot("offline")
	http.DefaultClient.CloseIdleConnections()
}

// refused waits until the browser has said once more that a page may not show the frame.
func (d *desk) refused(times int) {
	d.t.Helper()
	for end := time.Now().Add(30 * time.Second); strings.Count(d.complaints(), "frame-ancestors") < times; {
		if time.Now().After(end) {
			d.t.Fatalf("a page that may not shows the frame; the browser says: %s", d.complaints())
		}
		d.js(`await new Promise((r) => setTimeout(r, 25))`)
	}
	d.shot("refused")
}

package reference_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"parley/internal/api"
	"parley/internal/web"
	"parley/internal/web/browsertest"
)

// audit opens everything that folds, looks at the page as it stands and returns what is wrong with it.
const audit = `(() => {
  const wrong = [];
  const wide = () => {
    if (document.documentElement.scrollWidth <= innerWidth) return;
    const widest = [...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).pop();
    wrong.push("scrolls sideways: " + document.documentElement.scrollWidth + " > " + innerWidth + ", for " + widest?.outerHTML.slice(0, 200));
  };
  wide();
  for (const d of document.querySelectorAll("main details")) d.open = true;
  wide();
  if (document.querySelectorAll("h1").length !== 1 || document.querySelectorAll("main").length !== 1 || !document.documentElement.lang) wrong.push("needs one h1, main and lang");
  let level = 1;
  for (const h of document.querySelectorAll("h1, h2, h3, h4")) { const n = +h.tagName[1]; if (n > level + 1) wrong.push("the headings skip a level at " + h.textContent); level = n; }
  const links = () => document.querySelector("nav a[href='#listAgents']").checkVisibility();
  if (!links()) {
    document.querySelector(".top a[href='#contents']").click();
    if (!links()) wrong.push("the contents do not open");
    document.querySelector("nav a[href='#listAgents']").click();
    if (links()) wrong.push("the contents do not close on a choice");
  }
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  const known = new Map();
  const rgb = (color) => {
    if (!known.has(color)) { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); known.set(color, canvas.getImageData(0, 0, 1, 1).data); }
    return known.get(color);
  };
  const luminance = (c) => [0, 1, 2].map((i) => c[i] / 255).map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255, 255]; };
  const bad = new Map();
  for (const e of document.querySelectorAll("h1, h2, h3, h4, p, a, code, dt, dd, th, td, summary, span")) {
    if (!e.checkVisibility()) continue;
    const [x, y] = [luminance(rgb(getComputedStyle(e).color)), luminance(behind(e))];
    const contrast = (Math.max(x, y) + .05) / (Math.min(x, y) + .05);
    if (contrast < 4.5) bad.set(e.tagName + "." + e.className, contrast.toFixed(2) + ": " + e.textContent.slice(0, 30));
  }
  for (const [what, how] of bad) wrong.push(what + " has contrast " + how);
  return wrong.join("\n");
})()`

// TestPageInABrowser: on a phone and on a desk, in both schemes, nothing spills, complains or reaches outside.
func TestPageInABrowser(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/docs", api.New(api.Options{Version: "1", PublicURL: "https://parley.example"}).Mux())
	mux.Handle("/static/", web.New(web.State{}))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	ctx := browsertest.Start(t)
	var mu sync.Mutex
	var complaints []string
	var requests atomic.Int32
	complain := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		complaints = append(complaints, text)
	}
	if err := chromedp.Do(ctx); err != nil { // starts the browser
		t.Fatal(err)
	}
	err := chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *log.EventEntryAdded:
			complain(ev.Entry.Text) // also refusals by the content security policy
		case *network.EventRequestWillBeSent:
			requests.Add(1)
			if !strings.HasPrefix(ev.Request.URL, srv.URL+"/") {
				complain("a request to " + ev.Request.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{360, 768, 1440} {
			prefers := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
			if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, prefers); err != nil {
				t.Fatal(err)
			}
			for _, a := range []chromedp.Action[chromedp.Void]{chromedp.EmulateViewport(width, 900), chromedp.Navigate(srv.URL + "/docs")} {
				if _, err := chromedp.Run(ctx, a); err != nil {
					t.Fatalf("%s, %d px: %v", scheme, width, err)
				}
			}
			wrong, err := chromedp.Run(ctx, chromedp.Evaluate[string](audit))
			if err != nil {
				t.Fatalf("%s, %d px: %v", scheme, width, err)
			}
			if wrong != "" {
				t.Errorf("%s, %d px:\n%s", scheme, width, wrong)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if requests.Load() == 0 {
		t.Error("the test saw no requests, not even its own")
	}
	if len(complaints) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(complaints, "\n"))
	}
}

package web

import (
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"parley/internal/web/browsertest"
)

// audit looks at the page as it stands and returns what is wrong with it.
const audit = `(() => {
  const wrong = [];
  if (document.documentElement.scrollWidth > innerWidth) wrong.push("scrolls sideways: " + document.documentElement.scrollWidth + " > " + innerWidth);
  if (document.querySelectorAll("h1").length !== 1 || !document.querySelector("main") || !document.documentElement.lang) wrong.push("needs one h1, main and lang");
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  const rgb = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data; };
  const luminance = (c) => [0, 1, 2].map((i) => c[i] / 255).map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255, 255]; };
  for (const e of document.querySelectorAll("h1, h2, p, a, code, button, .badge")) {
    const [x, y] = [luminance(rgb(getComputedStyle(e).color)), luminance(behind(e))];
    const contrast = (Math.max(x, y) + .05) / (Math.min(x, y) + .05);
    if (contrast < 4.5) wrong.push(e.tagName + " has contrast " + contrast.toFixed(2) + ": " + e.textContent.slice(0, 30));
  }
  const buttons = document.querySelectorAll(".code button");
  if (buttons.length !== document.querySelectorAll(".code").length) wrong.push("a command has no copy button");
  for (const b of buttons) { b.focus({focusVisible: true}); const s = getComputedStyle(b); if (document.activeElement !== b || s.outlineStyle === "none" || parseFloat(s.outlineWidth) < 2) wrong.push("no visible focus on a button"); }
  return wrong.join("\n");
})()`

func TestPageInABrowser(t *testing.T) {
	srv := httptest.NewServer(New(State{Origin: "http://127.0.0.1:8080", Simulated: true, VoiceAgentID: "01a20b45-322f-70e9-b634-a79b893ecc22", ChatAgentID: "01a20b45-322f-7785-a533-b391f2d8bab5"}))
	defer srv.Close()
	ctx := browsertest.Start(t)
	var mu sync.Mutex
	var complaints []string
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
		case *runtime.EventExceptionThrown:
			complain(ev.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	// A headless page has no window to be in front of: without this nothing counts as focused.
	if _, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{390, 1280} {
			do := func(a chromedp.Action[chromedp.Void]) {
				t.Helper()
				if _, err := chromedp.Run(ctx, a); err != nil {
					t.Fatalf("%s, %d px: %v", scheme, width, err)
				}
			}
			text := func(a chromedp.Action[string]) string {
				t.Helper()
				s, err := chromedp.Run(ctx, a)
				if err != nil {
					t.Fatalf("%s, %d px: %v", scheme, width, err)
				}
				return s
			}
			prefers := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
			if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, prefers); err != nil {
				t.Fatal(err)
			}
			do(chromedp.EmulateViewport(width, 900))
			do(chromedp.Navigate(srv.URL))
			wrong := text(chromedp.Evaluate[string](audit))
			do(chromedp.Navigate(srv.URL + "/call"))
			if more := text(chromedp.Evaluate[string](audit)); more != "" {
				wrong += "\n/call: " + more
			}
			do(chromedp.Navigate(srv.URL))
			do(chromedp.Focus(".code button"))
			do(chromedp.SendKeys(".code button", "\r"))
			announced := text(chromedp.Poll[string](`document.getElementById("said").textContent`))
			if wrong != "" {
				t.Errorf("%s, %d px:\n%s", scheme, width, wrong)
			}
			if announced != "Copied" && announced != "Selected" {
				t.Errorf("%s, %d px: the copy button said %q", scheme, width, announced)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(complaints) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(complaints, "\n"))
	}
}

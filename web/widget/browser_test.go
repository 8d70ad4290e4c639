package widget_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"parley/internal/web/browsertest"
	"parley/web/widget"
)

// TestWidget drives the widget in Chromium against a scripted server. One browser serves all; every part has a site,
// and with it an origin and a storage, of its own.
func TestWidget(t *testing.T) {
	browser := browsertest.Start(t)
	if err := chromedp.Do(browser); err != nil {
		t.Fatal(err)
	}
	t.Run("Conversation", func(t *testing.T) {
		s := newSite(t, browser, siteOptions{})
		s.fake.answer = func(string) []step {
			return []step{tool("tool.started", "t1"), pause(), tool("tool.completed", "t1"), say("It is **on its way**"), pause(), say(", see\n\n- [track](https://example.com/t)\n- call us\n")}
		}
		s.size(1440, 900, "light")
		s.visit("/")
		s.wait("$('.launch')")
		s.shot("closed")
		s.audit("closed")
		if n := s.fake.count(""); n != 1 {
			t.Errorf("%d requests before the first click: %v", n, s.fake.requests)
		}
		if size := len(widget.Launcher(nil)); size > 8000 {
			t.Errorf("%d bytes", size)
		}
		s.open()
		s.shot("greeting")
		s.audit("greeting")
		s.ask("Where is my order?")
		s.wait("$t('.tool') === 'Using Order status…'")
		s.audit("tool at work")
		s.shot("tool")
		s.fake.release(1)
		s.wait("$t('.tool') === 'Used Order status' && $('strong')?.innerText === 'on its way'")
		s.wait("$b('Stop answering')")
		s.shot("streaming")
		s.fake.release(1)
		s.wait("$$('.assistant li').length === 2 && $b('Good answer')")
		s.is("$('.assistant a').href + ' ' + $('.assistant a').rel + ' ' + $('.assistant a').target", "https://example.com/t noopener noreferrer nofollow _blank")
		s.click("$b('Good answer')")
		s.wait("$b('Good answer').ariaPressed === 'true'")
		s.until("the rating arrived", func() bool { return s.fake.count("POST /widget/v1/feedback") == 1 })
		s.audit("answered")
		s.shot("answered")
		s.size(1440, 900, "dark")
		s.wait("$('dialog').dataset.theme === 'dark'")
		s.audit("answered, dark")
		s.shot("answered-dark")
		s.clean()
		if strings.Contains(s.text("$t('.log')"), "You said") {
			t.Error("wrong script")
		}
	})
}

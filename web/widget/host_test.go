package widget_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// hostile is a page that resets, overlays, pollutes and replaces whatever it can.
const hostile = `
const sheet = new CSSStyleSheet();
sheet.replaceSync("* { all: unset !important } *, *::before { display: none !important; visibility: hidden !important; opacity: 0 !important; color: red !important; font: 40px fantasy !important; z-index: -1 !important; transform: scale(3) !important; filter: blur(9px) !important; pointer-events: none !important; --c: red !important; --page: red !important } html, body, #cover { display: block !important; visibility: visible !important; opacity: 1 !important; filter: none !important; transform: none !important } #cover { position: fixed !important; inset: 0 !important; z-index: 2147482999 !important; background: #fed !important; pointer-events: auto !important }");
document.adoptedStyleSheets = [sheet];
Object.prototype.polluted = () => 'p';
Object.prototype.children = 'c';
Object.prototype.className = 'evil';
Object.prototype.title = 'evil';
Object.prototype.toJSON = () => 'evil';
Object.prototype.position = 'top-left';
Object.prototype.headers = {evil: '1'};
Array.prototype.extra = function () {};
Array.prototype.toJSON = () => 'evil';
String.prototype.toJSON = () => 'evil';
Function.prototype.evil = 1;
JSON.stringify = () => '"evil"';
window.html = window.render = window.h = 'taken';
window.React = window.preact = {};
`

func hostilePagePart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{body: `<div id="cover"></div>`, js: hostile, plain: true})
	s.fake.answer = func(string) []step {
		return []step{tool("tool.started", "t"), tool("tool.completed", "t"), say("# Fine\n\n- **yes**\n\n| a | b |\n|-|-|\n| 1 | 2 |\n")}
	}
	s.size(1024, 800, "light")
	s.visit("/")
	s.wait("$('.launch')")
	s.is("document.elementFromPoint(innerWidth - 48, innerHeight - 48).tagName", "PARLEY-CHAT")
	s.shot("hostile-closed")
	s.open()
	s.ask("Still there?")
	s.wait("$$('td').length === 2 && $b('Good answer')")
	s.click("$b('Good answer')")
	s.wait("$b('Good answer').ariaPressed === 'true'")
	s.is("getComputedStyle($('.text')).fontSize + getComputedStyle($('.text')).opacity", "15px1")
	s.is("$$('[polluted], [classname], [title=evil], .evil').length", "0")
	s.shot("hostile-open")
	s.reload()
	s.wait("$open() && $t('.text').includes('Still there?') && $$('td').length === 2")
	s.clean()
}

func apiPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{plain: true, js: `
window.heard = [];
window.Parley = window.Parley || function () { (Parley.q = Parley.q || []).push(arguments) };
for (const e of ['open', 'close', 'message']) Parley('on', e, (d) => heard.push(e + (d ? ' ' + d.role + ' ' + d.text : '')));
Parley('on', 'open', () => { throw new Error('mine') });
Parley('identify', {jwt: 'a.b.c'});
Parley('setTheme', 'dark');`})
	s.size(1024, 800, "light")
	s.visit("/")
	s.wait("$('.launch') && Parley.live")
	if n := s.fake.count(""); n != 1 {
		t.Errorf("%d requests before the first click: %v", n, s.fake.requests)
	}
	s.js("Parley('send', 'From the page')")
	s.wait("$t('.assistant').includes('You said: From the page') && $b('Good answer')")
	s.wait("heard.join('|') === 'open|message user From the page|message assistant You said: From the page'")
	s.is("$t('.state') + ' ' + $('dialog').dataset.theme", "Signed in as Ada dark")
	s.js("Parley('setTheme', 'light'); Parley('setColor', '#7a1f5c')")
	s.wait("$('dialog').dataset.theme === 'light' && $('dialog').style.getPropertyValue('--accent') === '#7a1f5c'")
	s.js("Parley('toggle')")
	s.wait("!$open() && heard.at(-1) === 'close'")
	s.js("window.off = (d) => heard.push('off'); Parley('on', 'open', off); Parley('off', 'open', off); Parley('open')")
	s.wait("$open() && heard.at(-1) === 'open'")
	s.js("Parley('nonsense')")
	// A second script does nothing; a page that replaces its body keeps the chat.
	s.js("const old = document.querySelector('script[data-agent]'), e = document.createElement('script'); e.dataset.agent = old.dataset.agent; await new Promise((r) => { e.onload = r; e.src = window.trustedTypes ? trustedTypes.createPolicy('test', {createScriptURL: (u) => u}).createScriptURL(old.src) : old.src; document.head.append(e) })")
	s.is("document.querySelectorAll('parley-chat').length", "1")
	s.js("const body = document.createElement('body'); body.append('Another page'); document.body.replaceWith(body); history.pushState({}, '', '/other')")
	s.wait("document.querySelectorAll('parley-chat').length === 1 && $open() && $t('.text').includes('From the page')")
	// A proof that is not accepted is told to the page; the chat works without it.
	s.fake.with(func() {
		s.fake.refuse = func(r *http.Request) *refusal {
			if body, _ := io.ReadAll(r.Body); strings.Contains(string(body), "bad.jwt") {
				return &refusal{status: 400, kind: "invalid_request", text: "visitor.jwt has expired."}
			} else {
				r.Body = io.NopCloser(bytes.NewReader(body))
			}
			return nil
		}
	})
	s.js("Parley('on', 'error', (e) => heard.push('error ' + e.message)); Parley('identify', {jwt: 'bad.jwt'})")
	s.wait("heard.at(-1) === 'error visitor.jwt has expired.'")
	s.js("Parley('send', 'Still me')")
	s.wait("$t('.assistant').includes('You said: Still me') && $b('Good answer')")
	s.js("Parley('newConversation')")
	s.wait("$t('.text') === 'Hello. What can I do for you?'")
	s.until("the conversation was deleted", func() bool { return s.fake.count("DELETE") == 1 })
	s.js("Parley('destroy')")
	s.is("document.querySelectorAll('parley-chat').length + ' ' + Parley.live", "0 undefined")
	s.js("Parley('open'); Parley('on', 'open', () => heard.push('second')); const old = document.querySelector('script[data-agent]'), e = document.createElement('script'); e.dataset.agent = old.dataset.agent; e.src = trustedTypes.createPolicy('test2', {createScriptURL: (u) => u}).createScriptURL(old.src); document.head.append(e)")
	s.wait("$open() && $t('.text') === 'Hello. What can I do for you?'")
	if len(s.errors) != 2 { // what the page itself threw, once per opening that it heard
		t.Errorf("the browser complains: %q", s.errors)
	}
	s.is("violations.length", "0")
}

// The page of /embed is the chat and nothing else, under a policy without styles.
func embedPart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{})
	s.size(600, 700, "dark")
	s.must(chromedp.Do(s.ctx, chromedp.Navigate(s.fake.srv.URL+"/embed/"+agentID)))
	s.wait("$open() && $t('.state') === 'Online'")
	s.is("$$('.launch').length + ' ' + !!$b('Close chat') + ' ' + document.activeElement.tagName", "0 false BODY")
	s.is("JSON.stringify($('dialog').getBoundingClientRect())", `{"x":0,"y":0,"width":600,"height":700,"top":0,"right":600,"bottom":700,"left":0}`)
	s.ask("Framed")
	s.wait("$t('.assistant').includes('You said: Framed')")
	s.key("Escape", 27)
	s.is("$open()", "true")
	s.audit("embed")
	s.shot("embed")
	// The same within an element of a page.
	s.must(chromedp.Do(s.ctx, chromedp.Navigate(s.url+"/")))
	s.js("Parley('destroy'); const box = document.createElement('div'); box.id = 'box'; box.style.cssText = 'width:420px;height:500px'; document.body.append(box); const old = document.querySelector('script[data-agent]'), e = document.createElement('script'); e.dataset.agent = old.dataset.agent; e.dataset.container = '#box'; e.src = trustedTypes.createPolicy('test', {createScriptURL: (u) => u}).createScriptURL(old.src); document.head.append(e)")
	s.wait("$open() && $t('.state') === 'Online'")
	s.is("$('dialog').offsetWidth + ' ' + $('dialog').offsetHeight + ' ' + (document.querySelector('#box > parley-chat') !== null)", "420 500 true")
	s.shot("inline")
	s.clean()
}

// Where storage is blocked the chat lives as long as the page.
func blockedStoragePart(t *testing.T, browser context.Context) {
	s := newSite(t, browser, siteOptions{js: `
for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, {get() { throw new DOMException('blocked', 'SecurityError') }});
delete window.BroadcastChannel;
Object.defineProperty(navigator, 'locks', {value: undefined});
crypto.randomUUID = undefined;`})
	s.size(1024, 800, "light")
	s.visit("/")
	s.open()
	s.ask("Forget me")
	s.wait("$t('.assistant').includes('You said: Forget me') && $b('Good answer')")
	s.ask("Twice")
	s.wait("$t('.assistant').includes('You said: Twice')")
	s.reload()
	s.open()
	s.wait("$t('.text') === 'Hello. What can I do for you?'")
	s.clean()
}

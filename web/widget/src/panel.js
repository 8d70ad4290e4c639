// The panel: what the launcher loads when somebody opens the chat. It owns the dialog, its place, its colours and
// what a screen reader hears; conversation.js owns what is said.
import { render } from 'preact';
import css from './panel.css';
import { Announcer } from './announce.js';
import { on, valid } from './color.js';
import { Conversation } from './conversation.js';
import { html } from './html.js';
import { paint } from './theme.js';
import { View } from './view.js';
import { words } from './words.js';

export default (ctl) => {
  const { button, container, shadow } = ctl;
  const sheet = new CSSStyleSheet();
  const dialog = document.createElement('dialog');
  const body = document.createElement('div');
  const status = document.createElement('p');
  sheet.replaceSync(css);
  shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, sheet];
  dialog.className = container ? 'panel ' + (container === 'page' ? 'page' : 'inline') : 'panel ' + ctl.place.join(' ');
  dialog.style.zIndex = ctl.zIndex;
  body.className = 'body';
  status.className = 'unseen';
  status.setAttribute('role', 'status');
  dialog.append(body, status);
  shadow.append(dialog);

  let t, theme, color, shown, focusing, due, cost = 0, unread = 0, writing;
  const queue = []; // texts that the page sends
  const small = matchMedia('(max-width: 480px), (max-height: 420px)');
  const touch = matchMedia('(pointer: coarse)');
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const viewport = window.visualViewport;
  const announcer = new Announcer((text) => { if (shown) status.textContent = text; });

  const changed = () => {
    const run = conversation.run;
    if (run?.text) announcer.read(run.text);
    else if (run && writing !== run.id && t) announcer.tell(t.typing);
    if (run?.lost && !writing?.lost && t) announcer.tell(t.reconnecting);
    writing = run && { id: run.id, lost: run.lost };
    if (!shown) ctl.memory(conversation.busy ? 'busy' : '');
    if (queue.length && conversation.ready && !conversation.busy) conversation.send(queue.shift());
    // Drawing never takes more than about an eighth of the time, however long an answer is.
    due ||= setTimeout(draw, Math.min(500, Math.max(16, cost * 8)));
  };
  const heard = ({ id, role, text }) => {
    if (role === 'assistant') {
      announcer.read(text, true);
      if (!shown) ctl.label(String(++unread));
    }
    ctl.emit('message', { id, role, text });
  };
  // What the site's owner has to put right is for the page's script and console; visitors read the panel.
  const failed = (e) => {
    ctl.emit('error', e);
    if (e.status >= 400 && e.status < 500) console.warn('Parley:', e.message);
  };
  // Words of the page in the place of the agent's; a space says that there are none.
  const own = { __proto__: null };
  for (const name of ['greeting', 'placeholder', 'suggestions']) {
    const text = ctl.option(name);
    if (text) own[name] = name === 'suggestions' ? text.split('|').map((s) => s.trim()).filter(Boolean) : text.trim();
  }
  const conversation = new Conversation({ agent: ctl.agent, base: ctl.base, ticket: ctl.option('ticket'), own, changed, heard, failed });

  // Where a finger points, focus in the field would bring the keyboard up before anything is read.
  const focus = () => { (!touch.matches && dialog.querySelector('textarea:enabled') || dialog.querySelector('.log'))?.focus(); };
  const draw = () => {
    due = 0;
    if (!t) return;
    const start = performance.now();
    const { config } = conversation;
    const wanted = theme || ctl.option('theme') || config.theme;
    const tint = valid(color || ctl.option('color') || config.primaryColor || ctl.color);
    const title = ctl.option('title') || config.title || 'Chat';
    paint(dialog, tint, wanted === 'dark' || (wanted === 'auto' && dark.matches) ? 'dark' : 'light');
    if (config.online) {
      button.style.background = tint;
      button.style.color = on(tint, 3);
    }
    dialog.setAttribute('aria-label', title);
    const before = shadow.activeElement;
    render(html`<${View} c=${conversation} t=${t} title=${title} close=${!container && ctl.close} focus=${focus} />`, body);
    cost = performance.now() - start;
    if (shown && (focusing || (before && !before.isConnected))) {
      focusing = false;
      focus();
    }
  };

  // place follows what the on-screen keyboard leaves of the screen, and puts a small screen to full use.
  const place = () => {
    const modal = !container && small.matches;
    if (!shown || !dialog.isConnected) return;
    if (dialog.open && dialog.matches(':modal') !== modal) dialog.close();
    if (!dialog.open && modal) dialog.showModal();
    dialog.open = true; // unlike show(), moves no focus
    const follow = modal && viewport && viewport.scale === 1;
    dialog.style.top = follow ? viewport.offsetTop + 'px' : '';
    dialog.style.height = follow ? viewport.height + 'px' : '';
  };

  const key = (e) => {
    if (e.key === 'Escape' && !e.isComposing && !container) {
      e.stopPropagation();
      ctl.close();
    }
  };
  const cancel = (e) => { e.preventDefault(); ctl.close(); };
  dialog.addEventListener('keydown', key);
  dialog.addEventListener('cancel', cancel);
  small.addEventListener('change', place);
  dark.addEventListener('change', changed);
  viewport?.addEventListener('resize', place);
  viewport?.addEventListener('scroll', place);

  words(ctl.option('lang')).then((w) => {
    t = w;
    dialog.lang = t.lang;
    dialog.dir = getComputedStyle(document.documentElement).direction;
    if (container === 'page') document.documentElement.lang ||= t.lang;
    changed();
  });
  if (ctl.memory() === 'busy') conversation.connect();

  return {
    show(focused) {
      shown = true;
      unread = 0;
      place();
      focusing = focused;
      if (conversation.phase === 'idle' || conversation.phase === 'lost') conversation.connect();
      changed();
    },
    hide() {
      const within = shadow.activeElement && dialog.contains(shadow.activeElement);
      shown = false;
      dialog.close();
      if (within) button.focus();
      changed();
    },
    identify: (visitor) => conversation.identify(visitor),
    send(text) { if (queue.length < 8) queue.push(String(text)); changed(); },
    newConversation: () => conversation.restart(),
    tool: (name, handler) => conversation.tool(String(name), handler),
    setTheme(value) { theme = value; changed(); },
    setColor(value) { color = value; changed(); },
    destroy() {
      clearTimeout(due);
      due = 1; // draws no more
      announcer.stop();
      conversation.destroy();
      render(null, body);
      small.removeEventListener('change', place);
      dark.removeEventListener('change', changed);
      viewport?.removeEventListener('resize', place);
      viewport?.removeEventListener('scroll', place);
    },
  };
};

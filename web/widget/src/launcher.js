// The launcher: all that a page loads before somebody opens the chat. It draws the button, answers window.Parley and
// brings the panel. It makes no request of its own before that. Every byte of it is paid for by every visitor.
import css from './launcher.css';
import { on, valid } from './color.js';

const BUBBLE = 'M12 4c5 0 9 3 9 7.3s-4 7.3-9 7.3a11 11 0 0 1-3-.4L4.5 20l1-3.4A7 7 0 0 1 3 11.3C3 7 7 4 12 4Z';
const CROSS = 'M6 6l12 12M18 6 6 18';

const script = document.currentScript || document.querySelector('script[src*="/widget.js"]');
const early = window.Parley;

const start = () => {
  const inlined = __APPEARANCE__ || { __proto__: null };
  const option = (name) => script.getAttribute('data-' + name) || inlined[name] || '';
  const base = new URL('.', script.src).href;
  const agent = option('agent');
  const color = valid(option('color'));
  const position = option('position');
  const place = [/top/.test(position) ? 'top' : 'bottom', /left/.test(position) ? 'left' : 'right'];
  const container = option('container'); // '', 'page', or the selector of an element that the chat fills
  const inline = container && container !== 'page';
  const zIndex = parseInt(option('z-index')) || 2147483000;

  const host = document.createElement('parley-chat');
  const shadow = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  // Important rules of a shadow tree win over those of the page, whatever it says about every element.
  sheet.replaceSync(`${css}:host{all:initial!important;display:${inline ? 'block!important;position:relative!important;height:100%' : 'contents'}!important}`);
  shadow.adoptedStyleSheets = [sheet];

  const button = document.createElement('button');
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const path = document.createElementNS(svg.namespaceURI, 'path');
  const ground = inlined.online === false ? '#5f5b57' : color;
  const style = button.style;
  button.className = 'launch';
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.append(path);
  button.append(svg);
  style.background = ground;
  style.color = on(ground, 3);
  style.zIndex = zIndex;
  for (const edge of place) style[edge] = `calc(var(--m) + env(safe-area-inset-${edge},0px))`;
  if (!container) shadow.append(button);

  const listeners = { __proto__: null };
  const emit = (event, data) => {
    for (const listener of [...(listeners[event] || [])]) {
      try { listener(data); } catch (e) { setTimeout(() => { throw e; }); } // the page's error, not ours
    }
  };
  // memory tells the next page of this tab that the chat was open, or that an answer was on its way.
  const memory = (value) => {
    try {
      return value === undefined ? sessionStorage['parley:' + agent] : (sessionStorage['parley:' + agent] = value);
    } catch {} // storage is blocked
  };
  const label = (text = '') => {
    button.dataset.badge = text;
    button.ariaLabel = ctl.title + (text && ` (${text})`);
  };

  let panel, loading, opened, tries = 0;
  const waiting = []; // commands for the panel
  const state = (is, busy) => {
    opened = is;
    path.setAttribute('d', is && !busy ? CROSS : BUBBLE);
    button.ariaExpanded = is;
    button.ariaBusy = !!busy;
  };
  const load = () => loading ||= import(base + 'widget/assets/' + PANEL + (tries++ ? '?' + tries : '')).then((m) => {
    panel = m.default(ctl);
    for (const [name, ...rest] of waiting.splice(0)) panel[name](...rest);
  }).catch((e) => { loading = 0; throw e; });
  const quietly = () => { load().catch(() => {}); };

  const open = (focus) => {
    if (opened) return;
    state(true, true);
    load().then(() => {
      if (!opened) return; // closed again meanwhile
      state(true);
      label();
      memory('open');
      panel.show(focus);
      emit('open');
    }).catch((e) => { state(false); label('!'); emit('error', e); });
  };
  const close = () => {
    if (!opened || container) return;
    state(false);
    memory('');
    if (panel) panel.hide();
    emit('close');
  };
  const ctl = { agent, base, button, close, color, container, emit, label, memory, option, place, shadow, zIndex, title: option('title') || 'Chat' };

  // A page may replace its whole body, and may have none yet.
  const settle = () => {
    if (host.isConnected) return;
    (inline ? document.querySelector(container) : document.body)?.append(host);
    if (panel && opened) panel.show(); // a dialog that was taken out is closed
  };
  const observer = new MutationObserver(settle);
  const commands = {
    __proto__: null,
    open: () => open(true),
    close,
    toggle: () => (opened ? close() : open(true)),
    on: (event, listener) => { (listeners[event] ||= new Set()).add(listener); },
    off: (event, listener) => { listeners[event]?.delete(listener); },
    destroy() {
      opened = loading = 1; // nothing loads or opens it any more
      if (panel) panel.destroy();
      observer.disconnect();
      host.remove();
      const q = []; // for a later launcher
      (window.Parley = (...call) => { q.push(call); }).q = q;
    },
  };
  for (const name of ['identify', 'newConversation', 'send', 'setColor', 'setTheme', 'tool']) {
    commands[name] = (...rest) => {
      if (panel) panel[name](...rest);
      else waiting.push([name, ...rest]);
      if (name === 'send') open(true);
      if (name === 'newConversation') quietly();
    };
  }

  const api = window.Parley = (name, ...rest) => {
    if (commands[name]) commands[name](...rest);
    else console.error('Parley: no ' + name);
  };
  api.live = 1;
  button.onclick = commands.toggle;
  button.onpointerenter = button.onfocus = quietly;
  state(false);
  label();
  settle();
  observer.observe(document, { childList: true, subtree: true });
  for (const call of early?.q || []) api(...call);
  if (container || option('open') || (memory() === 'open' && innerWidth > 480)) open();
  else if (memory()) quietly();
};

if (script && !early?.live) start();

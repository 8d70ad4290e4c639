// What the panel shows of a conversation.
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Button, Copy, html } from './html.js';
import { Growing } from './markdown.js';

const clock = (at, lang) => {
  const date = new Date(at);
  const today = date.toDateString() === new Date().toDateString();
  return date.toLocaleString(lang, today ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' });
};

// reason puts a problem into words: the server's where they are meant for visitors, ours elsewhere.
const reason = (p, t) => (p.type === 'waiting' ? t.waiting : p.type === 'network' || p.status >= 500 ? t.lost : p.message || t.failed);

const absent = (p, t, own) => (p.status === 403 ? own && p.message || t.site : p.status === 404 || p.status === 409 ? t.away : reason(p, t));

const Markdown = ({ text, live, t }) => {
  const growing = useRef();
  growing.current ||= new Growing();
  return growing.current.nodes(text, t, !live);
};

// A tool goes by its function name, which is not written for people.
const Tool = ({ tool, t }) => html`<p class="tool">${t[tool.done ? 'used' : 'using'](tool.name.replace(/_+/g, ' '))}</p>`;

// Why asks what was wrong with an answer; the rating counts without it.
const Why = ({ send, t }) => {
  const [text, set] = useState('');
  const submit = (e) => { e.preventDefault(); send(text.trim()); };
  return html`<form class="why" onSubmit=${submit}><input dir="auto" maxlength="2000" aria-label=${t.why} placeholder=${t.why} value=${text} onInput=${(e) => set(e.target.value)} />
    <${Button} icon="check" type="submit" label=${t.tell} /></form>`;
};

const Answer = ({ m, c, t, newest }) => {
  const [asking, ask] = useState(false);
  return html`
  ${m.tools?.map((tool) => html`<${Tool} tool=${tool} t=${t} />`)}
  <div class="text" dir="auto">${m.text && html`<${Markdown} text=${m.text} live=${m.live} t=${t} />`}</div>
  ${m.live && !m.text && html`<p class="dots" aria-hidden="true"><i /><i /><i /></p>`}
  ${m.status === 'failed' && html`<p class="trouble">${m.problem ? reason(m.problem, t) : t.failed}${newest && html` <button type="button" class="link" disabled=${c.busy} onClick=${() => c.retry(m)}>${t.again}</button>`}</p>`}
  ${m.status === 'stopped' && html`<p class="quiet">${t.stopped}</p>`}
  ${m.status !== 'failed' && m.problem && html`<p class="trouble">${reason(m.problem, t)}</p>`}
  ${m.at && html`<div class="foot">
    ${m.text && html`<${Copy} text=${m.text} t=${t} />`}
    ${m.id && m.text && ['good', 'bad'].map((name) => {
      const rating = name === 'good' ? 'up' : 'down';
      return html`<${Button} icon=${name} label=${t[name]} aria-pressed=${String(m.rating === rating)} onClick=${() => { ask(rating === 'down'); c.rate(m, rating); }} />`;
    })}
    ${newest && m.runId && m.status !== 'failed' && html`<${Button} icon="retry" label=${t.other} disabled=${c.busy} onClick=${() => c.retry(m)} />`}
    <${Time} at=${m.at} t=${t} /></div>`}
  ${asking && html`<${Why} t=${t} send=${(text) => { ask(false); if (text) c.rate(m, 'down', text); }} />`}`;
};

const Time = ({ at, t }) => html`<time datetime=${at} title=${new Date(at).toLocaleString(t.lang)}>${clock(at, t.lang)}</time>`;

const Question = ({ m, c, t }) => html`
  <div class="text" dir="auto">${m.text}</div>
  ${m.problem ? html`<p class="trouble">${m.problem.type === 'waiting' ? t.waiting : html`${t.unsent}. ${reason(m.problem, t)} <button type="button" class="link" disabled=${c.busy} onClick=${() => c.again(m)}>${t.again}</button>`}</p>`
    : html`<div class="foot"><${Time} at=${m.at} t=${t} /></div>`}`;

const Message = ({ m, c, t, newest }) => useMemo(() => html`<div class=${'message ' + m.role}>
  <span class="unseen">${m.role === 'user' ? t.you : t.assistant}: </span>
  ${m.role === 'user' ? html`<${Question} m=${m} c=${c} t=${t} />` : html`<${Answer} m=${m} c=${c} t=${t} newest=${newest} />`}</div>`,
[m, m.text, m.tools, t, newest, c.busy]);

const Log = ({ c, t }) => {
  const log = useRef();
  const stuck = useRef(true);
  const [away, setAway] = useState(false);
  const down = () => { log.current.scrollTop = log.current.scrollHeight; };
  const scrolled = () => {
    const { scrollHeight, scrollTop, clientHeight } = log.current;
    stuck.current = scrollHeight - scrollTop - clientHeight < 48;
    setAway(!stuck.current);
  };
  const mine = c.messages.filter((m) => m.role === 'user').length;
  useLayoutEffect(() => { stuck.current = true; }, [mine]);
  useLayoutEffect(() => { if (stuck.current) down(); });
  const { greeting, suggestions } = c.config;
  const shown = c.run ? [...c.messages, { ...c.run, key: c.run.id, id: 0, role: 'assistant', live: true }] : c.messages;
  return html`<div class="log" role="log" aria-live="off" aria-label=${t.conversation} tabindex="0" ref=${log} onScroll=${scrolled}>
    ${greeting && html`<${Message} key="greeting" m=${useMemo(() => ({ role: 'assistant', text: greeting }), [greeting])} c=${c} t=${t} />`}
    ${shown.map((m, i) => html`<${Message} key=${m.key} m=${m} c=${c} t=${t} newest=${i === shown.length - 1} />`)}
    ${c.ready && c.config.online !== false && !shown.length && suggestions?.length > 0 && html`<div class="suggestions" role="group" aria-label=${t.suggestions}>
      ${suggestions.map((s) => html`<button type="button" dir="auto" onClick=${() => c.send(s)}>${s}</button>`)}</div>`}
  </div>${away && html`<div class="latest"><${Button} icon="down" label=${t.latest} onClick=${() => { down(); log.current.focus(); }} /></div>`}`;
};

const Composer = ({ c, t, off }) => {
  const [text, set] = useState('');
  const area = useRef();
  const max = c.config.maxMessageLength || 4000;
  const size = useMemo(() => [...text.trim()].length, [text]); // code points, as the server counts
  const long = size > max;
  const can = c.ready && !off && !c.busy && size > 0 && !long;
  useLayoutEffect(() => {
    const { style } = area.current;
    style.height = 'auto';
    style.height = Math.min(area.current.scrollHeight + 2, 160) + 'px';
  }, [text]);
  const submit = (e) => {
    e.preventDefault();
    if (!can) return;
    c.send(text);
    set('');
  };
  const key = (e) => { if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) submit(e); };
  return html`<form class="composer" onSubmit=${submit}>
    ${size > max * 0.8 && html`<p id="left" class=${long ? 'trouble' : 'quiet'}>${long ? t.long(size, max) : t.left(max - size)}</p>`}
    <textarea rows="1" dir="auto" enterkeyhint="send" aria-label=${t.message} aria-invalid=${String(long)} aria-describedby=${size > max * 0.8 ? 'left' : null} placeholder=${c.config.placeholder || t.placeholder}
      disabled=${off} ref=${area} value=${text} onInput=${(e) => set(e.target.value)} onKeyDown=${key} />
    ${c.run ? html`<${Button} key="stop" icon="stop" class="icon main" label=${t.stop} disabled=${c.run.stopping} onClick=${() => c.stop()} />`
      : html`<${Button} key="send" icon="send" class="icon main" type="submit" label=${t.send} disabled=${!can} />`}
  </form>`;
};

const Menu = ({ c, t, ask, save }) => {
  const [open, set] = useState(false);
  const box = useRef();
  const leave = (e) => { if (!box.current.contains(e.relatedTarget)) set(false); };
  const key = (e) => {
    if (e.key !== 'Escape' || !open) return;
    e.stopPropagation();
    set(false);
    box.current.querySelector('button').focus();
  };
  const choose = (what) => () => { box.current.querySelector('button').focus(); set(false); what(); };
  return html`<div class="menu" ref=${box} onFocusOut=${leave} onKeyDown=${key}>
    <${Button} icon="menu" label=${t.menu} aria-expanded=${String(open)} onClick=${() => set(!open)} />
    ${open && html`<div class="choices">
      <button type="button" disabled=${!c.messages.length} onClick=${choose(save)}>${t.save}</button>
      <button type="button" disabled=${!c.ready} onClick=${choose(ask)}>${t.fresh}</button></div>`}</div>`;
};

const Ask = ({ c, t, done }) => {
  const box = useRef();
  const [wrong, set] = useState('');
  useLayoutEffect(() => { box.current.querySelector('button').focus(); }, []);
  const key = (e) => { if (e.key === 'Escape') { e.stopPropagation(); done(); } };
  const yes = async () => {
    const p = await c.restart();
    if (p) set(reason(p, t));
    else done();
  };
  return html`<div class="ask" role="alertdialog" aria-labelledby="ask" ref=${box} onKeyDown=${key}>
    <p id="ask">${t.ask}</p>${wrong && html`<p class="trouble" role="alert">${wrong}</p>`}
    <div><button type="button" onClick=${done}>${t.cancel}</button><button type="button" class="danger" onClick=${yes}>${t.yes}</button></div></div>`;
};

// download saves the conversation as a text.
const download = (c, t) => {
  const lines = c.messages.map((m) => `${m.role === 'user' ? t.you : t.assistant} (${new Date(m.at).toLocaleString(t.lang)})\n${m.text}\n`);
  const a = document.createElement('a');
  a.href = URL.createObjectURL(new Blob([lines.join('\n')], { type: 'text/plain' }));
  a.download = `chat-${new Date().toISOString().slice(0, 10)}.txt`;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 10000);
};

export const View = ({ c, t, title, close, focus }) => {
  const [asking, ask] = useState(false);
  const absence = c.phase === 'lost' && [403, 404, 409].includes(c.problem.status);
  const offline = absence || c.config.online === false;
  const who = c.visitor?.verified && c.visitor.name;
  const state = c.run?.lost ? t.connecting : c.ready ? (offline ? t.offline : who ? t.verified(who) : t.online) : c.phase === 'lost' ? t.offline : t.connecting;
  return html`<header><div><h2>${title}</h2><p class=${c.ready && !offline && !c.run?.lost ? 'state live' : 'state'}>${state}</p></div>
    <${Menu} c=${c} t=${t} ask=${() => ask(true)} save=${() => download(c, t)} />
    ${close && html`<${Button} icon="close" label=${t.close} onClick=${close} />`}</header>
  <${Log} c=${c} t=${t} />
  ${c.phase === 'lost' && html`<p class="notice">${absent(c.problem, t, c.ticket)} ${c.problem.status !== 403 && html`<button type="button" class="link" onClick=${() => c.connect()}>${t.again}</button>`}</p>`}
  ${c.ready && offline && html`<p class="notice">${t.away}</p>`}
  ${c.run?.lost && html`<p class="notice">${t.reconnecting}</p>`}
  ${asking ? html`<${Ask} c=${c} t=${t} done=${() => { ask(false); setTimeout(focus); }} />` : html`<${Composer} c=${c} t=${t} off=${offline} />`}`;
};

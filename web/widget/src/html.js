// Preact and htm, made deaf to what a page puts into Object.prototype: Preact reads inherited members, too.
import { createElement, options } from 'preact';
import { useState } from 'preact/hooks';
import htm from 'htm';

options.vnode = (vnode) => { if (typeof vnode.props === 'object') Object.setPrototypeOf(vnode.props, null); };

const h = (type, props, ...children) => createElement(type, Object.assign(Object.create(null), props), ...children);
export const html = htm.bind(h);

const paths = {
  __proto__: null,
  close: 'M6 6l12 12M18 6 6 18',
  menu: 'M5 12h0M12 12h0M19 12h0',
  send: 'M12 19V5M6 11l6-6 6 6',
  stop: 'M7 7h10v10H7Z',
  copy: 'M9 9h11v11H9ZM5 15H4V4h11v1',
  good: 'M7 11v9H4v-9ZM7 11l4-7c2 0 2.5 1.5 2 3l-.5 3H19c1 0 1.5 1 1.3 2l-1.5 6.5c-.2 1-1 1.5-1.8 1.5H7',
  bad: 'M17 13V4h3v9ZM17 13l-4 7c-2 0-2.5-1.5-2-3l.5-3H5c-1 0-1.5-1-1.3-2l1.5-6.5C5.4 4.5 6.2 4 7 4h10',
  retry: 'M19.5 12a7.5 7.5 0 1 1-2.2-5.3L20 9M20 4v5h-5',
  down: 'M12 5v14M6 13l6 6 6-6',
  check: 'M5 13l4 4 10-11',
};

export const Icon = ({ name }) => html`<svg class=${name} viewBox="0 0 24 24" aria-hidden="true"><path d=${paths[name]} /></svg>`;

export const Button = ({ icon, label, ...rest }) => html`<button type="button" class="icon" title=${label} aria-label=${label} ...${rest}><${Icon} name=${icon} /></button>`;

// write puts a text on the clipboard; a page without a secure context, or a frame without the permission, has none.
const write = async (text, from) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    from.getRootNode().querySelector('dialog').append(area);
    area.select();
    const ok = document.execCommand('copy');
    area.remove();
    from.focus();
    return ok;
  }
  return true;
};

// Copy is a button that says for a moment that it worked.
export const Copy = ({ text, t }) => {
  const [done, set] = useState(false);
  const copy = async (e) => {
    if (!(await write(text, e.currentTarget))) return;
    set(true);
    setTimeout(set, 2000, false);
  };
  return html`<${Button} icon=${done ? 'check' : 'copy'} label=${done ? t.copied : t.copy} onClick=${copy} />`;
};

export const Copyable = ({ text, lang, t }) => html`<div class="code"><div><span>${lang}</span><${Copy} text=${text} t=${t} /></div>
  <pre tabindex="0" dir="ltr" role="group" aria-label=${t.code}><code>${text}</code></pre></div>`;

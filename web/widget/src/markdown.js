// Markdown to virtual nodes. Nothing here writes HTML: raw HTML is shown as the text it is, links keep only safe
// schemes, and an image of another server becomes a link, so that no answer can make the browser load anything.
import { Lexer } from 'marked';
import { html, Copyable } from './html.js';

const options = { gfm: true, breaks: true };
const named = { __proto__: null, amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0', hellip: '…', ndash: '–', mdash: '—' };

const plain = (text) => text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{2,6}));/gi, (all, dec, hex, name) => {
  if (name) return named[name] || all;
  const code = dec ? +dec : parseInt(hex, 16);
  return code && code < 0x110000 ? String.fromCodePoint(code) : all;
});

// safe is the address of a link that may be followed, or ''.
export const safe = (href) => {
  try {
    const url = new URL(plain(href), document.baseURI);
    return /^(https?|mailto):$/.test(url.protocol) ? url.href : '';
  } catch {
    return '';
  }
};

const link = (href, children) => {
  const url = safe(href);
  return url ? html`<a href=${url} target="_blank" rel="noopener noreferrer nofollow">${children}</a>` : children;
};

const inline = (tokens, t, inLink) => (tokens || []).map((k) => {
  switch (k.type) {
    case 'strong': return html`<strong>${inline(k.tokens, t, inLink)}</strong>`;
    case 'em': return html`<em>${inline(k.tokens, t, inLink)}</em>`;
    case 'del': return html`<del>${inline(k.tokens, t, inLink)}</del>`;
    case 'codespan': return html`<code>${k.text}</code>`;
    case 'br': return html`<br />`;
    case 'link': return inLink ? inline(k.tokens, t, true) : link(k.href, inline(k.tokens, t, true));
    case 'image': {
      const words = `${t.image}: ${plain(k.text) || k.href}`;
      return inLink ? words : link(k.href, words);
    }
    case 'checkbox': return k.checked ? '☑ ' : '☐ ';
    case 'html': return k.raw;
    case 'escape': return k.text;
    default: return k.tokens ? inline(k.tokens, t, inLink) : plain(k.text ?? k.raw);
  }
});

const blocks = (tokens, t, tight) => tokens.map((k) => block(k, t, tight));

const item = (k, t) => {
  const box = k.task && !k.tokens.some((x) => x.type === 'checkbox' || x.tokens?.some((y) => y.type === 'checkbox'));
  return html`<li>${box && (k.checked ? '☑ ' : '☐ ')}${blocks(k.tokens, t, !k.loose)}</li>`;
};

const block = (k, t, tight) => {
  switch (k.type) {
    case 'space': case 'def': return null;
    case 'heading': return html`<div role="heading" aria-level="3" class=${'h' + k.depth}>${inline(k.tokens, t)}</div>`;
    case 'code': return html`<${Copyable} text=${k.text} lang=${(k.lang || '').split(' ')[0]} t=${t} />`;
    case 'blockquote': return html`<blockquote>${blocks(k.tokens, t)}</blockquote>`;
    case 'hr': return html`<hr />`;
    case 'list': return k.ordered ? html`<ol start=${k.start === '' ? 1 : k.start}>${k.items.map((i) => item(i, t))}</ol>` : html`<ul>${k.items.map((i) => item(i, t))}</ul>`;
    case 'table': return html`<div class="table" tabindex="0" role="group" aria-label=${t.table}><table>
      <thead><tr>${k.header.map((c) => html`<th align=${c.align}>${inline(c.tokens, t)}</th>`)}</tr></thead>
      <tbody>${k.rows.map((r) => html`<tr>${r.map((c) => html`<td align=${c.align}>${inline(c.tokens, t)}</td>`)}</tr>`)}</tbody></table></div>`;
    case 'checkbox': case 'text': return tight ? inline(k.tokens || [k], t) : html`<p>${inline(k.tokens || [k], t)}</p>`;
    case 'html': return html`<p>${k.raw.trim()}</p>`;
    default: return html`<p>${k.tokens ? inline(k.tokens, t) : k.raw}</p>`;
  }
};

// Growing is the Markdown of a text that grows. Only what follows the last finished block is read again: a block is
// finished once another one has a whole line after it. An update thus costs the length of the last block, not of the
// text, and finished blocks keep their nodes, which the view then skips.
export class Growing {
  _text = '';

  // nodes are those of the text so far; whole says that it is complete, and then it is read in one piece, because a
  // link may be defined after its use.
  nodes(text, t, whole) {
    if (!whole && text === this._text) return this._nodes;
    if (whole || !text.startsWith(this._text) || !this._text) {
      this._done = [];
      this._from = 0;
      this._links = Object.create(null);
    }
    this._text = text;
    const rest = text.slice(this._from);
    let tokens;
    try {
      const lexer = new Lexer({ ...options });
      lexer.tokens.links = this._links;
      tokens = lexer.lex(rest);
      if (whole) this._nodes = blocks(tokens, t);
    } catch { // nested beyond the stack: the text is still worth reading
      tokens = [];
      return (this._nodes = [...this._done, html`<p>${rest}</p>`]);
    }
    if (whole) return this._nodes;
    const last = tokens.length - 1;
    if (last > 0 && tokens[last].type !== 'space' && tokens[last].raw.includes('\n')) {
      for (const k of tokens.splice(0, last)) {
        this._done.push(block(k, t));
        this._from += k.raw.length;
      }
    }
    return (this._nodes = [...this._done, ...blocks(tokens, t)]);
  }
}

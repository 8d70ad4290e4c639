// Requests to /widget/v1 as the contract has them: the envelope, and server-sent events read from a fetch stream.

const send = window.fetch.bind(window); // the page may wrap its own later
const { parse, stringify } = JSON;
const patience = 20000; // for an answer, ms
const silence = 45000; // heartbeats are at most 20 s apart

// Problem is why a request failed: status 0 is a network that is not there. after is in seconds.
export const problem = (status, type, message, after) => ({ __proto__: null, status, type, message, after });

// json writes strings, lists and flat objects by itself: what a page did to JSON.stringify or to toJSON has no say in it.
const quote = (text) => '"' + text.replace(/["\\\0-\x1f]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')) + '"';
const json = (value) => {
  if (typeof value === 'string') return quote(value);
  if (!value || typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return '[' + value.map(json) + ']';
  return '{' + Object.keys(value).filter((k) => value[k] !== undefined).map((k) => quote(k) + ':' + json(value[k])).join(',') + '}';
};

// resultOf is what a handler of the page returned, or how it failed: in words, without the stack.
export const resultOf = async (claim, work) => {
  try {
    const raw = `{"claim":${quote(claim)},"result":${stringify(await work()) ?? null}}`;
    if (raw.length > 65536) throw 'The result is too large.';
    return { claim, raw };
  } catch (e) {
    console.warn('Parley:', e);
    return { claim, error: String(e?.message || e).slice(0, 1000) };
  }
};

const begin = async (url, method, token, body, lastId, signal) => {
  const headers = { __proto__: null };
  if (token) headers.Authorization = 'Bearer ' + token;
  if (body) headers['Content-Type'] = 'application/json';
  if (lastId) headers['Last-Event-ID'] = lastId;
  let response;
  try {
    response = await send(url, { __proto__: null, method, headers, body: body && (body.raw || json(body)), signal, credentials: 'omit', cache: 'no-store' });
  } catch {
    throw problem(0, 'network');
  }
  if (response.ok) return response;
  let error;
  try { error = parse(await response.text()).error; } catch {} // not ours: a proxy's page
  throw problem(response.status, error?.type || 'internal', error?.message, +response.headers.get('Retry-After') || 0);
};

// request answers the data of a success and throws a problem otherwise.
export const request = async (url, method, token, body, signal) => {
  const abort = new AbortController();
  const stop = () => abort.abort();
  const timer = setTimeout(stop, patience);
  signal.addEventListener('abort', stop);
  try {
    const response = await begin(url, method, token, body, '', abort.signal);
    return parse(await response.text()).data;
  } catch (e) {
    throw e && e.type ? e : problem(0, 'network');
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
};

// follow reads events until the server ends the stream or the line is lost, which are one thing to a reader: only
// run.completed says that it is over.
export const follow = async (url, token, lastId, signal, each) => {
  const abort = new AbortController();
  const stop = () => abort.abort();
  let timer;
  const alive = () => { clearTimeout(timer); timer = setTimeout(stop, silence); };
  alive();
  signal.addEventListener('abort', stop);
  try {
    const response = await begin(url, 'GET', token, null, lastId, abort.signal);
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let rest = '', id = '', type = '', data = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      if (rest.length > 1e6) return; // nothing of ours is that long
      for (const line of lines) {
        if (!line) {
          if (data) each(id, type, parse(data));
          type = data = '';
        } else if (line.startsWith('id:')) id = line.slice(3).trim();
        else if (line.startsWith('event:')) type = line.slice(6).trim();
        else if (line.startsWith('data:')) data += line.slice(5).trim();
      }
    }
  } catch (e) {
    throw e && e.type ? e : problem(0, 'network');
  } finally {
    clearTimeout(timer);
    stop();
    signal.removeEventListener('abort', stop);
  }
};

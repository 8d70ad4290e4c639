// The conversation: its messages, the run that is at work, and everything that is said to the server. The view reads
// its fields and is told by changed().
import { follow, problem, request, resultOf } from './http.js';
import { callOf, channel, exclusive, pendingOf, tokenOf } from './storage.js';

const attempts = 5; // to post a message: it has an id, so that twice is once
const persistence = 60; // losses of a stream in a row, about ten minutes
const isNetwork = (e) => !e.status || e.status >= 500;

// randomUUID needs a secure context; a page in development may have none.
const uuid = () => crypto.randomUUID?.() || '10000000-1000-4000-8000-100000000000'.replace(/[018]/g, (d) => (d ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (d / 4)))).toString(16));

// frozen is what a handler of the page may read and not change: it is shared.
const frozen = (value) => {
  if (value && typeof value === 'object') Object.values(Object.freeze(value)).forEach(frozen);
  return value;
};

export class Conversation {
  phase = 'idle'; // connecting, ready, lost: then problem says why
  problem = null;
  config = { __proto__: null };
  messages = []; // {key, id, role, text, at, status, rating, runId, problem}; replaced, never changed
  run = null; // {id, text, tools, lost, problem, stopping}
  sending = false;

  constructor({ agent, base, ticket, own, changed, heard, failed }) {
    Object.assign(this, { agent, changed, failed, heard, own, ticket });
    this._api = base + 'widget/v1/';
    this._token = tokenOf(agent);
    this._pending = pendingOf(agent);
    this._life = new AbortController();
    this._channel = channel(agent, (m) => this._hear(m));
    this._wakers = new Set();
    this._tools = new Map(); // the page's handlers by function name
    this._begun = new Set(); // ids of their calls
    this._online = () => { for (const wake of [...this._wakers]) wake(); };
    addEventListener('online', this._online);
  }

  destroy() {
    this._life.abort();
    this._channel.close();
    removeEventListener('online', this._online);
    this._online();
  }

  get dead() { return this._life.signal.aborted; }
  get ready() { return this.phase === 'ready'; }
  get busy() { return this.sending || !!this.run; }

  // connect opens the conversation, or brings it up to date.
  async connect() {
    if (this.phase === 'connecting') return;
    if (!this.ready) this._set({ phase: 'connecting', problem: null });
    try {
      let visitor, session;
      do {
        visitor = this._visitor; // identify may come meanwhile
        session = await this._session();
      } while (visitor !== this._visitor);
      this._apply(session);
    } catch (e) {
      this.failed(e);
      if (this.dead) return;
      if (e.status === 400 && this._visitor) { // the page's proof of who this is: the chat works without
        this._visitor = null;
        if (!this.ready) this.phase = 'idle';
        return this.connect();
      }
      if (!this.ready) this._set({ phase: 'lost', problem: e });
      return;
    }
    const pending = this._pending.get();
    if (pending && !this.sending) {
      const [key, text] = pending.split(/ (.*)/s);
      if (!this.messages.some((m) => m.key === key)) this._deliver(this._add({ key, role: 'user', text, at: new Date().toISOString() }));
    }
  }

  identify(visitor) {
    this._visitor = visitor;
    if (this.phase !== 'idle') this.connect();
  }

  // tool lets the agent use a function of the page, or no longer.
  tool(name, handler) {
    if (typeof handler === 'function') this._tools.set(name, handler);
    else this._tools.delete(name);
    this.run?.asked.forEach((call) => this._perform(this.run, call)); // asked before it was there
  }

  // _perform runs a tool call that was asked of this visitor's pages: in one of them, once. What a reload interrupted
  // is not run again.
  async _perform(run, { requestId, name, arguments: given }) {
    const handler = this._tools.get(name);
    if (!handler || this._begun.has(requestId)) return;
    this._begun.add(requestId);
    const path = `runs/${run.id}/tools/${requestId}`;
    const mark = callOf(this.agent, requestId);
    let claim = mark.get(), answer;
    if (claim) answer = { claim, error: 'The page was left meanwhile. Whether it had an effect is unknown.' };
    else {
      mark.set((claim = uuid()));
      const { claimed } = (await this._insist(path + '/claim', { claim })) || {};
      if (claimed) answer = await resultOf(claim, () => handler(frozen(given)));
    }
    if (answer) await this._insist(path, answer);
    mark.set('');
  }

  // _insist posts what may be posted twice. A result that the server cannot take becomes an error that says so.
  async _insist(path, body) {
    for (let attempt = 1; attempt <= attempts && !this.dead; attempt++) {
      try {
        return await this._call('POST', path, body);
      } catch (e) {
        if (isNetwork(e) || e.status === 429) await this._pause(attempt, e.after);
        else if (body.raw && e.type === 'invalid_request') body = { claim: body.claim, error: e.message };
        else return;
      }
    }
  }

  send(text) {
    text = text.trim();
    if (!text || this.busy || !this.ready) return;
    this._deliver(this._add({ key: uuid(), role: 'user', text, at: new Date().toISOString() }));
  }

  // again posts a message that did not arrive.
  again(message) {
    if (!this.busy) this._deliver(message);
  }

  // retry asks for another answer in the place of one that failed, or of the newest.
  async retry(message) {
    if (this.busy) return;
    this._set({ sending: true });
    try {
      const { runId } = await this._call('POST', `runs/${message.runId}/retry`, { clientTools: [...this._tools.keys()] });
      this._share({ type: 'retry', runId, old: message.runId });
      this._replace(message.runId);
      this._follow(runId);
    } catch (e) {
      this._patch(message, { problem: e });
    }
    this._set({ sending: false });
  }

  async stop() {
    if (!this.run || this.run.stopping) return;
    this.run.stopping = true;
    this.changed();
    try { await this._call('POST', `runs/${this.run.id}/stop`, {}); } catch { if (this.run) this.run.stopping = false; }
    this.changed();
  }

  async rate(message, rating, comment) {
    const before = message.rating;
    const rated = this._patch(message, { rating });
    try {
      await this._call('POST', 'feedback', { messageId: message.id, rating, comment });
      this._share({ type: 'rate', id: message.id, rating });
    } catch {
      this._patch(rated, { rating: before });
    }
  }

  // restart ends the conversation for good and begins another.
  async restart() {
    if (this._token.get()) {
      try {
        const ended = await this._call('DELETE', 'conversation');
        this.ticket = ended?.ticket || this.ticket; // the page may be older than the one that it came with
      } catch (e) {
        if (e.status !== 401 && e.status !== 404) return e;
      }
    }
    this._share({ type: 'reset', ticket: this.ticket });
    const idle = this.phase === 'idle'; // nobody has opened the chat on this page
    if (idle) this._token.set('');
    else return this._reset();
  }

  async _reset() {
    this._leave();
    this._pending.set('');
    this._set({ messages: [], sending: false, phase: 'idle' });
    await this.connect();
  }

  // A token may have been replaced by another tab: the newest is always in the storage.
  async _session() {
    return exclusive(this.agent, async () => {
      for (;;) {
        const token = this._token.get();
        try {
          const body = { agentId: this.agent };
          if (this._visitor) body.visitor = this._visitor;
          if (this.ticket) body.ticket = this.ticket;
          const session = await this._request('POST', 'sessions', token, body);
          this._token.set(session.token);
          this.ticket = session.ticket || this.ticket;
          return session;
        } catch (e) {
          if (e.status !== 401 || !token) throw e;
          this._token.set(''); // beyond resuming: begin anew
        }
      }
    });
  }

  _request(method, path, token, body) {
    return request(this._api + path, method, token, body, this._life.signal);
  }

  async _call(method, path, body) {
    const token = this._token.get();
    try {
      return await this._request(method, path, token, body);
    } catch (e) {
      if (e.status !== 401) throw e;
      if (this._token.get() === token) this._apply(await this._session());
      return this._request(method, path, this._token.get(), body);
    }
  }

  _apply({ config, messages, activeRun, visitor }) {
    const unsent = this.messages.filter((m) => !m.id && m.role === 'user');
    const keys = new Map(this.messages.map((m) => [m.id, m.key]));
    this._set({ phase: 'ready', problem: null, config: { __proto__: null, ...config, ...this.own }, visitor, messages: messages.map((m) => ({ ...m, key: keys.get(m.id) || m.id })).concat(unsent) });
    if (!activeRun) this._leave();
    else this._follow(activeRun.runId);
  }

  async _deliver(message) {
    this._set({ sending: true });
    this._pending.set(message.key + ' ' + message.text);
    message = this._patch(message, { problem: null });
    for (let attempt = 1; ; attempt++) {
      try {
        const { runId, messageId } = await this._call('POST', 'messages', { clientMessageId: message.key, text: message.text, clientTools: [...this._tools.keys()] });
        this._pending.set('');
        const twice = this.messages.some((m) => m.id === messageId); // it had arrived before a reload
        if (twice) this._set({ messages: this.messages.filter((m) => m.key !== message.key) });
        else this._share({ type: 'sent', runId, message: (message = this._patch(message, { id: messageId })) });
        this._set({ sending: false });
        this._follow(runId);
        return;
      } catch (e) {
        if (this.dead) return;
        const soon = isNetwork(e) || (e.status === 429 && e.after && e.after <= 5);
        if (soon && attempt < attempts) {
          if (isNetwork(e)) this._patch(message, { problem: problem(0, 'waiting') });
          await this._pause(attempt, e.after);
          continue;
        }
        this._pending.set('');
        this._set({ sending: false });
        this._patch(message, { problem: e });
        if (e.status === 409) this.connect(); // another tab was faster, or the agent left
        return;
      }
    }
  }

  // _follow shows a run until it is over, through lost lines.
  async _follow(runId) {
    if (this.run?.id === runId || this.messages.some((m) => m.runId === runId && m.role === 'assistant')) return;
    this._leave();
    const run = (this.run = { id: runId, text: '', tools: [], asked: [], abort: new AbortController() });
    this.changed();
    let last = '', losses = 0, missing = 0;
    const each = (id, type, data) => {
      if (this.run !== run) return;
      last = id || last;
      losses = 0;
      run.lost = false;
      if (type === 'message.delta') run.text += data.text;
      else if (type === 'tool.started') run.tools = [...run.tools, { id: data.id, name: data.name }];
      else if (type === 'tool.requested') {
        run.asked.push(data);
        this._perform(run, data);
      } else if (type === 'tool.completed') run.tools = run.tools.map((t) => (t.id === data.id ? { ...t, done: true } : t));
      else if (type === 'message.completed') Object.assign(run, { messageId: data.messageId, text: data.text });
      else if (type === 'error') run.problem = problem(0, data.type, data.message);
      else if (type === 'run.completed') return this._finish(run, data.status);
      this.changed();
    };
    while (this.run === run && !this.dead) {
      try {
        await follow(`${this._api}runs/${runId}/events`, this._token.get(), last, run.abort.signal, each);
      } catch (e) {
        if (this.run !== run || this.dead) return;
        if (e.status === 401 || e.status === 404) {
          if (missing++) return this._finish(run, 'failed');
          await this.connect(); // what happened meanwhile is in the messages
        } else if (!isNetwork(e) && e.status !== 429) {
          run.problem = e;
          return this._finish(run, 'failed');
        }
      }
      if (this.run !== run) return;
      if (++losses > persistence) {
        run.problem = problem(0, 'network');
        return this._finish(run, 'failed');
      }
      if (losses > 1) run.lost = true;
      this.changed();
      await this._pause(losses);
    }
  }

  _leave() {
    const { run } = this;
    this.run = null;
    if (run) run.abort.abort();
  }

  _finish(run, status) {
    this._leave();
    const message = { key: run.id, id: run.messageId, role: 'assistant', text: run.text, tools: run.tools, at: new Date().toISOString(), status, runId: run.id, problem: status === 'failed' ? run.problem || problem(0, 'internal') : null };
    if (run.text || status === 'failed') this._add(message);
    else this.changed();
  }

  _hear({ type, message, runId, old, id, rating, ticket }) {
    if (!this.ready) return;
    if (type === 'reset') {
      this.ticket = ticket;
      this._reset();
    } else if (type === 'rate') this._set({ messages: this.messages.map((m) => (m.id === id ? { ...m, rating } : m)) });
    else {
      if (type === 'retry') this._replace(old);
      else if (!this.messages.some((m) => m.id === message.id)) this._add(message);
      this._follow(runId);
    }
  }

  _share(m) { this._channel.postMessage(m); }

  _replace(runId) {
    this._set({ messages: this.messages.filter((m) => m.runId !== runId || m.role === 'user') });
  }

  _add(message) {
    this._set({ messages: [...this.messages, message] });
    this.heard(message);
    return message;
  }

  _patch(message, fields) {
    const changed = { ...message, ...fields };
    this._set({ messages: this.messages.map((m) => (m.key === message.key ? changed : m)) });
    return changed;
  }

  _set(fields) {
    Object.assign(this, fields);
    if (!this.dead) this.changed();
  }

  // _pause waits longer each time, or until the browser says that it is online again.
  _pause(attempt, seconds) {
    return new Promise((resolve) => {
      const wake = () => { clearTimeout(timer); this._wakers.delete(wake); resolve(); };
      const timer = setTimeout(wake, seconds ? seconds * 1000 : Math.min(500 * 2 ** (attempt - 1), 15000) * (0.8 + Math.random() * 0.4));
      this._wakers.add(wake);
    });
  }
}

// What outlives a page: the visitor's token for all tabs of the site, and a message of this tab that is not yet
// accepted. Where the browser refuses storage, both live as long as the page.

const kept = { __proto__: null };

const slot = (area, key) => ({
  get() {
    try { return window[area].getItem(key) || ''; } catch { return kept[key] || ''; }
  },
  set(value) {
    kept[key] = value;
    try {
      if (value) window[area].setItem(key, value);
      else window[area].removeItem(key);
    } catch {} // blocked or full
  },
});

export const tokenOf = (agent) => slot('localStorage', `parley:${agent}:token`);
export const pendingOf = (agent) => slot('sessionStorage', `parley:${agent}:pending`);
// callOf says whether this tab began to run a tool call: then it must not run it again after a reload.
export const callOf = (agent, id) => slot('sessionStorage', `parley:${agent}:${id}`);

// channel reaches the other tabs of the site. Without one, a tab learns on its next load.
export const channel = (agent, hear) => {
  try {
    const c = new BroadcastChannel('parley:' + agent);
    c.onmessage = (e) => hear(e.data);
    return c;
  } catch {
    return { postMessage() {}, close() {} };
  }
};

// exclusive lets one tab at a time do something, where the browser can say so.
export const exclusive = (agent, work) => (navigator.locks ? navigator.locks.request('parley:' + agent, work) : work());

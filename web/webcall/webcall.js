// The browser phone: a page's microphone and loudspeaker in a call with a voice agent of Parley. One class, no
// dependency; docs/web-call.md describes its use and the protocol.
//
//   import { WebCall } from "https://parley.example/web-call.js";
//   const call = new WebCall({ connect: async (conversationId) => (await fetch("/my-server/call", …)).json() });
//   call.addEventListener("transcript", (e) => show(e.detail));
//   button.onclick = () => call.start();   // browsers start sound only after a click
//
// connect asks the page's own server, which asks POST /api/v1/agents/{id}/web-call and passes on its `data`: the
// API key never reaches the page. It is called again, with the conversation's id, when a lost call cannot be
// resumed without it.

const SUBPROTOCOL = "parley.web-call.v1";
const PING = 2000; // ms between signs of life
const SILENT = 6500; // ms without a word from the server: the connection is dead
const OPENING = 8000; // ms for a socket to open and to be welcomed
const GOODBYE = 2000; // ms for the server to say how the call ended
const KEPT = 250; // frames of the microphone kept while the connection is away: 5 s
const WAITS = [0, 400, 1000, 2000, 3000]; // ms before each attempt to come back; the last one repeats

// WebCallError says why a call could not begin; its message is for people.
export class WebCallError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "WebCallError";
    this.code = code; // insecure, unsupported, microphone_denied, microphone_missing, refused
  }
}

// WebCall is one call. Events, each a CustomEvent with a detail:
//   state       {state}  microphone, connecting, listening, thinking, speaking, reconnecting, ended
//   transcript  {id, role, text, heard, final, interrupted}: a line is new or has changed; call.transcript has all
//   caller      {speaking}: whether the agent hears the caller speak
//   level       {in, out}: loudness of microphone and loudspeaker, 0 to 1, 20 times a second
//   ended       {reason, message}: once; the message is for people and may be empty
export class WebCall extends EventTarget {
  #options;
  #state = "idle";
  #lines = new Map();
  #muted = false;
  #ending = false;

  #context = null;
  #microphone = null;
  #node = null;
  #stats = { playedMs: 0, clearedMs: 0, bufferedMs: 0, underruns: 0, energy: 0, in: 0, out: 0, roundTripMs: null, sockets: 0, marks: 0, clears: 0 };

  #socket = null;
  #epoch = 0; // of the socket: marks and timers of an older one say nothing
  #welcome = null; // of the newest stream
  #address = "";
  #heardFrom = 0; // when the server last said something
  #pinged = 0;
  #held = []; // frames of the microphone while no stream is open
  #lostAt = 0;
  #attempts = 0;
  #timer = 0;

  // options: connect (required), audioURL (of the worklet; default: beside this module), deviceId (of a
  // microphone), constraints (of getUserMedia's audio, merged over the defaults), tone (false: no tone at the end).
  constructor(options) {
    super();
    if (typeof options?.connect !== "function") throw new TypeError("WebCall needs a function connect that fetches a token");
    this.#options = options;
  }

  get state() { return this.#state; }
  get conversationId() { return this.#welcome?.conversationId ?? null; }
  get muted() { return this.#muted; }
  get transcript() { return [...this.#lines.values()]; }
  get stats() { return { ...this.#stats }; }

  // start asks for the microphone and begins the call. Call it from a click. It throws a WebCallError when the call
  // cannot begin, and resolves when it is connected.
  async start() {
    if (this.#state !== "idle") throw new WebCallError("refused", "This call has already begun. Make a new one.");
    try {
      await this.#openAudio();
      this.#become("connecting");
      const { url } = await this.#connect(null);
      if (this.#ending) return;
      this.#address = url;
      await this.#open(url);
    } catch (error) {
      if (this.#ending) return;
      this.#finish("failed", error.message, false);
      throw error instanceof WebCallError ? error : new WebCallError("refused", "The call could not be connected. Try again in a moment.");
    }
  }

  // hangUp ends the call.
  hangUp() {
    if (this.#ending) return;
    this.#ending = true;
    clearTimeout(this.#timer);
    this.#node?.port.postMessage({ clear: "silently" });
    if (!this.#send({ type: "stop" })) return this.#finish("caller_hangup", "", false);
    this.#timer = setTimeout(() => this.#finish("caller_hangup", "", false), GOODBYE);
  }

  // mute sends silence instead of the microphone, so that the call goes on.
  mute(on = true) {
    this.#muted = Boolean(on);
    this.#node?.port.postMessage({ mute: this.#muted });
  }

  // press sends keys of a telephone: 0-9, *, #, A-D.
  press(digits) {
    for (const digit of String(digits).toUpperCase()) {
      if (!"0123456789*#ABCD".includes(digit)) throw new RangeError(`"${digit}" is not a key of a telephone`);
      this.#send({ type: "dtmf", digit });
    }
  }

  // --- sound -------------------------------------------------------------------------------------------------

  async #openAudio() {
    if (!globalThis.isSecureContext) throw new WebCallError("insecure", "Browsers allow the microphone on https pages and on this computer only. Open this page with https.");
    if (!navigator.mediaDevices?.getUserMedia || !globalThis.AudioWorkletNode) throw new WebCallError("unsupported", "This browser cannot make calls. Use a current one.");
    this.#become("microphone");
    this.#context = new AudioContext({ latencyHint: "interactive" });
    const worklet = this.#context.audioWorklet.addModule(this.#options.audioURL ?? new URL("web-call-audio.js", import.meta.url));
    worklet.catch(() => {}); // awaited below, unless the microphone fails first
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1, ...this.#options.constraints };
    if (this.#options.deviceId) audio.deviceId = { exact: this.#options.deviceId };
    try {
      this.#microphone = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      if (error.name === "NotAllowedError" || error.name === "SecurityError") throw new WebCallError("microphone_denied", "The microphone is blocked. Allow it for this page in the browser, then call again.");
      throw new WebCallError("microphone_missing", "No microphone was found. Connect one, then call again.");
    }
    try {
      await worklet;
    } catch {
      throw new WebCallError("refused", "The call's audio could not be loaded. Try again in a moment.");
    }
    if (this.#ending) return this.#closeAudio();
    await this.#context.resume();
    this.#node = new AudioWorkletNode(this.#context, "parley-web-call", { numberOfInputs: 1, numberOfOutputs: 1, outputChannelCount: [1] });
    this.#node.port.onmessage = ({ data }) => this.#fromAudio(data);
    this.#context.createMediaStreamSource(this.#microphone).connect(this.#node);
    this.#node.connect(this.#context.destination);
    this.#node.port.postMessage({ mute: this.#muted });
    // A telephone call on a phone, or sleep, suspends the sound: take it up again when it may be.
    this.#context.onstatechange = () => { if (this.#context?.state === "suspended" || this.#context?.state === "interrupted") this.#context.resume().catch(() => {}); };
    addEventListener("pagehide", this.#pageHides);
    addEventListener("online", this.#backOnline);
  }

  #fromAudio({ audio, mark, tick, cleared }) {
    if (audio) {
      if (this.#streaming) this.#socket.send(audio);
      else if (this.#held.push(audio) > KEPT) this.#held.shift();
    } else if (mark) {
      if (mark.epoch === this.#epoch) this.#send({ type: "mark", name: mark.name });
    } else if (cleared !== undefined) {
      this.#stats.clearedMs = cleared; // of all that was played until the newest clear
    } else if (tick) {
      Object.assign(this.#stats, tick);
      this.#emit("level", { in: Math.min(1, tick.in), out: Math.min(1, tick.out) });
      this.#beat();
    }
  }

  #closeAudio() {
    removeEventListener("pagehide", this.#pageHides);
    removeEventListener("online", this.#backOnline);
    this.#microphone?.getTracks().forEach((track) => track.stop());
    this.#node?.port.postMessage({ over: true });
    this.#node?.disconnect();
    const context = this.#context;
    this.#node = this.#microphone = this.#context = null;
    return context;
  }

  // --- connection --------------------------------------------------------------------------------------------

  async #connect(conversationId) {
    const answer = await this.#options.connect(conversationId);
    const url = answer?.url ?? answer?.data?.url;
    if (typeof url !== "string") throw new WebCallError("refused", "The call could not be connected. Try again in a moment.");
    return { url };
  }

  get #streaming() { return this.#socket?.readyState === WebSocket.OPEN && this.#welcome?.epoch === this.#epoch; }

  #send(message) {
    if (!this.#streaming) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  // open resolves when the server has welcomed the stream, and rejects when the socket closes before.
  #open(url) {
    const epoch = ++this.#epoch;
    const socket = new WebSocket(url, [SUBPROTOCOL]);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#stats.sockets++;
    return new Promise((resolve, reject) => {
      const timeout = setTimeout(() => socket.close(), OPENING);
      socket.onmessage = ({ data }) => {
        if (epoch !== this.#epoch || this.#state === "ended") return;
        this.#heardFrom = performance.now();
        if (typeof data !== "string") return this.#node?.port.postMessage({ audio: new Uint8Array(data) });
        const message = JSON.parse(data);
        if (message.type === "welcome") {
          clearTimeout(timeout);
          this.#welcomed({ ...message, epoch });
          resolve();
        } else this.#receive(message, epoch);
      };
      socket.onclose = ({ code }) => {
        clearTimeout(timeout);
        reject(new WebCallError("refused", "The server did not take the call. Try again in a moment."));
        if (epoch === this.#epoch && this.#welcome?.epoch === epoch) this.#lost(code);
      };
    });
  }

  #welcomed(welcome) {
    this.#welcome = welcome;
    this.#lostAt = this.#attempts = 0;
    this.#pinged = 0;
    this.#node?.port.postMessage({ clear: "silently" }); // what is left of an earlier stream
    for (const frame of this.#held.splice(0)) this.#socket.send(frame);
    if (this.#ending) this.#send({ type: "stop" });
  }

  #receive(message, epoch) {
    switch (message.type) {
      case "mark":
        this.#stats.marks++;
        return this.#node?.port.postMessage({ mark: { name: message.name, epoch } });
      case "clear":
        this.#stats.clears++;
        return this.#node?.port.postMessage({ clear: true });
      case "state":
        return this.#ending || this.#become(message.state);
      case "transcript":
        return this.#line(message);
      case "caller":
        return this.#emit("caller", { speaking: message.speaking });
      case "pong":
        this.#stats.roundTripMs = Math.round(performance.now() - message.t);
        return;
      case "ended":
        return this.#finish(message.reason, message.message, !this.#ending);
      case "error":
        return this.#finish("failed", "The call ended because of an error in this page.", true);
    }
  }

  #line({ id, role, text, final, interrupted }) {
    let line = this.#lines.get(id);
    if (!line) this.#lines.set(id, line = { id, role, text: "", heard: null, final: false, interrupted: false });
    if (line.final && !final) return; // told again after a resume
    if (final && role === "assistant") line.heard = text;
    if (!(final && role === "assistant" && line.text)) line.text = text;
    line.final = final;
    line.interrupted = interrupted;
    this.#emit("transcript", { ...line });
  }

  // beat runs on the audio thread's clock, which browsers do not slow down in hidden pages.
  #beat() {
    const now = performance.now();
    if (!this.#streaming) return;
    if (now - this.#heardFrom > SILENT) {
      this.#socket.close();
      return this.#lost(1006);
    }
    if (now - this.#pinged >= PING) {
      this.#pinged = now;
      this.#send({ type: "ping", t: now });
    }
  }

  // lost comes back: first with the token that the stream was given, then with one from connect.
  #lost(code) {
    if (this.#state === "ended") return;
    if (this.#ending || code === 1008) return this.#finish(this.#ending ? "caller_hangup" : "failed", "", false);
    this.#epoch++; // the old socket is heard no more
    this.#lostAt = performance.now();
    this.#attempts = 0;
    this.#become("reconnecting");
    this.#again();
  }

  #again() {
    clearTimeout(this.#timer);
    const wait = WAITS[Math.min(this.#attempts, WAITS.length - 1)];
    this.#timer = setTimeout(() => this.#attempt(), wait);
  }

  async #attempt() {
    if (this.#state === "ended") return;
    const { resume, conversationId } = this.#welcome;
    if (performance.now() - this.#lostAt > (resume?.seconds ?? 60) * 1000) return this.#finish("carrier_lost", "The connection was lost.", true);
    const spare = this.#attempts++;
    try {
      let url = this.#address.replace(/[^/]+$/, resume?.token ?? "");
      if (!resume || spare >= 2 && spare % 2 === 0) ({ url } = await this.#connect(conversationId));
      if (this.#ending) return this.#finish("caller_hangup", "", false);
      await this.#open(url);
    } catch {
      if (this.#state !== "ended") this.#again();
    }
  }

  #backOnline = () => { if (this.#state === "reconnecting") { this.#attempts = 0; this.#again(); } };
  #pageHides = () => { this.#send({ type: "stop" }); this.#finish("caller_hangup", "", false); };

  // --- the end -----------------------------------------------------------------------------------------------

  #finish(reason, message, audible) {
    if (this.#state === "ended") return;
    clearTimeout(this.#timer);
    this.#ending = true;
    this.#epoch++;
    if (this.#socket && this.#socket.readyState < WebSocket.CLOSING) this.#socket.close(1000);
    const context = this.#closeAudio();
    if (context) hangUpTone(context, audible && this.#options.tone !== false);
    this.#become("ended");
    this.#emit("ended", { reason, message: message ?? "" });
  }

  #become(state) {
    if (this.#state === state || this.#state === "ended") return;
    this.#state = state;
    this.#emit("state", { state });
  }

  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}

// hangUpTone says that the other side has ended the call, as a telephone does, and closes the context.
function hangUpTone(context, audible) {
  if (!audible || context.state !== "running") return void context.close();
  const gain = new GainNode(context, { gain: 0 });
  const tone = new OscillatorNode(context, { frequency: 425 });
  tone.connect(gain).connect(context.destination);
  const now = context.currentTime;
  for (const at of [0, 0.3]) {
    gain.gain.setTargetAtTime(0.08, now + at, 0.005);
    gain.gain.setTargetAtTime(0, now + at + 0.15, 0.005);
  }
  tone.start(now);
  tone.stop(now + 0.6);
  tone.onended = () => context.close();
}

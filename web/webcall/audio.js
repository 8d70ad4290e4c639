// The audio thread of the browser phone: the microphone becomes µ-law frames of 20 ms at 8 kHz, what the server
// sends becomes sound, and marks come back when the audio before them has been played. It runs as an AudioWorklet
// and speaks with webcall.js over its port; docs/web-call.md describes the protocol behind both.
"use strict";

const RATE = 8000; // of the call, Hz
const FRAME = 160; // bytes of µ-law: 20 ms
const CROSSINGS = 16; // of the interpolation kernel on each side: flat to 3.4 kHz, −70 dB from 5 kHz
const PREBUFFER = 480; // samples to wait for after silence, unless a mark says that no more will come
const PATIENCE = 0.06; // seconds to wait for them
const TICK = 0.05; // seconds between reports of levels

// ITU-T G.711 µ-law.
const DECODED = new Float32Array(256);
for (let code = 0; code < 256; code++) {
  const u = ~code & 0xff;
  const magnitude = ((((u & 0x0f) << 3) + 132) << (u >> 4 & 7)) - 132;
  DECODED[code] = (u & 0x80 ? -magnitude : magnitude) / 32768;
}

function encode(sample) {
  let value = Math.round(Math.max(-1, Math.min(1, sample)) * 32635);
  const sign = value < 0 ? 0x80 : 0;
  value = Math.min(Math.abs(value), 32635) + 132;
  let exponent = 7;
  for (let bit = 0x4000; exponent > 0 && !(value & bit); bit >>= 1) exponent--;
  return ~(sign | exponent << 4 | value >> exponent + 3 & 0x0f) & 0xff;
}

// Resampler converts a stream between two whole rates with a windowed sinc, one set of weights for each phase.
class Resampler {
  constructor(from, to) {
    let a = from, b = to;
    while (b) [a, b] = [b, a % b];
    this.up = to / a;
    this.down = from / a;
    const band = Math.min(1, to / from) * 0.95;
    this.half = Math.ceil(CROSSINGS / Math.min(1, to / from));
    this.taps = 2 * this.half;
    this.weights = new Float32Array(this.up * this.taps);
    for (let phase = 0; phase < this.up; phase++) {
      let sum = 0;
      for (let k = 0; k < this.taps; k++) {
        const x = k - this.half + 1 - phase / this.up;
        const sinc = x === 0 ? 1 : Math.sin(Math.PI * band * x) / (Math.PI * band * x);
        const w = Math.abs(x) < this.half ? sinc * (0.5 + 0.5 * Math.cos(Math.PI * x / this.half)) : 0;
        this.weights[phase * this.taps + k] = w;
        sum += w;
      }
      for (let k = 0; k < this.taps; k++) this.weights[phase * this.taps + k] /= sum;
    }
    this.past = new Float32Array(2 * this.taps); // the newest samples, twice, so that they always lie in a row
    this.at = 0;
    this.phase = 0; // of the next output
    this.due = this.half; // inputs to take before it
  }

  push(sample) {
    this.past[this.at] = this.past[this.at + this.taps] = sample;
    this.at = (this.at + 1) % this.taps;
    this.due--;
  }

  // ready says that an output can be had without another input.
  get ready() { return this.due <= 0; }

  pull() {
    const base = this.phase * this.taps;
    let sum = 0;
    for (let k = 0; k < this.taps; k++) sum += this.past[this.at + k] * this.weights[base + k];
    this.phase += this.down;
    this.due += Math.floor(this.phase / this.up);
    this.phase %= this.up;
    return sum;
  }
}

// Playout is the queue of what has been received: audio and, between it, marks.
class Playout {
  constructor(echo) {
    this.echo = echo;
    this.queue = []; // Uint8Array or mark {name, epoch}
    this.offset = 0; // in the first
    this.buffered = 0; // samples
    this.marks = 0;
    this.running = false;
    this.since = 0; // when the oldest waiting audio came
    this.fade = 0; // samples left of a cut
    this.last = 0;
    this.dry = -1; // when audio ran out although no mark had ended it
    this.played = this.underruns = 0;
  }

  audio(bytes, now) {
    if (this.buffered === 0) this.since = now;
    if (this.dry >= 0 && now - this.dry < 1) this.underruns++;
    this.dry = -1;
    this.queue.push(bytes);
    this.buffered += bytes.length;
  }

  mark(mark) {
    this.dry = -1;
    this.queue.push(mark);
    this.marks++;
    if (this.buffered === 0) this.settle();
  }

  // clear drops everything and answers the marks, as the protocol wants. A ramp of 4 ms keeps it from clicking.
  clear(silently) {
    for (const entry of this.queue) if (!silently && !(entry instanceof Uint8Array)) this.echo(entry);
    this.queue = [];
    this.offset = this.buffered = this.marks = 0;
    if (this.running) this.fade = 32;
    this.running = false;
  }

  // settle answers the marks at the head of the queue.
  settle() {
    while (this.queue.length && !(this.queue[0] instanceof Uint8Array)) {
      this.marks--;
      this.echo(this.queue.shift());
    }
  }

  next(now) {
    if (this.fade > 0) return this.last *= --this.fade / 32;
    if (!this.running) {
      if (this.buffered === 0) return 0;
      if (this.buffered < PREBUFFER && this.marks === 0 && now - this.since < PATIENCE) return 0;
      this.running = true;
    }
    if (this.buffered === 0) {
      this.running = false;
      return 0;
    }
    const head = this.queue[0];
    this.last = DECODED[head[this.offset++]];
    this.buffered--;
    this.played++;
    if (this.offset === head.length) {
      this.queue.shift();
      this.offset = 0;
      if (this.queue.length === 0) this.dry = now;
      this.settle();
    }
    return this.last;
  }
}

class WebCallAudio extends AudioWorkletProcessor {
  constructor() {
    super();
    this.up = new Resampler(RATE, sampleRate);
    this.down = new Resampler(sampleRate, RATE);
    this.playout = new Playout((mark) => this.port.postMessage({ mark }));
    this.frame = new Uint8Array(FRAME);
    this.filled = 0;
    this.muted = false;
    this.over = false;
    this.energy = { in: 0, out: 0, heard: 0, samples: 0 };
    this.port.onmessage = ({ data }) => this.command(data);
  }

  command(data) {
    if (data.audio) this.playout.audio(data.audio, currentTime);
    else if (data.mark) this.playout.mark(data.mark);
    else if (data.clear) {
      this.playout.clear(data.clear === "silently");
      this.port.postMessage({ cleared: Math.round(this.playout.played * 1000 / RATE) });
    }
    else if ("mute" in data) this.muted = data.mute;
    else if (data.over) this.over = true;
  }

  process(inputs, outputs) {
    this.capture(inputs[0], outputs[0][0].length);
    this.play(outputs[0]);
    if (this.energy.samples >= sampleRate * TICK) this.report();
    return !this.over;
  }

  // capture goes on without a microphone: the call needs its frames, silent or not.
  capture(channels, length) {
    for (let i = 0; i < length; i++) {
      let sample = 0;
      if (!this.muted) for (const channel of channels) sample += channel[i] / channels.length;
      this.energy.in += sample * sample;
      this.down.push(sample);
      while (this.down.ready) this.put(this.down.pull());
    }
    this.energy.samples += length;
  }

  put(sample) {
    this.frame[this.filled++] = encode(sample);
    if (this.filled < FRAME) return;
    this.port.postMessage({ audio: this.frame }, [this.frame.buffer]);
    this.frame = new Uint8Array(FRAME);
    this.filled = 0;
  }

  play(channels) {
    const out = channels[0];
    for (let i = 0; i < out.length; i++) {
      while (!this.up.ready) this.up.push(this.playout.next(currentTime));
      out[i] = this.up.pull();
      this.energy.out += out[i] * out[i];
    }
    for (let c = 1; c < channels.length; c++) channels[c].set(out);
  }

  report() {
    const e = this.energy;
    e.heard += e.out / sampleRate;
    this.port.postMessage({
      tick: {
        in: Math.sqrt(e.in / e.samples), out: Math.sqrt(e.out / e.samples),
        playedMs: Math.round(this.playout.played * 1000 / RATE), bufferedMs: Math.round(this.playout.buffered * 1000 / RATE),
        underruns: this.playout.underruns, energy: e.heard,
      },
    });
    e.in = e.out = e.samples = 0;
  }
}

registerProcessor("parley-web-call", WebCallAudio);

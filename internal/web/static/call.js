// The page that calls an agent: an operator's API key or login, one of the organization's voice agents, and the browser
// phone's client. Sites do the same with a server of their own in the place of the key.
import { WebCall } from "/web-call.js";

const $ = (id) => document.getElementById(id);
const STATES = {
  microphone: "Allow the microphone", connecting: "Connecting", listening: "Listening", thinking: "Thinking",
  speaking: "Speaking", reconnecting: "Connection lost, trying again", ended: "Call ended",
};
let call = null;
let clock = 0;
const chosen = new URLSearchParams(location.search).get("agent"); // by a page that asked for a login

// --- before the call: a key, an agent --------------------------------------------------------------------------

async function api(path, body) {
  const key = $("key").value.trim();
  const answer = await fetch(path, {
    method: body ? "POST" : "GET", headers: { ...(key && { "x-api-key": key }), ...(body && { "content-type": "application/json" }) },
    body: body && JSON.stringify(body),
  });
  const json = await answer.json();
  if (!json.success) throw Object.assign(new Error(json.error.message), { status: answer.status });
  return json.data;
}

function help(id, text, wrong) {
  $(id).textContent = text;
  $(id).classList.toggle("wrong", Boolean(wrong));
}

async function loadAgents() {
  const select = $("agent");
  select.disabled = $("dial").disabled = true;
  const login = !$("key").value.trim();
  if (login && !chosen) return;
  try {
    const { agents } = await api("/api/v1/agents?type=voice&sort=name&order=asc&limit=100");
    select.replaceChildren(...agents.map((agent) => new Option(agent.name, agent.id)));
    select.disabled = $("dial").disabled = agents.length === 0;
    if (agents.some(({ id }) => id === chosen)) select.value = chosen;
    $("key").required = !login;
    $("key").closest(".field").hidden = login;
    help("key-help", "The key is accepted.");
    help("agent-help", agents.length ? "" : "There is no voice agent yet. Create one, then enter the key again.", !agents.length);
  } catch (error) {
    select.replaceChildren(new Option("Enter the key first"));
    if (login) return;
    help("key-help", error.status === 401 ? "This key is not accepted. Check it, or create another." : error.message, true);
  }
}

$("key").addEventListener("change", loadAgents);
if (chosen) loadAgents();
$("setup").addEventListener("submit", (event) => {
  event.preventDefault();
  dial();
});

// --- the call --------------------------------------------------------------------------------------------------

async function dial() {
  const id = $("agent").value;
  call = new WebCall({
    connect: (conversationId) => api(`/api/v1/agents/${id}/web-call`, { test: true, allowedOrigin: location.origin, ...(conversationId && { conversationId }) }),
  });
  globalThis.parleyCall = call; // for the curious, and for tests
  call.addEventListener("state", ({ detail }) => show(detail.state));
  call.addEventListener("level", ({ detail }) => { meter("in", detail.in); meter("out", detail.out); });
  call.addEventListener("transcript", ({ detail }) => write(detail));
  call.addEventListener("ended", ({ detail }) => end(detail));
  $("setup").hidden = true;
  $("phone").hidden = $("transcript").hidden = false;
  $("name").textContent = $("agent").selectedOptions[0].textContent;
  $("lines").replaceChildren();
  help("record", "");
  buttons(true);
  $("clock").textContent = "0:00";
  $("hang").focus();
  try {
    await call.start();
    const begun = Date.now();
    clock = setInterval(() => {
      const seconds = Math.floor((Date.now() - begun) / 1000);
      $("clock").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    }, 250);
  } catch (error) {
    $("state").textContent = error.message;
  }
}

function show(state) {
  $("phone").dataset.state = state;
  $("state").textContent = STATES[state];
}

// Loudness on a scale of 50 dB, as ears hear it.
function meter(id, level) {
  $(id).style.transform = `scaleX(${Math.max(0, Math.min(1, 1 + Math.log10(Math.max(level, 1e-6)) / 2.5))})`;
}

function buttons(live) {
  for (const id of ["mute", "keys", "hang"]) $(id).hidden = !live;
  $("again").hidden = live;
  $("mute").setAttribute("aria-pressed", "false");
  $("keypad").hidden = true;
  $("keys").setAttribute("aria-expanded", "false");
}

function end({ message }) {
  clearInterval(clock);
  $("state").textContent = message || STATES.ended;
  meter("in", 0);
  meter("out", 0);
  buttons(false);
  if (call.conversationId) help("record", `On record as conversation ${call.conversationId}.`);
  $("again").focus();
}

// Words that were generated but not heard are struck.
function write({ id, role, text, heard, final, interrupted }) {
  let line = document.getElementById(`line-${id}`);
  if (!line) {
    line = Object.assign(document.createElement("li"), { id: `line-${id}`, className: role });
    $("lines").append(line);
  }
  const who = document.createElement("b");
  who.textContent = role === "user" ? "You" : $("name").textContent;
  const said = [heard ?? text];
  if (role === "user" && !text) said[0] = Object.assign(document.createElement("em"), { textContent: final ? "Not understood" : "…" });
  if (interrupted && heard !== null && text.startsWith(heard)) said.push(Object.assign(document.createElement("s"), { textContent: text.slice(heard.length) }));
  line.replaceChildren(who, ...said);
  const below = document.documentElement.scrollHeight - innerHeight - scrollY;
  if (below < 160) line.scrollIntoView({ block: "nearest" });
}

$("hang").addEventListener("click", () => call.hangUp());
$("again").addEventListener("click", dial);
$("mute").addEventListener("click", () => {
  call.mute(!call.muted);
  $("mute").setAttribute("aria-pressed", String(call.muted));
});
$("keys").addEventListener("click", () => {
  $("keypad").hidden = !$("keypad").hidden;
  $("keys").setAttribute("aria-expanded", String(!$("keypad").hidden));
});
for (const digit of "123456789*0#") {
  const key = Object.assign(document.createElement("button"), { type: "button", textContent: digit });
  key.addEventListener("click", () => call.press(digit));
  $("keypad").append(key);
}

// The page to try a chat agent: its settings, shown on the sample site while they are changed, and its embed code.
// It asks the API as the person who is logged in.
const $ = (id) => document.getElementById(id);
const path = `/api/v1/agents/${document.body.dataset.agent}`;
const form = $("look");
const TEXTS = ["theme", "position", "primaryColor", "title", "greeting", "placeholder"];
let saved = null; // the agent's settings as the server has them
let tag = ""; // and their version

async function api(address, method, body, headers) {
  const answer = await fetch(address, { method, body: body && JSON.stringify(body), headers: { ...(body && { "content-type": "application/json" }), ...headers } });
  const json = await answer.json();
  if (json.success) return { ...json, tag: answer.headers.get("etag") };
  if (answer.status === 401) {
    location.assign("/login?next=" + encodeURIComponent(location.pathname));
  }
  if (answer.status === 412) throw new Error("Somebody changed the agent meanwhile. Reload the page, then change it again.");
  throw new Error((json.error.details ?? []).map(({ field, message }) => `${field.replace("config.", "")} ${message}`).join(" ") || json.error.message);
}

function say(text, wrong) {
  $("state").textContent = text;
  $("state").classList.toggle("wrong", Boolean(wrong));
}

// --- the settings ------------------------------------------------------------------------------------------------

function fill(config) {
  for (const name of TEXTS) form.elements[name].value = config[name];
  form.elements.suggestions.value = config.suggestions.join("\n");
  swatch();
}

function settings() {
  const out = Object.fromEntries(TEXTS.map((name) => [name, form.elements[name].value]));
  out.suggestions = form.elements.suggestions.value.split("\n").map((line) => line.trim()).filter(Boolean);
  return out;
}

// The swatch speaks #RRGGBB only.
function swatch() {
  const color = $("primaryColor");
  if (color.validity.valid) $("swatch").value = color.value.length === 4 ? color.value.replace(/[^#]/g, "$&$&").toLowerCase() : color.value.toLowerCase();
}

function show() {
  if (saved && form.checkValidity()) $("site").contentWindow.showChat?.(settings());
}

let later = 0;
form.addEventListener("input", ({ target }) => {
  if (target.id === "swatch") $("primaryColor").value = target.value.toUpperCase();
  else if (target.id === "primaryColor") swatch();
  say(form.checkValidity() ? "Not saved yet." : "A color is written #RRGGBB or #RGB.", !form.checkValidity());
  clearTimeout(later);
  later = setTimeout(show, 300); // typing makes a new widget: once, at its end
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const { data, warnings = [], tag: newer } = await api(path, "PATCH", { config: settings() }, { "if-match": tag });
    [saved, tag] = [data.config, newer];
    fill(saved);
    show();
    say(["Saved.", ...warnings].join(" "));
  } catch (error) {
    say(error.message, true);
  }
});

$("reset").addEventListener("click", () => {
  fill(saved);
  show();
  say("As saved.");
});

// --- the sample site ---------------------------------------------------------------------------------------------

$("site").addEventListener("load", show);
$("site-look").addEventListener("change", () => {
  $("site").src = `/try/${document.body.dataset.agent}/site?look=${$("site-look").value}`;
});
$("phone").addEventListener("click", () => {
  const on = $("phone").getAttribute("aria-pressed") !== "true";
  $("phone").setAttribute("aria-pressed", String(on));
  document.querySelector(".screen").classList.toggle("phone", on);
});

// --- the embed code ----------------------------------------------------------------------------------------------

function showWay(ways) {
  const way = ways[$("way").value];
  $("code").textContent = way.code.trimEnd();
  $("note").textContent = way.note;
  $("directives").textContent = way.directives.join(";\n");
  $("policy").hidden = false;
}

async function loadCode() {
  const { data, warnings = [] } = await api(path + "/embed", "GET");
  const policy = (kind) => data.policies.find((p) => p.for === kind).directives;
  const ways = Object.fromEntries(data.platforms.map((p) => [p.id, { ...p, directives: policy("script") }]));
  ways.iframe = { id: "iframe", name: "An iframe", code: data.iframe, directives: policy("iframe"),
    note: "The chat as a part of the page, in a frame that the page's scripts cannot reach. Give it the size that you like." };
  $("way").replaceChildren(...Object.values(ways).map(({ id, name }) => new Option(name, id)));
  $("way").disabled = false;
  $("way").addEventListener("change", () => showWay(ways));
  showWay(ways);
  $("warnings").replaceChildren(...warnings.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  $("warnings").hidden = warnings.length === 0;
}

try {
  const { data, tag: version } = await api(path, "GET");
  [saved, tag] = [data.config, version];
  fill(saved);
  form.querySelector("fieldset").disabled = false;
  show();
  await loadCode();
} catch (error) {
  say(error.message, true);
}

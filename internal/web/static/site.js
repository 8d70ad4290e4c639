// The sample site's part of trying a chat: puts the widget on the page as somebody's site would, and again with other
// settings when the page around asks for it.
"use strict";
const { agent, ticket } = document.getElementById("sample").dataset;
const policy = globalThis.trustedTypes?.createPolicy("parley-site", { createScriptURL: (url) => url });
const MINUTES = 60_000;
let script = null;
let shown = {};
let open = false;

// showChat(settings): those of an agent's config. Its color and theme change in place; anything else takes a new widget,
// which goes on with the conversation.
globalThis.showChat = (settings) => {
  const { theme, primaryColor, ...rest } = settings;
  const { theme: oldTheme, primaryColor: oldColor, ...oldRest } = shown;
  shown = settings;
  if (script && JSON.stringify(rest) === JSON.stringify(oldRest)) {
    if (theme !== oldTheme) Parley("setTheme", theme);
    if (primaryColor !== oldColor) Parley("setColor", primaryColor);
    return;
  }
  if (performance.now() > 9 * MINUTES) return location.reload();
  if (script) {
    Parley("destroy");
    script.remove();
  }
  script = document.createElement("script");
  const address = "/widget.js?agent=" + agent;
  script.src = policy ? policy.createScriptURL(address) : address;
  const { position, title, greeting, placeholder, suggestions } = rest;
  const words = { title: title || "Chat", greeting: greeting || " ", placeholder: placeholder || " ", suggestions: suggestions.join("|") || " " };
  Object.assign(script.dataset, { agent, ticket, theme, color: primaryColor, position, ...words });
  if (open) script.dataset.open = "true";
  script.addEventListener("load", () => {
    Parley("on", "open", () => { open = true; });
    Parley("on", "close", () => { open = false; });
  });
  document.body.append(script);
};

// A ticket lives ten minutes: a page that is older gets another before a new session is opened.
setTimeout(() => { if (!open) location.reload(); }, 9 * MINUTES);

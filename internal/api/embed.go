package api

import (
	"cmp"
	"context"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"

	"parley"
	"parley/internal/origin"
)

// Embed is everything that puts an agent on a website.
type Embed struct {
	AgentID        string          `json:"agentId" format:"uuid"`
	Script         string          `json:"script" doc:"One line for the page: a button in the corner, and the chat behind it. The same as the agent's embedCode." example:"<script async src=\"https://parley.example/widget.js?agent=01a20b45-322f-7785-a533-b391f2d8bab5\" data-agent=\"01a20b45-322f-7785-a533-b391f2d8bab5\"></script>"`
	Iframe         string          `json:"iframe" doc:"The same chat as a part of the page, kept apart from its scripts." example:"<iframe src=\"https://parley.example/embed/01a20b45-322f-7785-a533-b391f2d8bab5\" title=\"Support\" width=\"400\" height=\"640\" loading=\"lazy\" allow=\"clipboard-write\"></iframe>"`
	Platforms      []EmbedPlatform `json:"platforms" nullable:"false" doc:"The script for where the page is made. None needs a package."`
	Policies       []EmbedPolicy   `json:"policies" nullable:"false" doc:"What a page with a Content-Security-Policy has to allow. Nothing else is needed: no unsafe-inline, no unsafe-eval, no style source."`
	FrameAncestors string          `json:"frameAncestors" doc:"Who may show the iframe, as the server says with it: the agent's allowedDomains. IPv6 addresses cannot be said there." example:"'self' https://www.example.com"`
	TryURL         string          `json:"tryUrl" format:"uri" doc:"A page where people with an API key see the chat on a sample site." example:"https://parley.example/try/01a20b45-322f-7785-a533-b391f2d8bab5"`
}

// EmbedPlatform is the code for one way to make pages.
type EmbedPlatform struct {
	ID   string `json:"id" enum:"html,react,vue,wordpress"`
	Name string `json:"name" example:"Plain HTML" doc:"For people."`
	Code string `json:"code" doc:"To be copied as it is." example:"<script async src=…></script>"`
	Note string `json:"note" example:"Put it before </body> of every page that shall have the chat." doc:"Where it goes."`
}

// EmbedPolicy is a part of a Content-Security-Policy.
type EmbedPolicy struct {
	For        string   `json:"for" enum:"script,iframe" doc:"Which of the two ways needs it."`
	Directives []string `json:"directives" nullable:"false" doc:"To be added to the page's own." example:"[\"script-src https://parley.example\",\"connect-src https://parley.example\"]"`
}

func (a *API) embedOperations() {
	read(a, operation{method: http.MethodGet, path: "/api/v1/agents/{agentId}/embed", id: "getAgentEmbed", tag: "Agents", scope: parley.ScopeAgentsRead,
		summary: "Get the code that puts an agent on a website", refusals: []int{404},
		description: "For chat agents. For voice agents, use a web call: `POST /api/v1/agents/{agentId}/web-call`."}, a.getEmbed)
}

func (a *API) getEmbed(ctx context.Context, orgID string, in *AgentPath) (reply[Embed], error) {
	if err := notFoundID(in.AgentID, "Agent"); err != nil {
		return refuse[Embed](err)
	}
	agent, err := a.opt.Store.FindAgent(ctx, orgID, in.AgentID)
	if err != nil {
		return refuse[Embed](err)
	}
	if agent.Chat == nil {
		return refuse[Embed](parley.Errorf(parley.CodeInvalid,
			"This is a voice agent: only chat agents have embed code. Call it from a website with POST /api/v1/agents/%s/web-call.", agent.ID))
	}
	return reply[Embed]{data: embedOf(a.opt.PublicURL, agent), warnings: embedWarnings(a.opt.PublicURL, agent)}, nil
}

// embedScript is the one line that puts a chat agent on a page. The server that sends the script inlines how the
// button looks, hence the query; data-agent is for the script.
func embedScript(publicURL, agentID string) string {
	return `<script async src="` + html.EscapeString(scriptURL(publicURL, agentID)) + `" data-agent="` + html.EscapeString(agentID) + `"></script>`
}

func scriptURL(publicURL, agentID string) string {
	return publicURL + "/widget.js?agent=" + url.QueryEscape(agentID)
}

// embedOf is the embed code of a chat agent. publicURL has no final slash.
func embedOf(publicURL string, agent parley.Agent) Embed {
	script := embedScript(publicURL, agent.ID)
	title := cmp.Or(agent.Chat.Title, "Chat")
	return Embed{
		AgentID: agent.ID, Script: script, FrameAncestors: origin.FrameAncestors(agent.Chat.AllowedDomains),
		TryURL: publicURL + "/try/" + url.PathEscape(agent.ID),
		Iframe: `<iframe src="` + html.EscapeString(publicURL+"/embed/"+url.PathEscape(agent.ID)) + `" title="` + html.EscapeString(title) +
			`" width="400" height="640" loading="lazy" allow="clipboard-write"></iframe>`,
		Platforms: []EmbedPlatform{
			{ID: "html", Name: "Plain HTML", Code: script, Note: "Put it before </body> of every page that shall have the chat."},
			{ID: "react", Name: "React", Code: fill(reactCode, publicURL, agent.ID), Note: "Render <ParleyChat /> once, near the root of the app. With Next.js, put \"use client\" in the file's first line."},
			{ID: "vue", Name: "Vue 3", Code: fill(vueCode, publicURL, agent.ID), Note: "Save it as ParleyChat.vue and use <ParleyChat /> once, in App.vue."},
			{ID: "wordpress", Name: "WordPress", Code: "add_action( 'wp_footer', function () {\n\t?>\n\t" + script + "\n\t<?php\n} );\n",
				Note: "Put it into functions.php of a child theme, or into a plugin for code snippets. Exclude widget.js from plugins that merge or delay scripts."},
		},
		Policies: []EmbedPolicy{
			{For: "script", Directives: []string{"script-src " + publicURL, "connect-src " + publicURL}},
			{For: "iframe", Directives: []string{"frame-src " + publicURL}},
		},
	}
}

const reactCode = `import { useEffect } from "react";

export function ParleyChat() {
  useEffect(() => {
    const script = document.createElement("script");
    script.async = true;
    script.src = {{src}};
    script.dataset.agent = {{agent}};
    document.body.append(script);
    return () => {
      window.Parley?.("destroy");
      script.remove();
    };
  }, []);
  return null;
}
`

const vueCode = `<script setup>
import { onMounted, onUnmounted } from "vue";

let script;
onMounted(() => {
  script = document.createElement("script");
  script.async = true;
  script.src = {{src}};
  script.dataset.agent = {{agent}};
  document.body.append(script);
});
onUnmounted(() => {
  window.Parley?.("destroy");
  script.remove();
});
</script>

<template></template>
`

// fill puts the address and the id into code as JavaScript strings, which also must not end a script element.
func fill(code, publicURL, agentID string) string {
	quote := func(s string) string {
		raw, _ := json.Marshal(s) // a string marshals; <, > and & are escaped
		return string(raw)
	}
	return strings.NewReplacer("{{src}}", quote(scriptURL(publicURL, agentID)), "{{agent}}", quote(agentID)).Replace(code)
}

// embedWarnings say why the code may not do what people expect.
func embedWarnings(publicURL string, agent parley.Agent) (w []string) {
	if len(agent.Chat.AllowedDomains) == 0 {
		w = append(w, "config.allowedDomains is empty, so any website may show this agent, at your cost. List the sites that may.")
	}
	if !agent.Status.Answers() {
		w = append(w, "The agent is "+string(agent.Status)+", so the chat says that it is offline. Set its status to active.")
	}
	if !strings.HasPrefix(publicURL, "https://") {
		w = append(w, "The code names "+publicURL+", which pages on https cannot use. Set PARLEY_PUBLIC_URL to this server's https address.")
	}
	return w
}

package dashboard

import (
	"net/http"
	"slices"

	"parley"
	"parley/internal/web"
)

// mostListed bounds the list of agents.
const mostListed = 100

// list shows the organization's agents.
func (h *Handler) list(w http.ResponseWriter, r *http.Request, who parley.Principal) error {
	found, err := h.opt.Store.ListAgents(r.Context(), who.OrgID, parley.AgentFilter{Sort: "name", Ascending: true, Limit: mostListed})
	if err != nil {
		return err
	}
	web.Agents{Agents: found.Agents, More: found.Total - len(found.Agents)}.Write(w, http.StatusOK)
	return nil
}

// try shows a chat agent on a sample site, whatever its status. A voice agent has the browser phone.
func (h *Handler) try(w http.ResponseWriter, r *http.Request, who parley.Principal) error {
	agent, err := h.agent(r, who.OrgID)
	if err != nil {
		return err
	}
	if agent.Chat == nil {
		web.Problem{Title: agent.Name, Text: "This is a voice agent: it has no chat. Talk to it in the browser.",
			Link: "/call?agent=" + agent.ID, Action: "Call this agent"}.Write(w, http.StatusOK)
		return nil
	}
	web.Try{AgentID: agent.ID, Name: agent.Name, CanSave: who.Can(parley.ScopeAgentsWrite), Simulated: h.opt.Simulated}.Write(w, http.StatusOK)
	return nil
}

// site is the sample site in the page's frame. Its ticket lets the widget speak from this server's own origin.
func (h *Handler) site(w http.ResponseWriter, r *http.Request, who parley.Principal) error {
	agent, err := h.agent(r, who.OrgID)
	if err == nil && agent.Chat == nil {
		err = parley.Errorf(parley.CodeNotFound, "This is a voice agent: it has no chat")
	}
	if err != nil {
		return err
	}
	look := r.URL.Query().Get("look")
	if !slices.Contains([]string{"dark", "busy"}, look) {
		look = "light"
	}
	web.Site{AgentID: agent.ID, Ticket: h.opt.Ticket(agent.ID), Look: look}.Write(w, http.StatusOK)
	return nil
}

package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"parley"
)

// ConversationPath names a conversation.
type ConversationPath struct {
	ConversationID string `path:"conversationId" doc:"The conversation's id."`
}

type conversationQuery struct {
	AgentID       string    `query:"agentId" format:"uuid" doc:"Only conversations of this agent."`
	Type          string    `query:"type" enum:"phone,chat" doc:"Only calls or only chats."`
	Status        string    `query:"status" enum:"active,completed,failed" doc:"Only conversations of this status."`
	StartedAfter  time.Time `query:"startedAfter" doc:"RFC 3339; this instant included."`
	StartedBefore time.Time `query:"startedBefore" doc:"RFC 3339; this instant excluded."`
	Search        string    `query:"search" maxLength:"255" doc:"Part of the agent's name, from or to; case does not matter."`
	Limit         int       `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many to list at most."`
	Offset        int       `query:"offset" minimum:"0" default:"0" doc:"How many to skip."`
}

type eventQuery struct {
	ConversationPath
	After int64 `query:"after" minimum:"0" default:"0" doc:"List what follows this sequence number."`
	Limit int   `query:"limit" minimum:"1" maximum:"1000" default:"500" doc:"How many to list at most."`
}

// ConversationList is a page of conversations, newest first.
type ConversationList struct {
	Conversations []Conversation `json:"conversations" nullable:"false" doc:"The page, newest first."`
	Pagination    Pagination     `json:"pagination"`
}

// EventList is a part of a conversation's log, in order.
type EventList struct {
	Events     []parley.Event `json:"events" nullable:"false" doc:"The page, in order."`
	Pagination EventPage      `json:"pagination"`
}

// EventPage says where to read on.
type EventPage struct {
	Limit   int   `json:"limit" doc:"As asked for." example:"500"`
	After   int64 `json:"after" doc:"The value for the next request: the last sequence number shown." example:"1"`
	HasMore bool  `json:"hasMore" doc:"There is another page after this one."`
}

func (a *API) conversationOperations() {
	const path, one = "/api/v1/conversations", "/api/v1/conversations/{conversationId}"
	op := func(path, id, summary string, refusals ...int) operation {
		return operation{method: http.MethodGet, path: path, id: id, tag: "Conversations", scope: parley.ScopeConversationsRead, summary: summary, refusals: refusals}
	}
	read(a, op(path, "listConversations", "List conversations", 400), a.listConversations)
	read(a, op(one, "getConversation", "Get a conversation with its words", 404), a.getConversation)
	read(a, op(one+"/events", "listConversationEvents", "List the events of a conversation", 400, 404), a.listEvents)
}

func (a *API) listConversations(ctx context.Context, orgID string, in *conversationQuery) (reply[ConversationList], error) {
	found, total, err := a.opt.Store.ListConversations(ctx, orgID, parley.ConversationFilter{
		AgentID: strings.ToLower(in.AgentID), Channel: parley.Channel(in.Type), Status: parley.ConversationStatus(in.Status),
		StartedAfter: in.StartedAfter, StartedBefore: in.StartedBefore, Search: in.Search, Limit: in.Limit, Offset: in.Offset,
	})
	if err != nil {
		return refuse[ConversationList](err)
	}
	list := ConversationList{Conversations: make([]Conversation, len(found)), Pagination: page(in.Limit, in.Offset, len(found), total)}
	for i, c := range found {
		list.Conversations[i] = conversationView(c)
	}
	return data(list)
}

// find answers not_found for an id of another organization, as for one that never was.
func (a *API) findConversation(ctx context.Context, orgID, id string) (parley.Conversation, error) {
	if err := notFoundID(id, "Conversation"); err != nil {
		return parley.Conversation{}, err
	}
	return a.opt.Store.FindConversation(ctx, orgID, id)
}

func (a *API) getConversation(ctx context.Context, orgID string, in *ConversationPath) (reply[ConversationRecord], error) {
	c, err := a.findConversation(ctx, orgID, in.ConversationID)
	if err != nil {
		return refuse[ConversationRecord](err)
	}
	events, err := a.opt.Store.ListEvents(ctx, orgID, c.ID, 0, 0)
	if err != nil {
		return refuse[ConversationRecord](err)
	}
	view := recordView(c, events)
	view.Visitor, err = a.visitorOf(ctx, c)
	return reply[ConversationRecord]{data: view}, err
}

func (a *API) listEvents(ctx context.Context, orgID string, in *eventQuery) (reply[EventList], error) {
	c, err := a.findConversation(ctx, orgID, in.ConversationID)
	if err != nil {
		return refuse[EventList](err)
	}
	events, err := a.opt.Store.ListEvents(ctx, orgID, c.ID, in.After, in.Limit+1)
	if err != nil {
		return refuse[EventList](err)
	}
	more := len(events) > in.Limit
	if more {
		events = events[:in.Limit]
	}
	last := in.After
	if n := len(events); n > 0 {
		last = events[n-1].Seq
	}
	return data(EventList{Events: append([]parley.Event{}, events...), Pagination: EventPage{Limit: in.Limit, After: last, HasMore: more}})
}

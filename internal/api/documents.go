package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/store"
)

// AgentDocument is a document of an agent, without its content.
type AgentDocument struct {
	ID         string    `json:"id" format:"uuid"`
	AgentID    string    `json:"agentId" format:"uuid"`
	Name       string    `json:"name" example:"Prices 2026" doc:"For people, and for the model, which tells it as its source."`
	Format     string    `json:"format" enum:"text,markdown" doc:"How it is written."`
	URL        *string   `json:"url" example:"https://www.example.com/prices" doc:"Where the text comes from; null = not said. The server does not read it."`
	Characters int       `json:"characters" example:"5120" doc:"The length of its content."`
	Passages   int       `json:"passages" example:"6" doc:"How many passages it was split into."`
	CreatedAt  time.Time `json:"createdAt"`
	UpdatedAt  time.Time `json:"updatedAt"`
}

// WholeDocument is a document with its content.
type WholeDocument struct {
	AgentDocument
	Content string `json:"content" example:"A room costs 90 euros a night." doc:"As it was sent."`
}

// UpdatedDocument is the answer to a PUT.
type UpdatedDocument struct {
	AgentDocument
	Updated bool `json:"updated" enum:"true" doc:"Always true."`
}

// DocumentList is a page of an agent's documents.
type DocumentList struct {
	Documents  []AgentDocument `json:"documents" nullable:"false"`
	Pagination Pagination      `json:"pagination"`
}

// DocumentPath names a document of an agent.
type DocumentPath struct {
	AgentPath
	DocumentID string `path:"documentId" doc:"The document's id."`
}

func (p DocumentPath) found() error {
	if err := notFoundID(p.AgentID, "Agent"); err != nil {
		return err
	}
	return notFoundID(p.DocumentID, "Document")
}

type documentQuery struct {
	AgentPath
	Limit  int `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many to list at most."`
	Offset int `query:"offset" minimum:"0" default:"0" doc:"How many to skip."`
}

type documentCreate struct {
	AgentPath
	jsonBody
}

type documentReplace struct {
	DocumentPath
	jsonBody
}

func (a *API) documentOperations() {
	const path, one = "/api/v1/agents/{agentId}/documents", "/api/v1/agents/{agentId}/documents/{documentId}"
	content := func(doc string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(parley.MaxDocumentContent), Pattern: notBlank, Description: doc}
	}
	shape := func(name string) *huma.Schema {
		s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Required: []string{"name", name}, Properties: map[string]*huma.Schema{
			"name": {Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(parley.MaxDocumentName), Pattern: notBlank, Description: "For people, and for the model, which tells it as its source."},
			"url":  {Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(parley.MaxWebAddress), Pattern: parley.WebAddressPattern, Description: "Where the text comes from. The server does not read it."},
		}}
		s.Properties[name] = content("Plain text. Paragraphs are parted by empty lines.")
		if name == "markdown" {
			s.Properties[name] = content("Markdown. It is split at its headings, which are shown with what is found. HTML in it is kept as text.")
		}
		return s
	}
	body := &huma.Schema{Type: huma.TypeObject, OneOf: []*huma.Schema{shape("text"), shape("markdown")}, Description: "Either text or markdown."}
	example := map[string]any{"name": "Prices 2026", "markdown": "# Rooms\n\nA room costs 90 euros a night.", "url": "https://www.example.com/prices"}
	read(a, operation{method: http.MethodGet, path: path, id: "listDocuments", tag: "Agents", scope: parley.ScopeAgentsRead,
		summary: "List an agent's documents", description: "Without their contents, oldest first.", refusals: []int{404}}, a.listDocuments)
	write(a, operation{method: http.MethodPost, path: path, id: "createDocument", tag: "Agents", scope: parley.ScopeAgentsWrite, status: http.StatusCreated,
		summary:     "Give an agent a document",
		description: "The agent finds it with the tool knowledge_search, from its next search on. An agent has at most 1,000 documents of 400,000 characters; one more is a conflict.",
		body:        body, example: example, refusals: []int{404, 409}}, a.createDocument)
	read(a, operation{method: http.MethodGet, path: one, id: "getDocument", tag: "Agents", scope: parley.ScopeAgentsRead, heavy: true,
		summary: "Get a document", refusals: []int{404}}, a.getDocument)
	write(a, operation{method: http.MethodPut, path: one, id: "replaceDocument", tag: "Agents", scope: parley.ScopeAgentsWrite,
		summary: "Replace a document", description: "What the request does not say is gone.", body: body, example: example, refusals: []int{404}}, a.replaceDocument)
	write(a, operation{method: http.MethodDelete, path: one, id: "deleteDocument", tag: "Agents", scope: parley.ScopeAgentsWrite,
		summary: "Delete a document", description: "Searches no longer find it.", refusals: []int{404}}, a.deleteDocument)
}

func (a *API) listDocuments(ctx context.Context, orgID string, in *documentQuery) (reply[DocumentList], error) {
	if err := notFoundID(in.AgentID, "Agent"); err != nil {
		return refuse[DocumentList](err)
	}
	if _, err := a.opt.Store.FindAgent(ctx, orgID, in.AgentID); err != nil {
		return refuse[DocumentList](err)
	}
	found, total, err := a.opt.Store.ListDocuments(ctx, orgID, in.AgentID, in.Limit, in.Offset)
	list := DocumentList{Documents: make([]AgentDocument, len(found)), Pagination: page(in.Limit, in.Offset, len(found), total)}
	for i, d := range found {
		list.Documents[i] = documentView(d)
	}
	return reply[DocumentList]{data: list}, err
}

func (a *API) createDocument(_ context.Context, orgID string, in *documentCreate) (effect[AgentDocument], error) {
	if err := notFoundID(in.AgentID, "Agent"); err != nil {
		return nil, err
	}
	fields, err := in.fields()
	if err != nil {
		return nil, err
	}
	d, err := parley.NewDocument(orgID, in.AgentID, fields, a.instant())
	if err != nil {
		return nil, err
	}
	passages := d.Split()
	d.Passages = len(passages)
	return func(ctx context.Context, tx *store.Tx) (reply[AgentDocument], error) {
		agent, err := tx.FindAgent(ctx, orgID, d.AgentID)
		if err != nil {
			return refuse[AgentDocument](err)
		}
		view := documentView(d)
		return reply[AgentDocument]{data: view, warnings: unsearched(agent), note: documentNote("create", d, nil, view)}, tx.CreateDocument(ctx, orgID, d, passages)
	}, nil
}

// unsearched warns when the agent's model has no tool to find documents with.
func unsearched(agent parley.Agent) []string {
	for _, id := range agent.ToolIDs {
		if id == parley.ToolKnowledgeSearch {
			return nil
		}
	}
	return []string{"The agent does not have the tool knowledge_search, so it cannot find documents. Add it to toolIds."}
}

func (a *API) getDocument(ctx context.Context, orgID string, in *DocumentPath) (reply[WholeDocument], error) {
	if err := in.found(); err != nil {
		return refuse[WholeDocument](err)
	}
	if _, err := a.opt.Store.FindAgent(ctx, orgID, in.AgentID); err != nil {
		return refuse[WholeDocument](err)
	}
	d, err := a.opt.Store.FindDocument(ctx, orgID, in.AgentID, in.DocumentID)
	return reply[WholeDocument]{data: WholeDocument{documentView(d), d.Content}}, err
}

func (a *API) replaceDocument(_ context.Context, orgID string, in *documentReplace) (effect[UpdatedDocument], error) {
	if err := in.found(); err != nil {
		return nil, err
	}
	fields, err := in.fields()
	if err != nil {
		return nil, err
	}
	wanted, err := parley.NewDocument(orgID, in.AgentID, fields, a.instant())
	if err != nil {
		return nil, err
	}
	passages := wanted.Split()
	wanted.ID, wanted.Passages = in.DocumentID, len(passages)
	return func(ctx context.Context, tx *store.Tx) (reply[UpdatedDocument], error) {
		agent, err := tx.FindAgent(ctx, orgID, wanted.AgentID)
		if err != nil {
			return refuse[UpdatedDocument](err)
		}
		before, err := tx.FindDocument(ctx, orgID, wanted.AgentID, wanted.ID)
		if err != nil {
			return refuse[UpdatedDocument](err)
		}
		d := wanted
		d.CreatedAt = before.CreatedAt
		view := documentView(d)
		return reply[UpdatedDocument]{data: UpdatedDocument{view, true}, message: "Document replaced successfully", warnings: unsearched(agent),
			note: documentNote("update", d, documentView(before), view)}, tx.ReplaceDocument(ctx, orgID, d, passages)
	}, nil
}

func (a *API) deleteDocument(_ context.Context, orgID string, in *DocumentPath) (effect[Deleted], error) {
	if err := in.found(); err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[Deleted], error) {
		if _, err := tx.FindAgent(ctx, orgID, in.AgentID); err != nil {
			return refuse[Deleted](err)
		}
		before, err := tx.FindDocument(ctx, orgID, in.AgentID, in.DocumentID)
		if err != nil {
			return refuse[Deleted](err)
		}
		return reply[Deleted]{data: Deleted{ID: before.ID, Deleted: true}, message: "Document deleted successfully",
			note: documentNote("delete", before, documentView(before), nil)}, tx.DeleteDocument(ctx, orgID, in.AgentID, before.ID)
	}, nil
}

func documentView(d parley.Document) AgentDocument {
	return AgentDocument{ID: d.ID, AgentID: d.AgentID, Name: d.Name, Format: string(d.Format), URL: textOrNull(d.URL), Characters: d.Characters, Passages: d.Passages,
		CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt}
}

// documentNote tells of a change without the content.
func documentNote(action string, d parley.Document, before, after any) *note {
	return &note{action: action, resource: parley.AuditResource{Type: "document", ID: d.ID, Name: d.Name}, before: before, after: after}
}

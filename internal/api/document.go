package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed" // for overview.md
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"parley"
	"parley/internal/reference"
	"parley/internal/respond"
)

// overview is what the document says before its operations. It is Markdown.
//
//go:embed overview.md
var overview string

// configuration is huma's, without its documentation pages (they load from a CDN) and its $schema members.
func configuration(version string) huma.Config {
	c := huma.DefaultConfig("Parley API", version)
	c.Info.Description = strings.TrimSpace(overview)
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil
	c.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat}
	c.DefaultFormat = "application/json"
	c.Servers = []*huma.Server{{URL: "/", Description: "The server that serves this document."}}
	c.Tags = []*huma.Tag{
		{Name: "Agents", Description: "Assistants for calls and chats."},
		{Name: "Phone numbers", Description: "The numbers that voice agents answer, and what the Twilio account has."},
		{Name: "Tools", Description: "What agents can do: the built-in tools and the organization's own."},
		{Name: "Secrets", Description: "Credentials that tools refer to by name."},
		{Name: "Conversations", Description: "What was said and what happened, read from the event log."},
		{Name: "Chat", Description: "Sending a message to a chat agent."},
		{Name: "Web calls", Description: "Calls in the browser: a page's microphone talks to a voice agent."},
		{Name: "Test calls", Description: "Ready-signed requests for the simulated phone."},
		{Name: "API keys", Description: "Keys of the organization."},
		{Name: "Organization", Description: "The organization that the key belongs to, its limits and its provider accounts."},
		{Name: "Audit log", Description: "Who did what to which resource, and when."},
	}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"apiKey": {Type: "apiKey", In: "header", Name: "x-api-key"},
		"bearer": {Type: "http", Scheme: "bearer", Description: "The same API key."},
	}
	c.Security = []map[string][]string{{"apiKey": {}}, {"bearer": {}}}
	return c
}

// security is what a key needs for an operation: the scope, under each way to show the key.
func security(scope string) []map[string][]string {
	if scope == scopeAny {
		return nil // the document's
	}
	return []map[string][]string{{"apiKey": {scope}}, {"bearer": {scope}}}
}

// refusals are the documented errors of an operation.
func (a *API) refusals(o operation) map[string]*huma.Response {
	codes := append([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError}, o.refusals...)
	if o.keyed() {
		codes = append(codes, http.StatusUnprocessableEntity)
	}
	if o.conditional {
		codes = append(codes, http.StatusPreconditionFailed)
	}
	if o.body != nil {
		codes = append(codes, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	out := map[string]*huma.Response{}
	for _, code := range codes {
		kind, ok := refusalKinds[code]
		if !ok {
			panic(fmt.Sprintf("api: operation %s answers %d, which has no shared answer", o.id, code))
		}
		out[strconv.Itoa(code)] = &huma.Response{Ref: "#/components/responses/" + kind.name}
	}
	return out
}

// finishDocument adds what concerns every operation: the shared errors and the request id.
func (a *API) finishDocument() {
	doc := a.api.OpenAPI()
	problem := doc.Components.Schemas.Schema(reflect.TypeFor[respond.Problem](), true, "Problem")
	doc.Components.Headers = documentedHeaders
	doc.Components.Responses = map[string]*huma.Response{}
	for _, kind := range refusalKinds {
		doc.Components.Responses[kind.name] = &huma.Response{
			Description: kind.when, Headers: headerRefs(kind.allHeaders()...),
			Content: map[string]*huma.MediaType{"application/json": {Schema: problem}},
		}
	}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete, item.Put} {
			if op == nil {
				continue
			}
			for _, r := range op.Responses {
				if r.Ref == "" {
					maps.Copy(r.Headers, headerRefs())
				}
			}
		}
	}
}

// YAML is the OpenAPI 3.1 document.
func (a *API) YAML() ([]byte, error) {
	b, err := a.api.OpenAPI().YAML()
	if err != nil {
		return nil, fmt.Errorf("writing the OpenAPI document: %w", err)
	}
	return b, nil
}

// JSON is the OpenAPI 3.1 document.
func (a *API) JSON() ([]byte, error) {
	b, err := a.api.OpenAPI().MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("writing the OpenAPI document: %w", err)
	}
	return b, nil
}

// Reference is the document as a page for people.
func (a *API) Reference() ([]byte, error) {
	doc, err := a.JSON()
	if err != nil {
		return nil, err
	}
	return reference.Page(doc, cmp.Or(a.opt.PublicURL, "http://127.0.0.1:8080"))
}

// mountDocument serves the document in its forms, without a key: it is the same for everybody. A form is made
// when it is first asked for. It is made of constants, so a failure is a programming error, which tests find.
func (a *API) mountDocument() {
	serve := func(pattern, media string, form func() ([]byte, error)) {
		form = sync.OnceValues(form)
		a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := form()
			if err != nil {
				respond.Error(w, r, a.opt.Logger, err)
				return
			}
			sum := sha256.Sum256(body)
			h := w.Header()
			h.Set("Content-Type", media)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Content-Security-Policy", reference.Policy)
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Cache-Control", "no-cache") // kept, but asked about: a new version shows at once
			h.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
		})
	}
	serve("GET /openapi.yaml", "application/yaml", a.YAML)
	serve("GET /openapi.json", "application/json", a.JSON)
	serve("GET /docs", "text/html; charset=utf-8", a.Reference)
}

// schemaOf registers a type and returns a reference to it.
func (a *API) schemaOf(t reflect.Type) *huma.Schema {
	return a.api.OpenAPI().Components.Schemas.Schema(t, true, "")
}

// inline returns a type's schema itself.
func (a *API) inline(t reflect.Type) *huma.Schema {
	s := a.schemaOf(t)
	if s.Ref != "" {
		return a.api.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	return s
}

// unwrap reaches the request and writer, whose request has the context as it was before huma's middleware.
func unwrap(ctx huma.Context) (*http.Request, http.ResponseWriter) { return humago.Unwrap(ctx) }

// notFoundID answers an id in a path that is no UUID like an unknown one.
func notFoundID(id, what string) error {
	if parley.IsID(id) {
		return nil
	}
	return parley.Errorf(parley.CodeNotFound, "%s not found", what)
}

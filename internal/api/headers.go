package api

import "github.com/danielgtaylor/huma/v2"

// documentedHeaders are the headers of answers, by their names in the document's components.
var documentedHeaders = map[string]*huma.Header{
	"RequestId":  {Description: "The request's id. Quote it when you ask for help.", Required: true, Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"}},
	"ETag":       {Description: "The version of the resource, for If-Match.", Schema: &huma.Schema{Type: huma.TypeString, Pattern: `^"[^"]+"$`}},
	"Replayed":   {Description: "true: the answer is that of an earlier request with the same Idempotency-Key. Absent otherwise.", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"true"}}},
	"RetryAfter": {Description: "Seconds after which the request may be sent again.", Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: ptr(1.0)}},
	"Policy":     {Description: `The limits, such as "default";q=600;w=60: 600 requests in 60 seconds (draft-ietf-httpapi-ratelimit-headers).`, Schema: &huma.Schema{Type: huma.TypeString}},
	"Left":       {Description: `What is left of them, such as "default";r=599;t=1: 599 requests; in 1 second all are back.`, Schema: &huma.Schema{Type: huma.TypeString}},
	"Limit":      {Description: "Requests per minute of the organization; as many may come at once.", Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: ptr(1.0)}},
	"Remaining":  {Description: "How many of them may come now.", Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: ptr(0.0)}},
	"Reset":      {Description: "Seconds until all are back.", Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: ptr(0.0)}},
	"Challenge":  {Description: "How to authenticate.", Schema: &huma.Schema{Type: huma.TypeString}},
}

// headerNames are the names of the components on the wire.
var headerNames = map[string]string{"RequestId": "X-Request-Id", "ETag": "ETag", "Replayed": headerReplayed, "RetryAfter": "Retry-After", "Challenge": "WWW-Authenticate",
	"Policy": "RateLimit-Policy", "Left": "RateLimit", "Limit": "X-RateLimit-Limit", "Remaining": "X-RateLimit-Remaining", "Reset": "X-RateLimit-Reset"}

// limited are the components of every answer to an authenticated request. They are not marked as required: an
// address that no operation has (an id with a slash) is answered 404 before anybody asks who it is.
var limited = []string{"Policy", "Left", "Limit", "Remaining", "Reset"}

// headerRefs refers to the given components and to the one that every answer has.
func headerRefs(components ...string) map[string]*huma.Param {
	refs := map[string]*huma.Param{}
	for _, c := range append(components, "RequestId") {
		refs[headerNames[c]] = &huma.Param{Ref: "#/components/headers/" + c}
	}
	return refs
}

// headers are the components that a success of the operation has beside those of every answer.
func (o operation) headers() []string {
	out := append([]string{}, limited...)
	if o.etag {
		out = append(out, "ETag")
	}
	if o.keyed() {
		out = append(out, "Replayed")
	}
	return out
}

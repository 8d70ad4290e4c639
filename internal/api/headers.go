package api

import "github.com/danielgtaylor/huma/v2"

// documentedHeaders are the headers of answers, by their names in the document's components.
var documentedHeaders = map[string]*huma.Header{
	"RequestId":  {Description: "The request's id. Quote it when you ask for help.", Required: true, Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"}},
	"ETag":       {Description: "The version of the resource, for If-Match.", Schema: &huma.Schema{Type: huma.TypeString, Pattern: `^"[^"]+"$`}},
	"Replayed":   {Description: "true: the answer is that of an earlier request with the same Idempotency-Key. Absent otherwise.", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"true"}}},
	"RetryAfter": {Description: "Seconds after which the request may be sent again.", Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: ptr(1.0)}},
	"Challenge":  {Description: "How to authenticate.", Schema: &huma.Schema{Type: huma.TypeString}},
}

// headerNames are the names of the components on the wire.
var headerNames = map[string]string{"RequestId": "X-Request-Id", "ETag": "ETag", "Replayed": headerReplayed, "RetryAfter": "Retry-After", "Challenge": "WWW-Authenticate"}

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
	var out []string
	if o.etag {
		out = append(out, "ETag")
	}
	if o.keyed() {
		out = append(out, "Replayed")
	}
	return out
}

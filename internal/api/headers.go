package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

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

// refusalHeaders are the components that an error of a status has.
var refusalHeaders = map[int][]string{
	http.StatusUnauthorized:       {"Challenge"},
	http.StatusConflict:           {"RetryAfter"},
	http.StatusTooManyRequests:    {"RetryAfter"},
	http.StatusServiceUnavailable: {"RetryAfter"},
}

// refusalWords say when a status is answered.
var refusalWords = map[int]string{
	http.StatusBadRequest:            "The request is not valid. `details` names every wrong field.",
	http.StatusUnauthorized:          "The API key is missing, or is not valid. What is wrong with it is not said.",
	http.StatusForbidden:             "The API key lacks the scope that the message names.",
	http.StatusNotFound:              "There is no such thing in this organization.",
	http.StatusRequestTimeout:        "The body did not arrive in time.",
	http.StatusConflict:              "The present state does not allow this, or a value is taken. With Retry-After: try again then.",
	http.StatusPreconditionFailed:    "The resource has another version than If-Match names. Nothing was changed.",
	http.StatusRequestEntityTooLarge: "The body is larger than 1 MiB.",
	http.StatusUnsupportedMediaType:  "The body is not JSON by its Content-Type.",
	http.StatusUnprocessableEntity:   "The Idempotency-Key was used with another body.",
	http.StatusTooManyRequests:       "Too many requests. Try again after the seconds in Retry-After.",
	http.StatusInternalServerError:   "Something went wrong on the server. Its log has the details under the request id.",
	http.StatusServiceUnavailable:    "The server cannot do this now. Try again later.",
}

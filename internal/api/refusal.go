package api

import (
	"net/http"

	"parley"
)

// refusalKind is how the document describes the errors of one status.
type refusalKind struct {
	name    string // of the shared answer
	when    string // it is given
	example string // of its message
	typ     parley.Code
	headers []string // components beside that of every answer
}

var refusalKinds = map[int]refusalKind{
	http.StatusBadRequest: {"BadRequest", "The request is not valid. `details` names every wrong field.",
		"config.speed must be between 0.5 and 2.", parley.CodeInvalid, nil},
	http.StatusUnauthorized: {"Unauthorized", "The API key is missing, or is not valid. What is wrong with it is not said.",
		"Invalid API key", parley.CodeUnauthorized, []string{"Challenge"}},
	http.StatusForbidden: {"Forbidden", "The API key lacks the scope that the message names, or the operator has not granted this.",
		"This API key lacks the scope agents:write. Use a key that has it.", parley.CodeForbidden, nil},
	http.StatusNotFound: {"NotFound", "There is no such thing in this organization.",
		"Agent not found", parley.CodeNotFound, nil},
	http.StatusRequestTimeout: {"RequestTimeout", "The body did not arrive in time.",
		"The body did not arrive in time.", parley.CodeInvalid, nil},
	http.StatusConflict: {"Conflict", "The present state does not allow this, or a value is taken. With Retry-After: try again then.",
		"The phone number +14155550123 is already in use. Release it from its agent first, or give another.", parley.CodeConflict, []string{"RetryAfter"}},
	http.StatusRequestedRangeNotSatisfiable: {"RangeNotSatisfiable", "The file has no such range.",
		"The recording has no such range. It has 160058 bytes.", parley.CodeInvalid, nil},
	http.StatusPreconditionFailed: {"PreconditionFailed", "The resource has another version than If-Match names. Nothing was changed.",
		"This was changed meanwhile. Get it again, and repeat your change on the new version.", parley.CodeConflict, nil},
	http.StatusRequestEntityTooLarge: {"TooLarge", "The body is larger than 1.5 MiB.",
		"The body is larger than 1.5 MiB. Send less.", parley.CodeInvalid, nil},
	http.StatusUnsupportedMediaType: {"UnsupportedMediaType", "The body is not JSON by its Content-Type.",
		"The body must be JSON. Send it with Content-Type: application/json.", parley.CodeInvalid, nil},
	http.StatusUnprocessableEntity: {"OtherBody", "The Idempotency-Key was used with another body.",
		"This Idempotency-Key was used for another request. Send the same body again, or a new key.", parley.CodeInvalid, nil},
	http.StatusTooManyRequests: {"TooManyRequests", "Too many requests. Try again after the seconds in Retry-After.",
		"Too many requests. Wait as long as Retry-After says.", parley.CodeRateLimited, []string{"RetryAfter"}},
	http.StatusInternalServerError: {"InternalError", "Something went wrong on the server. Its log has the details under the request id.",
		"Something went wrong on the server. Its log has the details under this request id.", parley.CodeInternal, nil},
	http.StatusServiceUnavailable: {"Unavailable", "The server cannot do this now. Try again later.",
		"The model cannot be reached. Try again in a moment.", parley.CodeUnavailable, []string{"RetryAfter"}},
}

// allHeaders are the components of an error: whoever is not authenticated has no rate limit.
func (k refusalKind) allHeaders() []string {
	if k.typ == parley.CodeUnauthorized || k.typ == parley.CodeRateLimited {
		return k.headers
	}
	return append(append([]string{}, limited...), k.headers...)
}

// refusalExample is an error of a status, as a client sees it.
func refusalExample(code int) any {
	kind := refusalKinds[code]
	detail := map[string]any{"message": kind.example, "code": code, "type": kind.typ, "requestId": exampleID}
	if code == http.StatusBadRequest {
		detail["details"] = []any{map[string]any{"field": "config.speed", "message": "must be between 0.5 and 2."}}
	}
	return map[string]any{"success": false, "error": detail}
}

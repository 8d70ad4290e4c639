package parley

import (
	"errors"
	"fmt"
)

// Code is a machine-readable error class. The set is small on purpose: it is the `type` of every error
// answer, and one function (internal/respond) maps it to an HTTP status.
type Code string

// The error codes. Any error that is not an *Error is CodeInternal: masked for the client, logged once.
const (
	CodeInvalid      Code = "invalid_request" // 400 (413 and 415 for bodies)
	CodeUnauthorized Code = "unauthorized"    // 401
	CodeForbidden    Code = "forbidden"       // 403
	CodeNotFound     Code = "not_found"       // 404
	CodeConflict     Code = "conflict"        // 409
	CodeRateLimited  Code = "rate_limited"    // 429
	CodeUnavailable  Code = "unavailable"     // 503, or 409 where the contract says so
	CodeInternal     Code = "internal"        // 500
)

// FieldError names one wrong input. Field is a path such as "config.speed"; Message says what to do.
type FieldError struct {
	Field   string `json:"field" doc:"The member or parameter, such as config.speed." example:"config.speed"`
	Message string `json:"message" doc:"What is wrong with it." example:"must be between 0.5 and 2."`
}

// Error is an error whose Message is safe and useful to show to the client. Cause, if any, is only logged.
type Error struct {
	Code    Code
	Message string
	Details []FieldError
	Cause   error
}

// Error returns the client-safe message followed by the cause, for logs.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an *Error with a client-safe message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid makes a CodeInvalid error that names every wrong field. It returns nil for an empty list, so
// validation can end with `return parley.Invalid(problems)`.
func Invalid(details []FieldError) error {
	if len(details) == 0 {
		return nil
	}
	msg := details[0].Field + ": " + details[0].Message
	if n := len(details) - 1; n > 0 {
		msg += fmt.Sprintf(" (and %d more)", n)
	}
	return &Error{Code: CodeInvalid, Message: msg, Details: details}
}

// ErrorCode returns the code of the first *Error in err's chain, CodeInternal for any other error and ""
// for nil.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// IsNotFound reports whether err says that something does not exist for this organization.
func IsNotFound(err error) bool { return ErrorCode(err) == CodeNotFound }

// IsConflict reports whether err says that a unique value is taken or a state does not allow the request.
func IsConflict(err error) bool { return ErrorCode(err) == CodeConflict }

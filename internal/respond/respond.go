// Package respond owns the answer envelope and the one error writer of every JSON route.
//
// It turns errors into HTTP and nothing else does. It knows no route and reads no request body.
package respond

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"parley"
)

// Problem is the error envelope: {"success":false,"error":{…}}. Code is the HTTP status as a number (the
// seed); Type is the machine code.
type Problem struct {
	Success bool          `json:"success" enum:"false" doc:"Always false here."`
	Detail  ProblemDetail `json:"error"`

	cause error // for the log; nil unless the error is internal
}

// ProblemDetail is what went wrong.
type ProblemDetail struct {
	Message   string              `json:"message" doc:"What happened and what to do, for people." example:"Agent not found"`
	Code      int                 `json:"code" doc:"The HTTP status." example:"404"`
	Type      parley.Code         `json:"type" enum:"invalid_request,unauthorized,forbidden,not_found,conflict,rate_limited,unavailable,internal" doc:"The machine-readable class."`
	Details   []parley.FieldError `json:"details,omitempty" nullable:"false" doc:"Every wrong field of the request."`
	RequestID string              `json:"requestId,omitempty" doc:"Also in X-Request-Id; quote it when you ask for help."`
}

// Error makes Problem an error; it is the client-safe message.
func (p *Problem) Error() string { return p.Detail.Message }

// GetStatus is the HTTP status (huma's StatusError).
func (p *Problem) GetStatus() int { return p.Detail.Code }

// Cause is the masked error, nil when the client sees everything.
func (p *Problem) Cause() error { return p.cause }

// statusError gives an error another status than its code has.
type statusError struct {
	error
	status int
}

func (e *statusError) Unwrap() error { return e.error }

// WithStatus makes err answer with this status; its code and message stay. For 405, 413, 415 and for
// operations that say 409 instead of 503.
func WithStatus(err error, status int) error { return &statusError{err, status} }

// Status returns the HTTP status of an error.
func Status(err error) int {
	if s, ok := errors.AsType[*statusError](err); ok {
		return s.status
	}
	switch parley.ErrorCode(err) {
	case parley.CodeInvalid:
		return http.StatusBadRequest
	case parley.CodeUnauthorized:
		return http.StatusUnauthorized
	case parley.CodeForbidden:
		return http.StatusForbidden
	case parley.CodeNotFound:
		return http.StatusNotFound
	case parley.CodeConflict:
		return http.StatusConflict
	case parley.CodeRateLimited:
		return http.StatusTooManyRequests
	case parley.CodeUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// NewProblem turns any error into the envelope. An error that is no *parley.Error, and one of
// parley.CodeInternal, is masked.
func NewProblem(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	p := &Problem{}
	p.Detail.Code, p.Detail.RequestID = Status(err), RequestID(ctx)
	e, ok := errors.AsType[*parley.Error](err)
	if !ok || e.Code == parley.CodeInternal {
		p.Detail.Type = parley.CodeInternal
		p.Detail.Message = "Something went wrong on the server. Its log has the details under this request id."
		p.cause = err
		return p
	}
	p.Detail.Type, p.Detail.Message, p.Detail.Details = e.Code, e.Message, e.Details
	if e.Cause != nil {
		p.cause = err
	}
	return p
}

// Error writes an error as the envelope and logs what the client does not see, once.
func Error(w http.ResponseWriter, r *http.Request, logger *slog.Logger, err error) {
	p := NewProblem(r.Context(), err)
	Log(r.Context(), logger, p)
	JSON(w, p.Detail.Code, p)
}

// Log notes a problem's masked cause. A request that its client gave up is no fault of the server.
func Log(ctx context.Context, logger *slog.Logger, p *Problem) {
	if p.cause == nil {
		return
	}
	if errors.Is(p.cause, context.Canceled) && ctx.Err() != nil {
		return
	}
	logger.LogAttrs(ctx, slog.LevelError, "request failed",
		slog.String("request_id", p.Detail.RequestID), slog.Int("status", p.Detail.Code), slog.String("error", p.cause.Error()))
}

// JSON writes v with a status. Answers are private and never cached.
func JSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the status is out; a client that went away cannot be told anything
}

type requestIDKey struct{}

// WithRequestID puts the request's id into the context.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the request's id, "" outside of a request.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

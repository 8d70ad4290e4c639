// Package respond owns the answer envelope and the one error writer of every JSON route.
//
// It turns errors into HTTP and nothing else does. It knows no route and reads no request body.
package respond

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"parley"
)

// Problem is the error envelope: {"success":false,"error":{…}}. Code is the HTTP status as a number (the
// seed); Type is the machine code.
type Problem struct {
	Success bool          `json:"success" enum:"false" doc:"Always false here."`
	Detail  ProblemDetail `json:"error"`

	cause error         // for the log; nil unless the error is internal
	retry time.Duration // for Retry-After; 0 = none
}

// GetHeaders are the headers of the answer (huma's HeadersError).
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retry > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((p.retry+time.Second-1)/time.Second), 10))
	}
	return h
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

// retryError tells the client when to try again.
type retryError struct {
	error
	after time.Duration
}

func (e *retryError) Unwrap() error { return e.error }

// WithRetry makes the answer to err say when the client may try again, in whole seconds.
func WithRetry(err error, after time.Duration) error { return &retryError{err, after} }

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
	if r, ok := errors.AsType[*retryError](err); ok {
		p.retry = r.after
	}
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
	maps.Copy(w.Header(), p.GetHeaders())
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

// Encode is v as every answer writes it: compact JSON with a final newline.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// JSON writes v, which must marshal, with a status.
func JSON(w http.ResponseWriter, status int, v any) {
	body, err := Encode(v)
	if err != nil {
		panic(fmt.Errorf("encoding an answer: %w", err)) // a programming error; recovered as a 500
	}
	Bytes(w, status, body)
}

// Bytes writes JSON with a status. Answers are private and never cached.
func Bytes(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the status is out; a client that went away cannot be told anything
}

type requestIDKey struct{}

type clientKey struct{}

// WithClient puts the address of whoever asks into the context: the peer, or what trusted proxies say.
func WithClient(ctx context.Context, a netip.Addr) context.Context {
	return context.WithValue(ctx, clientKey{}, a)
}

// Client returns the address of whoever asks, the zero address when it is not known.
func Client(ctx context.Context) netip.Addr {
	a, _ := ctx.Value(clientKey{}).(netip.Addr)
	return a
}

// WithRequestID puts the request's id into the context.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the request's id, "" outside of a request.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

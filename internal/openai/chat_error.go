package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ChatErrorKind says what a failed completion means for the one who asked.
type ChatErrorKind string

// The kinds of failure.
const (
	ChatAuth        ChatErrorKind = "auth"         // the key was refused
	ChatQuota       ChatErrorKind = "quota"        // the account has no credit
	ChatRateLimited ChatErrorKind = "rate_limited" // too many requests, even after waiting
	ChatUnavailable ChatErrorKind = "unavailable"  // down, unreachable or silent
	ChatInvalid     ChatErrorKind = "invalid"      // the request or the address is wrong; the same again will fail again
	ChatInterrupted ChatErrorKind = "interrupted"  // the answer broke off
)

// ChatContextLength is the provider's code for a conversation that is longer than the model can read.
const ChatContextLength = "context_length_exceeded"

// ChatError is a failed completion. Message is for the operator: it never holds the key, and it must not
// reach a visitor.
type ChatError struct {
	Kind       ChatErrorKind
	Status     int    // HTTP status, 0 when there was no answer
	Code       string // the provider's code, such as insufficient_quota
	Message    string
	RetryAfter time.Duration // the provider's wish, 0 when it named none
}

// Error returns the operator's text.
func (e *ChatError) Error() string { return e.Message }

// retryable reports whether the same request may succeed soon.
func (e *ChatError) retryable() bool {
	return (e.Kind == ChatUnavailable || e.Kind == ChatRateLimited) && e.RetryAfter <= maxRetryAfter
}

var (
	errSilent  = errors.New("the model provider sent nothing for too long")
	errCut     = errors.New("the model provider closed the stream before its end")
	errTooLong = errors.New("the model's answer exceeds 1 MiB")
)

// providerError is the error object of OpenAI's HTTP answers and of streams that fail half way.
type providerError struct {
	Error struct {
		Message string          `json:"message"`
		Type    string          `json:"type"`
		Code    json.RawMessage `json:"code"` // a string or null; compatible servers also send numbers
	} `json:"error"`
}

// code returns the code, or the type where there is none.
func (p providerError) code() string {
	if c := strings.Trim(string(p.Error.Code), `"`); c != "" && c != "null" {
		return c
	}
	return p.Error.Type
}

// refusedChat reads an HTTP answer other than 200. The body is read up to 64 KiB.
func refusedChat(resp *http.Response, key string) *ChatError {
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var p providerError
	_ = json.Unmarshal(raw, &p) // a proxy's HTML leaves it empty: the status says enough
	e := &ChatError{Status: resp.StatusCode, Code: shorten(p.code(), 64), RetryAfter: retryAfter(resp.Header, time.Now())}
	said := func(what string) {
		e.Message = fmt.Sprintf("%s (HTTP %d", what, e.Status)
		if e.Code != "" {
			e.Message += ", " + e.Code
		}
		e.Message = scrub(e.Message+")", key)
	}
	switch {
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		e.Kind = ChatAuth // the provider's own text quotes part of the key
		said("the model provider refused the API key")
	case e.Status == http.StatusTooManyRequests && (e.Code == "insufficient_quota" || e.Code == "billing_hard_limit_reached"):
		e.Kind = ChatQuota
		said("the account at the model provider has no credit left")
	case e.Status == http.StatusTooManyRequests:
		e.Kind = ChatRateLimited
		said("the model provider limits our requests")
	case e.Status >= 500:
		e.Kind = ChatUnavailable
		said("the model provider is failing")
	default:
		e.Kind = ChatInvalid
		said("the model provider did not accept the request")
		if p.Error.Message != "" {
			e.Message += ": " + scrub(shorten(p.Error.Message, 500), key)
		}
	}
	return e
}

// failure turns what ended an attempt into a *ChatError.
func (s *chatStream) failure(err error) error {
	if e, ok := errors.AsType[*ChatError](err); ok {
		return e
	}
	kind := ChatInterrupted
	if !s.opened {
		kind = ChatUnavailable
	}
	e := &ChatError{Kind: kind}
	if broken, ok := errors.AsType[*brokenStreamError](err); ok {
		var p providerError
		_ = json.Unmarshal(broken.event, &p)
		e.Code = shorten(p.code(), 64)
		e.Message = scrub("the model provider broke the answer off: "+shorten(p.Error.Message, 500), s.key)
		return e
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the address, which may carry a password
	}
	switch {
	case errors.Is(err, errSilent), errors.Is(err, errCut), errors.Is(err, errTooLong):
		e.Message = err.Error()
	case s.opened:
		e.Message = scrub("the answer of the model provider broke off: "+shorten(err.Error(), 300), s.key)
	default:
		e.Message = scrub("the model provider cannot be reached: "+shorten(err.Error(), 300), s.key)
	}
	return e
}

// retryAfter reads retry-after-ms (OpenAI) and Retry-After (RFC 9110: seconds or a date).
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 && ms < 1e9 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	v := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(v, 64); err == nil && s > 0 && s < 1e6 {
		return time.Duration(s * float64(time.Second))
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// keyLike finds anything that looks like a provider's key or a bearer token.
var keyLike = regexp.MustCompile(`(?i)\b(sk|pk|rk|key)[-_][A-Za-z0-9_*.-]{6,}|bearer\s+\S+`)

func scrub(text, key string) string {
	if key != "" {
		text = strings.ReplaceAll(text, key, "[key]")
	}
	return keyLike.ReplaceAllString(text, "[key]")
}

// shorten keeps the first limit bytes, at a character.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}

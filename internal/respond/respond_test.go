package respond_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"parley"
	"parley/internal/respond"
)

func TestStatusOfEveryCode(t *testing.T) {
	t.Parallel()
	for code, want := range map[parley.Code]int{
		parley.CodeInvalid: 400, parley.CodeUnauthorized: 401, parley.CodeForbidden: 403, parley.CodeNotFound: 404,
		parley.CodeConflict: 409, parley.CodeRateLimited: 429, parley.CodeUnavailable: 503, parley.CodeInternal: 500,
	} {
		if got := respond.Status(fmt.Errorf("doing: %w", parley.Errorf(code, "x"))); got != want {
			t.Errorf("Status(%s) = %d, want %d", code, got, want)
		}
	}
	if got := respond.Status(errors.New("x")); got != 500 {
		t.Errorf("unknown error: %d", got)
	}
	if got := respond.Status(respond.WithStatus(parley.Errorf(parley.CodeUnavailable, "x"), 409)); got != 409 {
		t.Errorf("WithStatus: %d", got)
	}
}

func answer(err error) (status int, body map[string]any, logged string) {
	var log bytes.Buffer
	r := httptest.NewRequest("GET", "/", nil)
	r = r.WithContext(respond.WithRequestID(context.Background(), "req-1"))
	w := httptest.NewRecorder()
	respond.Error(w, r, slog.New(slog.NewTextHandler(&log, nil)), err)
	_ = json.Unmarshal(w.Body.Bytes(), &body)
	return w.Code, body, log.String()
}

func TestUnknownErrorsAreMaskedAndLoggedOnce(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errors.New("password is hunter2"), parley.Errorf(parley.CodeInternal, "password is hunter2")} {
		status, body, logged := answer(err)
		if status != 500 || strings.Contains(fmt.Sprint(body), "hunter2") {
			t.Errorf("answer %d %v shows the cause", status, body)
		}
		if strings.Count(logged, "hunter2") != 1 || !strings.Contains(logged, "req-1") {
			t.Errorf("log = %q, want the cause once with the request id", logged)
		}
	}
}

func TestEnvelopeOfAClientError(t *testing.T) {
	t.Parallel()
	status, body, logged := answer(fmt.Errorf("creating: %w", parley.Invalid([]parley.FieldError{{Field: "name", Message: "is required."}})))
	e, _ := body["error"].(map[string]any)
	if status != 400 || body["success"] != false || e["code"] != 400.0 || e["type"] != "invalid_request" || e["requestId"] != "req-1" || e["message"] != "name: is required." {
		t.Errorf("answer %d %v", status, body)
	}
	if len(e["details"].([]any)) != 1 || logged != "" {
		t.Errorf("details %v, log %q", e["details"], logged)
	}
}

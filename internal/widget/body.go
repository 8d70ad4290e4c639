package widget

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"parley"
	"parley/internal/respond"
)

// readBody reads a JSON object strictly, as the API does. A body that says that it is too large is refused before any
// of it is read, and of one that does not say so no more is read than may be.
func readBody(w http.ResponseWriter, r *http.Request) (*parley.Input, error) {
	body, err := readJSON(w, r, maxBody, sayLongMessage)
	if err != nil {
		return nil, err
	}
	return parley.ParseInput(body)
}

// readJSON reads a body of at most so many bytes that says that it is JSON, else says that it is too large.
func readJSON(w http.ResponseWriter, r *http.Request, most int64, tooLarge string) ([]byte, error) {
	if r.ContentLength > most {
		return nil, errTooLarge(tooLarge)
	}
	media, _, _ := strings.Cut(strings.ToLower(r.Header.Get("Content-Type")), ";")
	if media = strings.TrimSpace(media); media != "" && media != "application/json" {
		return nil, respond.WithStatus(parley.Errorf(parley.CodeInvalid, "The body must be JSON. Send it with Content-Type: application/json."), http.StatusUnsupportedMediaType)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, errTooLarge(tooLarge)
	}
	if err != nil {
		return nil, parley.Errorf(parley.CodeInvalid, "The body did not arrive whole.")
	}
	return body, nil
}

const (
	sayLongMessage = "Your message is too long. Please send a shorter one."
	sayLargeResult = "The result is too large: at most 64 KiB of JSON."
)

func errTooLarge(say string) error {
	return respond.WithStatus(&parley.Error{Code: parley.CodeInvalid, Message: say}, http.StatusRequestEntityTooLarge)
}

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
	if r.ContentLength > maxBody {
		return nil, errTooLarge()
	}
	media, _, _ := strings.Cut(strings.ToLower(r.Header.Get("Content-Type")), ";")
	if media = strings.TrimSpace(media); media != "" && media != "application/json" {
		return nil, respond.WithStatus(parley.Errorf(parley.CodeInvalid, "The body must be JSON. Send it with Content-Type: application/json."), http.StatusUnsupportedMediaType)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, errTooLarge()
	}
	if err != nil {
		return nil, parley.Errorf(parley.CodeInvalid, "The body did not arrive whole.")
	}
	return parley.ParseInput(body)
}

func errTooLarge() error {
	return respond.WithStatus(parley.Errorf(parley.CodeInvalid, "Your message is too long. Please send a shorter one."), http.StatusRequestEntityTooLarge)
}

package tool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"parley/internal/egress"
)

// Types of what goes wrong, for Detail.
const (
	ErrorBlocked        = "blocked_address"
	ErrorConnection     = "connection_failed"
	ErrorRedirect       = "redirect_refused"
	ErrorTimeout        = "timeout"
	ErrorStopped        = "stopped" // the conversation ended first
	ErrorStatus         = "http_status"
	ErrorResult         = "unusable_result"
	ErrorMissingSecret  = "missing_secret"
	ErrorMissingContext = "missing_context"
	ErrorSetup          = "invalid_setup"
	ErrorInternal       = "internal"
)

const (
	maxTries   = 3 // of a request that only reads
	firstPause = 200 * time.Millisecond
)

// http makes the request of an HTTP tool and selects from the answer.
func (r *Runner) http(ctx context.Context, j job) (answer, error) {
	v, err := r.values(ctx, j)
	if err != nil {
		return failed(err, nil)
	}
	h := j.tool.HTTP
	for _, value := range h.Credentials() {
		v.hide(value)
	}
	req, err := v.request(h)
	if err != nil {
		return failed(err, v)
	}
	if r.egress == nil {
		return failed(&setupError{"This server makes no requests for tools."}, v)
	}
	if j.trace.isDry() {
		j.trace.sent(req, &v.masker)
		return answer{text: "Nothing was sent: this is a dry run.", own: true}, nil
	}
	res, err := r.exchange(ctx, j, v, req)
	if err != nil {
		return failed(err, v)
	}
	j.trace.received(res, &v.masker)
	return selected(res, h.ResultPath, &v.masker)
}

// exchange sends a request. One that only reads is sent again when there was no connection or the server is busy, as
// long as the time allows; whatever may have had an effect is sent once.
func (r *Runner) exchange(ctx context.Context, j job, v *values, req *request) (*egress.Response, error) {
	pause := firstPause
	for try := 1; ; try++ {
		j.trace.sent(req, &v.masker)
		res, err := r.send(ctx, j, v, req)
		wait, again := retry(res, err, pause)
		deadline, ok := ctx.Deadline()
		if !again || req.method != http.MethodGet || try == maxTries || ok && time.Until(deadline) <= wait {
			return res, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return res, err
		}
		pause *= 3
	}
}

// retry says whether another try may do better, and after what time.
func retry(res *egress.Response, err error, pause time.Duration) (time.Duration, bool) {
	if err != nil {
		failed, ok := errors.AsType[*egress.ConnectError](err)
		return pause, ok && !failed.Timeout()
	}
	switch res.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return 0, false
	}
	after := res.Header.Get("Retry-After")
	if s, err := strconv.Atoi(after); err == nil && s >= 0 {
		return max(pause, min(time.Duration(s), time.Hour/time.Second)*time.Second), true
	}
	if at, err := http.ParseTime(after); err == nil {
		return max(pause, time.Until(at)), true
	}
	return pause, res.Status != http.StatusTooManyRequests
}

func (r *Runner) send(ctx context.Context, j job, v *values, req *request) (*egress.Response, error) {
	var body io.Reader // not a nil *bytes.Reader, which would be a body
	if req.body != nil {
		body = bytes.NewReader(req.body)
	}
	out, err := http.NewRequestWithContext(ctx, req.method, req.url, body)
	if err != nil {
		return nil, &setupError{"The address of the request is not valid."} // err quotes it
	}
	out.Header = req.header.Clone()
	own := slices.Collect(maps.Keys(j.tool.HTTP.Headers)) // they may hold a secret, and are meant for this host
	return r.egress.Do(j.OrgID, out, egress.Follow{Secret: own, SecretBody: holdsSecret(j.tool.HTTP.Body), Values: v.hidden})
}

// failed is the answer of a call without an answer of the target: a few words for the model, the reason for the operator.
func failed(err error, v *values) (answer, error) {
	var a answer
	if _, ok := errors.AsType[*argumentError](err); ok {
		return a, err
	}
	missing, unfilled := errors.AsType[*unfilledError](err)
	_, noSecret := errors.AsType[*missingSecretError](err)
	_, setup := errors.AsType[*setupError](err)
	_, redirect := errors.AsType[*egress.RedirectError](err)
	connect, noConnection := errors.AsType[*egress.ConnectError](err)
	switch {
	case unfilled && missing.source == "args":
		return a, &argumentError{missing.Error()}
	case unfilled:
		a.text = fmt.Sprintf("The tool needs something that is not known in this conversation (%s). Tell the person that you cannot do this here.", missing.name)
		a.detail.ErrorType = ErrorMissingContext
	case noSecret:
		a.detail.ErrorType = ErrorMissingSecret
	case setup:
		a.detail.ErrorType = ErrorSetup
	case egress.IsBlocked(err):
		a.detail.ErrorType = ErrorBlocked
	case redirect:
		a.detail.ErrorType = ErrorRedirect
	case noConnection && connect.Timeout():
		a.detail.ErrorType = ErrorTimeout
	case noConnection:
		a.text = "The service that the tool uses cannot be reached now. Tell the person that it did not work."
		a.detail.ErrorType = ErrorConnection
	default:
		a.detail = Detail{ErrorType: ErrorInternal, Error: "The tool failed on this server; its log has more."}
		return a, err
	}
	if a.detail.Error = err.Error(); v != nil {
		a.detail.Error = v.mask(a.detail.Error)
	}
	return a, err
}

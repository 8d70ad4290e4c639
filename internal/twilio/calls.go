package twilio

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// Hangup ends a call, ringing or live. A call that is already over is not an error.
func (c *Client) Hangup(ctx context.Context, callSID string) error {
	err := c.post(ctx, callPath(callSID), url.Values{"Status": {"completed"}})
	if rest, ok := errors.AsType[*RESTError](err); ok && (rest.Code == 20404 || rest.Code == 21220) {
		return nil
	}
	return err
}

// Redirect makes a live call leave whatever it executes, its media stream included, and ask address what to do, by POST.
// address may carry connection overrides in its fragment.
func (c *Client) Redirect(ctx context.Context, callSID, address string) error {
	return c.post(ctx, callPath(callSID), map[string][]string{"Url": {address}, "Method": {http.MethodPost}})
}

// CallStatus returns Twilio's CallStatus of a call. A call that Twilio does not know is a *RESTError with code 20404.
func (c *Client) CallStatus(ctx context.Context, callSID string) (string, error) {
	var call struct {
		Status string `json:"status"`
	}
	err := c.do(ctx, http.MethodGet, c.resource(callPath(callSID)), nil, &call)
	return call.Status, err
}

// IsUnknownCall reports whether Twilio's refusal says that it does not know the call.
func IsUnknownCall(err error) bool {
	rest, ok := errors.AsType[*RESTError](err)
	return ok && rest.Code == 20404
}

func callPath(sid string) string { return "Calls/" + url.PathEscape(sid) + ".json" }

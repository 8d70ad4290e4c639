package twilio

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client makes REST calls for one account. Safe for concurrent use.
type Client struct {
	BaseURL    string // https://api.twilio.com or a region's or test's origin
	AccountSID string
	AuthToken  string
	HTTP       *http.Client // nil: a client with a 10 s timeout
}

var restClient = &http.Client{Timeout: 10 * time.Second}

// RESTError is a refusal by Twilio: https://www.twilio.com/docs/api/errors.
type RESTError struct {
	Status  int
	Code    int
	Message string
}

// Error names the code and Twilio's words.
func (e *RESTError) Error() string {
	return fmt.Sprintf("twilio: error %d (HTTP %d): %s", e.Code, e.Status, e.Message)
}

// Hangup ends a call, ringing or live. A call that is already over is not an error.
func (c *Client) Hangup(ctx context.Context, callSID string) error {
	_, err := c.post(ctx, "Calls/"+url.PathEscape(callSID)+".json", url.Values{"Status": {"completed"}})
	if rest, ok := err.(*RESTError); ok && (rest.Code == 20404 || rest.Code == 21220) { //nolint:errorlint // made in post, never wrapped
		return nil
	}
	return err
}

// CallStatus asks for a call's current status: queued, ringing, in-progress, or a final one.
func (c *Client) CallStatus(ctx context.Context, callSID string) (string, error) {
	return c.do(ctx, http.MethodGet, "Calls/"+url.PathEscape(callSID)+".json", nil)
}

func (c *Client) post(ctx context.Context, path string, form url.Values) (string, error) {
	return c.do(ctx, http.MethodPost, path, strings.NewReader(form.Encode()))
}

// do returns the `status` of the call resource that Twilio answers.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (string, error) {
	address := strings.TrimSuffix(c.BaseURL, "/") + "/2010-04-01/Accounts/" + url.PathEscape(c.AccountSID) + "/" + path
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return "", fmt.Errorf("twilio request: %w", err)
	}
	req.SetBasicAuth(c.AccountSID, c.AuthToken)
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := c.HTTP
	if client == nil {
		client = restClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("twilio request: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", fmt.Errorf("twilio answer: %w", err)
	}
	var answer struct {
		Status  json.RawMessage `json:"status"` // a call's status is a string, an error's is a number
		Code    int             `json:"code"`
		Message string          `json:"message"`
	}
	_ = json.Unmarshal(raw, &answer)
	if resp.StatusCode >= 300 {
		return "", &RESTError{Status: resp.StatusCode, Code: answer.Code, Message: answer.Message}
	}
	var status string
	_ = json.Unmarshal(answer.Status, &status)
	return status, nil
}

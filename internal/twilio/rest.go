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
	Status  int    `json:"-"` // of HTTP
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error names the code and Twilio's words.
func (e *RESTError) Error() string {
	return fmt.Sprintf("twilio: error %d (HTTP %d): %s", e.Code, e.Status, e.Message)
}

// post sends a form to a resource of the account. A refusal by Twilio is a *RESTError.
func (c *Client) post(ctx context.Context, path string, form url.Values) error {
	return c.do(ctx, http.MethodPost, path, strings.NewReader(form.Encode()), nil)
}

// do sends one request and decodes Twilio's answer into out, unless it is nil.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader, out any) error {
	address := strings.TrimSuffix(c.BaseURL, "/") + "/2010-04-01/Accounts/" + url.PathEscape(c.AccountSID) + "/" + path
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return fmt.Errorf("twilio request: %w", err)
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
		return fmt.Errorf("twilio request: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode < 300 {
		if err == nil && out != nil {
			err = json.Unmarshal(raw, out)
		}
		if err != nil {
			return fmt.Errorf("twilio answer: %w", err)
		}
		return nil
	}
	refusal := &RESTError{Status: resp.StatusCode}
	_ = json.Unmarshal(raw, refusal) // what is not Twilio's JSON leaves the HTTP status
	return refusal
}

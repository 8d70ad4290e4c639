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

// restClient follows no redirect: one would take the credentials along, or turn a POST into a GET.
var restClient = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

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
	return c.do(ctx, http.MethodPost, c.resource(path), form, nil)
}

// resource is the path of one of the account's resources.
func (c *Client) resource(path string) string {
	return "/2010-04-01/Accounts/" + url.PathEscape(c.AccountSID) + "/" + path
}

// maxAnswer bounds what is read of an answer: 1,000 phone numbers have some 2 MB.
const maxAnswer = 8 << 20

// do makes one request, with a form if it is a POST, and decodes what Twilio answers into into, unless that is nil.
// A refusal by Twilio is a *RESTError.
func (c *Client) do(ctx context.Context, method, path string, form url.Values, into any) error {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.BaseURL, "/")+path, body)
	if err != nil {
		return fmt.Errorf("twilio request: %w", err)
	}
	req.SetBasicAuth(c.AccountSID, c.AuthToken)
	if form != nil {
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
	if resp.StatusCode >= 300 {
		refusal := &RESTError{Status: resp.StatusCode}
		if raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10)); err == nil {
			_ = json.Unmarshal(raw, refusal) // what is not Twilio's JSON leaves the HTTP status
		}
		return refusal
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("twilio answer: %w", err)
	}
	return nil
}

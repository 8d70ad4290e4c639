package phone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Failure is why a call ended with Twilio's "application error".
type Failure struct {
	Code       int    // of Twilio's error pages
	HTTPStatus int    // 0 when there was no answer
	Message    string // with an excerpt of the answer
}

// Error makes a Failure an error.
func (f *Failure) Error() string { return fmt.Sprintf("%d: %s", f.Code, f.Message) }

// policy is how a webhook is retried, from the URL's fragment: `#rc=2&rp=5xx,ct&tt=8000`.
type policy struct {
	retries                int
	on                     string
	connect, answer, total time.Duration
}

func policyOf(fragment string) policy {
	p := policy{retries: 1, on: "ct", connect: 5 * time.Second, answer: webhookTimeout, total: webhookTimeout}
	values, err := url.ParseQuery(fragment)
	if err != nil {
		return p
	}
	number := func(name string, limit int) int {
		n, err := strconv.Atoi(values.Get(name))
		if err != nil || n < 0 || n > limit {
			return -1
		}
		return n
	}
	if n := number("rc", 5); n >= 0 {
		p.retries = n
	}
	if values.Get("rp") != "" {
		p.on = values.Get("rp")
	}
	for name, o := range map[string]struct {
		set   *time.Duration
		limit int // ms
	}{"ct": {&p.connect, 10_000}, "rt": {&p.answer, 15_000}, "tt": {&p.total, 15_000}} {
		if n := number(name, o.limit); n > 0 {
			*o.set = time.Duration(n) * time.Millisecond
		}
	}
	return p
}

// retry reports whether the policy repeats a request that failed so.
func (p policy) retry(f *Failure) bool {
	kind := "ct"
	switch {
	case f.HTTPStatus >= 500:
		kind = "5xx"
	case f.HTTPStatus >= 400:
		kind = "4xx"
	case f.Code == 11200:
		kind = "rt"
	case f.HTTPStatus != 0:
		return false
	}
	return strings.Contains(p.on, kind) || p.on == "all"
}

// fetch asks the server what to do, or parses the TwiML that REST gave. base is what relative URLs refer to.
func (c *Call) fetch(ctx context.Context, d *document) (verbs []verb, base string, err error) {
	body, base := []byte(d.twiml), d.url
	if d.twiml == "" {
		if body, err = c.ask(ctx, d); err != nil {
			return nil, "", err
		}
	} else {
		base = c.opt.PublicURL
	}
	verbs, unknown, err := parseTwiML(body)
	if err != nil {
		return nil, "", &Failure{Code: 12100, HTTPStatus: http.StatusOK, Message: err.Error()}
	}
	c.mu.Lock()
	for _, u := range unknown {
		c.violation(12200, "TwiML schema: %s", u)
	}
	c.unlock()
	return verbs, base, nil
}

// ask sends one webhook with its retries and returns the TwiML.
func (c *Call) ask(ctx context.Context, d *document) ([]byte, error) {
	target, fragment, _ := strings.Cut(d.url, "#")
	p := policyOf(fragment)
	ctx, cancel := context.WithTimeout(ctx, p.total)
	defer cancel()
	form, signature, err := c.sign(ctx, target, d)
	if err != nil {
		return nil, &Failure{Code: 11200, Message: "signing the request: " + err.Error()}
	}
	token, wait := newSID(""), c.opt.RetryDelay
	for attempt := 0; ; attempt++ {
		body, failure := c.once(ctx, p, target, d.get, form, signature, token)
		if failure == nil {
			return body, nil
		}
		if attempt >= p.retries || !p.retry(failure) || ctx.Err() != nil {
			return nil, failure
		}
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return nil, failure
		}
	}
}

// sign makes the form and signature of a request.
func (c *Call) sign(ctx context.Context, target string, d *document) (url.Values, string, error) {
	c.mu.Lock()
	status := c.status
	first := c.opt.Form != nil && c.answered.IsZero() && target == c.opt.PublicURL
	c.mu.Unlock()
	if first {
		return c.opt.Form, c.opt.Signature, nil
	}
	form := c.form(status)
	maps.Copy(form, d.extra)
	signature, err := c.signature(ctx, target, form, d.get)
	return form, signature, err
}

func (c *Call) signature(ctx context.Context, target string, form url.Values, get bool) (string, error) {
	switch {
	case c.opt.AuthToken != "" && get:
		return Signature(c.opt.AuthToken, withQuery(target, form), nil), nil
	case c.opt.AuthToken != "":
		return Signature(c.opt.AuthToken, target, form), nil
	case c.opt.Sign != nil && get:
		return c.opt.Sign(ctx, withQuery(target, form), nil)
	case c.opt.Sign != nil:
		return c.opt.Sign(ctx, target, form)
	}
	return "", errors.New("the ready-signed form is used up and there is no Sign")
}

func withQuery(target string, form url.Values) string {
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	return target + separator + form.Encode()
}

// form returns the standard fields of a voice request.
func (c *Call) form(status string) url.Values {
	form := url.Values{
		"CallSid": {c.opt.CallSID}, "AccountSid": {c.opt.AccountSID}, "ApiVersion": {"2010-04-01"},
		"Direction": {"inbound"}, "CallStatus": {status},
		"From": {c.opt.From}, "Caller": {c.opt.From}, "To": {c.opt.To}, "Called": {c.opt.To},
	}
	for _, who := range []string{"From", "Caller", "To", "Called"} {
		for _, what := range []string{"City", "State", "Zip", "Country"} {
			form.Set(who+what, "")
		}
	}
	if c.opt.Form != nil { // what the server put into its own form stays in every request
		for name, values := range c.opt.Form {
			if name != "CallStatus" {
				form[name] = values
			}
		}
	}
	maps.Copy(form, c.opt.ExtraForm)
	return form
}

// once sends one request and checks the answer as Twilio does.
func (c *Call) once(ctx context.Context, p policy, target string, get bool, form url.Values, signature, token string) ([]byte, *Failure) {
	ctx, cancel := context.WithTimeout(ctx, p.answer)
	defer cancel()
	local, err := c.reach(target)
	if err != nil {
		return nil, &Failure{Code: 11100, Message: err.Error()}
	}
	res, failure := c.request(ctx, local, get, form, signature, token)
	if failure != nil {
		return nil, failure
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxTwiML+1))
	if err != nil {
		return nil, &Failure{Code: 11200, Message: "reading the answer of " + target + ": " + err.Error()}
	}
	refused := func(code int, format string, args ...any) ([]byte, *Failure) {
		text := fmt.Sprintf(format, args...)
		return nil, &Failure{Code: code, HTTPStatus: res.StatusCode, Message: fmt.Sprintf("%s: %s%s", target, text, excerpt(body))}
	}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode/100 != 2:
		return refused(11200, "HTTP status %d", res.StatusCode)
	case len(body) > maxTwiML:
		return nil, &Failure{Code: 11750, HTTPStatus: res.StatusCode, Message: target + ": TwiML is larger than 64 KiB"}
	case media != "text/xml" && media != "application/xml":
		return refused(12300, "content type %q is not text/xml", res.Header.Get("Content-Type"))
	}
	return body, nil
}

// request posts, or gets, the form; local is where, and the signature was made for the public URL.
func (c *Call) request(ctx context.Context, local string, get bool, form url.Values, signature, token string) (*http.Response, *Failure) {
	method, body := http.MethodPost, io.Reader(strings.NewReader(form.Encode()))
	if get {
		method, body, local = http.MethodGet, nil, withQuery(local, form)
	}
	req, err := http.NewRequestWithContext(ctx, method, local, body)
	if err != nil {
		return nil, &Failure{Code: 11100, Message: err.Error()}
	}
	if !get {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	}
	req.Header.Set("User-Agent", "TwilioProxy/1.1")
	req.Header.Set("Accept", "*/*")
	req.Header.Set("X-Twilio-Signature", signature)
	req.Header.Set("I-Twilio-Idempotency-Token", token)
	res, err := c.client.Do(req)
	if err == nil {
		return res, nil
	}
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return nil, &Failure{Code: 11210, Message: err.Error()}
	case errors.As(err, &op) && op.Op == "dial", errors.Is(err, io.EOF):
		return nil, &Failure{Code: 11205, Message: err.Error()}
	}
	return nil, &Failure{Code: 11200, Message: err.Error()}
}

// fallback is what follows a webhook that failed: the fallback URL, once, or the end of the call.
func (c *Call) fallback(ctx context.Context, d *document, err error) *document {
	failure := &Failure{Code: 11200, Message: err.Error()}
	errors.As(err, &failure)
	if ctx.Err() != nil {
		return nil // interrupted: by a hang-up or by REST
	}
	if c.opt.FallbackURL == "" || d.url == c.opt.FallbackURL {
		c.fail(failure)
		return nil
	}
	c.mu.Lock()
	c.violation(failure.Code, "%s", failure.Message)
	c.unlock()
	return &document{url: c.opt.FallbackURL, extra: url.Values{"ErrorCode": {strconv.Itoa(failure.Code)}, "ErrorUrl": {d.url}}}
}

// reach returns where a public URL is connected to.
func (c *Call) reach(public string) (string, error) {
	u, err := url.Parse(public)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("%q is not an absolute URL", public)
	}
	if strings.EqualFold(u.Host, c.public.Host) {
		socket := u.Scheme == "ws" || u.Scheme == "wss"
		u.Scheme, u.Host = c.local.Scheme, c.local.Host
		if socket {
			u.Scheme = "ws" + strings.TrimPrefix(c.local.Scheme, "http")
		}
	}
	return u.String(), nil
}

// excerpt is the beginning of an answer, for an error message.
func excerpt(body []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), 200)]), "")), " ")
	if text == "" {
		return ""
	}
	return ": " + text
}

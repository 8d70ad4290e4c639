package twilio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Number is a phone number of the account: https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource.
// What is empty is not set.
type Number struct {
	SID                  string       `json:"sid"`
	PhoneNumber          string       `json:"phone_number"` // E.164
	FriendlyName         string       `json:"friendly_name"`
	Capabilities         Capabilities `json:"capabilities"`
	VoiceURL             string       `json:"voice_url"`
	VoiceMethod          string       `json:"voice_method"`
	VoiceFallbackURL     string       `json:"voice_fallback_url"`
	VoiceFallbackMethod  string       `json:"voice_fallback_method"`
	StatusCallback       string       `json:"status_callback"`
	StatusCallbackMethod string       `json:"status_callback_method"`
	VoiceApplicationSID  string       `json:"voice_application_sid"` // overrides VoiceURL
	TrunkSID             string       `json:"trunk_sid"`             // overrides both
}

// Capabilities are what a number can do.
type Capabilities struct {
	Voice bool `json:"voice"`
	SMS   bool `json:"sms"`
	MMS   bool `json:"mms"`
	Fax   bool `json:"fax"`
}

// MaxNumbers bounds how many numbers ListNumbers reads.
const MaxNumbers = 10_000

// numbersPerPage is the most that Twilio sends at once.
const numbersPerPage = 1000

// numberPage is one page of a list.
type numberPage struct {
	Numbers []Number `json:"incoming_phone_numbers"`
	Next    string   `json:"next_page_uri"`
}

// ListNumbers reads the account's phone numbers, page by page. more says that there are others beyond MaxNumbers.
func (c *Client) ListNumbers(ctx context.Context) (all []Number, more bool, err error) {
	return c.numbers(ctx, url.Values{"PageSize": {strconv.Itoa(numbersPerPage)}})
}

// FindNumber finds one of the account's numbers by its E.164 form; nil when the account does not have it.
func (c *Client) FindNumber(ctx context.Context, e164 string) (*Number, error) {
	all, _, err := c.numbers(ctx, url.Values{"PhoneNumber": {e164}, "PageSize": {strconv.Itoa(numbersPerPage)}})
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].PhoneNumber == e164 { // the filter also finds numbers that contain it
			return &all[i], nil
		}
	}
	return nil, nil
}

func (c *Client) numbers(ctx context.Context, query url.Values) (all []Number, more bool, err error) {
	next := c.resource("IncomingPhoneNumbers.json") + "?" + query.Encode()
	for pages := 0; next != ""; pages++ {
		if pages == MaxNumbers/numbersPerPage {
			return all, true, nil
		}
		var page numberPage
		if err := c.do(ctx, http.MethodGet, next, nil, &page); err != nil {
			return nil, false, err
		}
		all = append(all, page.Numbers...)
		if next, err = c.nextPage(page.Next); err != nil {
			return nil, false, err
		}
	}
	return all, false, nil
}

// nextPage is the path of the next page, which must be at the same server and account: the credentials go there.
func (c *Client) nextPage(uri string) (string, error) {
	if uri == "" {
		return "", nil
	}
	u, err := url.Parse(uri)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, c.resource("IncomingPhoneNumbers")) {
		return "", errors.New("twilio answer: the next page is elsewhere")
	}
	return u.RequestURI(), nil
}

// UpdateNumber changes what a number's fields name, such as VoiceUrl; an empty value clears one.
func (c *Client) UpdateNumber(ctx context.Context, sid string, fields url.Values) (*Number, error) {
	var n Number
	if err := c.do(ctx, http.MethodPost, c.resource("IncomingPhoneNumbers/"+url.PathEscape(sid)+".json"), fields, &n); err != nil {
		return nil, err
	}
	if n.SID != sid {
		return nil, fmt.Errorf("twilio answer: number %q for %q", n.SID, sid)
	}
	return &n, nil
}

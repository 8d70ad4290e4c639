package phone

import (
	"net/url"
	"testing"
)

func TestSignature(t *testing.T) {
	t.Parallel()
	form := url.Values{
		"CallSid": {"CA1234567890ABCDE"}, "Caller": {"+14158675309"}, "Digits": {"1234"}, "From": {"+14158675309"}, "To": {"+18005551212"},
	}
	for name, c := range map[string]struct {
		token, url string
		form       url.Values
		want       string
	}{
		// Twilio's own example, from twilio.com/docs/usage/security and the tests of its SDKs.
		"published": {"12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form, "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
		// printf %s 'wss://example.com/twilio/stream/abc' | openssl dgst -sha1 -hmac 12345 -binary | base64
		"socket": {"12345", "wss://example.com/twilio/stream/abc", nil, "U2EPH/AsbwHvAT5QHCiovZBhoF4="},
		// printf %s 'https://example.com/aA1A2B3' | openssl dgst …: values of one name sorted, doubles once
		"doubles": {"12345", "https://example.com/a#rc=2", url.Values{"B": {"3"}, "A": {"2", "1", "2"}}, "idnVshEtvp9U4z5F9Vdp1Nu2xvM="},
	} {
		if got := Signature(c.token, c.url, c.form); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

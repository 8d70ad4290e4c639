// Package twilio is the carrier adapter: webhook signatures, TwiML, the Media Streams socket and the few REST
// calls that Parley makes.
//
// It verifies, encodes and decodes; it knows no agents and decides nothing about calls. Protocol facts are from
// Twilio's public documentation of Voice webhooks, Media Streams and request validation (2026).
package twilio

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
)

// SignatureHeader carries the signature of every request that Twilio makes, the WebSocket upgrade included.
const SignatureHeader = "X-Twilio-Signature"

// Sign returns the signature of a request: base64(HMAC-SHA1(token, URL, then each form parameter's name and
// value in order of name, without separators)). The URL is the exact public one. form is nil for GET and for
// the stream's upgrade. Of a parameter that appears several times, each distinct value counts, sorted.
func Sign(token, publicURL string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(publicURL))
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		values := slices.Clone(form[name])
		slices.Sort(values)
		for _, v := range slices.Compact(values) {
			mac.Write([]byte(name))
			mac.Write([]byte(v))
		}
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Verify reports whether signature belongs to the request. publicURL is built from the configured public
// origin, never from request headers. The same URL without its port, or with the default one written out, is accepted
// too, and for the stream's ws/wss URL also with a trailing slash: which form Twilio signs depends on the kind of
// request, and all candidates are our own address. Comparison takes constant time.
func Verify(token, publicURL string, form url.Values, signature string) bool {
	if token == "" || signature == "" {
		return false
	}
	ok := false
	for _, candidate := range candidates(publicURL) {
		if hmac.Equal([]byte(Sign(token, candidate, form)), []byte(signature)) {
			ok = true
		}
	}
	return ok
}

func candidates(publicURL string) []string {
	list := []string{publicURL}
	u, err := url.Parse(publicURL)
	if err != nil {
		return list
	}
	scheme, rest, _ := strings.Cut(publicURL, "://")
	at := strings.IndexAny(rest+"/", "/?")
	bare := scheme + "://" + strings.TrimSuffix(rest[:at], ":"+u.Port())
	if u.Port() != "" {
		list = append(list, bare+rest[at:])
	}
	for _, port := range defaultPorts(u.Scheme) {
		if port != u.Port() {
			list = append(list, bare+":"+port+rest[at:])
		}
	}
	if strings.HasPrefix(u.Scheme, "ws") {
		for _, c := range list {
			list = append(list, c+"/")
		}
	}
	return list
}

// defaultPorts of a scheme. For wss Twilio's own libraries write :80, so both forms are ours to accept.
func defaultPorts(scheme string) []string {
	switch scheme {
	case "https":
		return []string{"443"}
	case "wss":
		return []string{"443", "80"}
	default:
		return []string{"80"}
	}
}

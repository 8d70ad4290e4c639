package phone

import (
	"crypto/hmac"
	"crypto/sha1" // Twilio's scheme is HMAC-SHA1
	"encoding/base64"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Signature returns the X-Twilio-Signature of a request: base64(HMAC-SHA1(token, URL + name + value of every
// form parameter, sorted)). The fragment is not part of the URL that is signed. form is nil for GET and for
// WebSocket handshakes.
func Signature(authToken, rawURL string, form url.Values) string {
	rawURL, _, _ = strings.Cut(rawURL, "#")
	mac := hmac.New(sha1.New, []byte(authToken))
	_, _ = io.WriteString(mac, rawURL)
	for _, name := range slices.Sorted(maps.Keys(form)) {
		values := slices.Clone(form[name])
		slices.Sort(values)
		for _, v := range slices.Compact(values) {
			_, _ = io.WriteString(mac, name+v)
		}
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

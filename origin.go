package parley

import (
	"regexp"
	"strings"
)

// MaxOrigin bounds an origin, in characters: a scheme, a host and a port.
const MaxOrigin = 267

// OriginPattern matches exactly the web origins that are accepted: https, or http on the machine itself, where
// browsers let pages use a microphone too.
var OriginPattern = `^(https://(` + labelPattern + `(\.` + labelPattern + `)*|\[(` + addressPattern() + `)\])|http://(localhost|127\.0\.0\.1|\[::1\]))` + portPattern + `$`

var originExpr = regexp.MustCompile(OriginPattern)

// Origin reads a web origin and puts it into origin: in the form in which browsers send it, lower-case and without a default port.
func (in *Input) Origin(name string, origin *string) {
	var s string
	in.Text(name, &s, 1, MaxOrigin)
	if s == "" {
		return
	}
	if !originExpr.MatchString(s) {
		in.Fail(name, "must be an origin such as https://www.example.com or http://localhost:3000: no path, and https except on this machine.")
		return
	}
	s = strings.ToLower(s)
	for scheme, port := range map[string]string{"https:": ":443", "http:": ":80"} {
		if strings.HasPrefix(s, scheme) {
			s = strings.TrimSuffix(s, port)
		}
	}
	*origin = s
}

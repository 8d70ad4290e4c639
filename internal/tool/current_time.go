package tool

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	_ "time/tzdata" // a container image or Windows has no time zone database of its own
)

// currentTime answers {"utc","local","timezone","weekday"}: RFC 3339 times to the second, and the weekday at
// the place asked for.
func (r *Runner) currentTime(_ context.Context, j job) (string, error) {
	var in struct {
		Timezone *string `json:"timezone"`
	}
	if decodeArguments(j.arguments, &in) != nil {
		return "", &argumentError{`the only argument is "timezone", a string such as "Europe/Helsinki"`}
	}
	zone := time.UTC
	if in.Timezone != nil && *in.Timezone != "" {
		var ok bool
		if zone, ok = location(*in.Timezone); !ok {
			return "", &argumentError{`"timezone" must be an IANA time zone such as "Europe/Helsinki" or "America/New_York"`}
		}
	}
	now := r.now().Truncate(time.Second)
	local := now.In(zone)
	out, err := json.Marshal(struct {
		UTC      string `json:"utc"`
		Local    string `json:"local"`
		Timezone string `json:"timezone"`
		Weekday  string `json:"weekday"`
	}{now.UTC().Format(time.RFC3339), local.Format(time.RFC3339), zone.String(), local.Weekday().String()})
	return string(out), err
}

// location looks a zone up. "Local" is the server's own zone, which is nobody's business and seldom the
// person's; the length bound keeps nonsense away from the file system.
func location(name string) (*time.Location, bool) {
	if len(name) > 64 || strings.EqualFold(name, "local") {
		return nil, false
	}
	zone, err := time.LoadLocation(name)
	return zone, err == nil
}

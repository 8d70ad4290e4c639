package phone

import (
	"context"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/internal/audio"
)

// Target is somebody whom the server's <Dial> calls. The zero value answers at once, listens to what it is told, and
// hangs up as soon as it is connected.
type Target struct {
	Status string        // how the call ends instead of an answer: busy, no-answer, failed or canceled; "" = it answers
	Rings  time.Duration // until the answer, or the Status; at most the Dial's timeout
	Press  string        // keys for each <Gather>, "" = none
	Leaves time.Duration // hangs up so long after the answer, unless it is connected before; 0 = does not
	Talks  time.Duration // from the connection until it hangs up
}

// Dialed is one call of a <Dial>.
type Dialed struct {
	Number   string
	CallerID string // what its phone shows
	CallSID  string
	At       time.Duration // since the call was answered
	Heard    []string      // texts of <Say> before the connection
	Status   string        // Twilio's DialCallStatus
	Bridged  bool
	Talked   time.Duration
}

const (
	maxTargetDocuments = 20
	defaultDialTimeout = 30 * time.Second
	defaultGatherTime  = 5 * time.Second
)

var (
	phoneNumber = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)
	playDigits  = regexp.MustCompile(`^[0-9*#wW]+$`)
)

// targetCall is a dialed call in progress. One goroutine owns it: the one that executes TwiML.
type targetCall struct {
	c        *Call
	t        Target
	noun     verb
	base     string
	report   *Dialed
	answered time.Time
	events   int // of its status callback
}

// dial calls the party of a Dial and returns when that call has ended. The document is what follows.
func (c *Call) dial(ctx context.Context, v verb, base string) *document {
	nouns := v.children
	if v.text != "" {
		nouns = append([]verb{{name: "Number", attrs: map[string]string{}, text: v.text}}, nouns...)
	}
	if len(nouns) != 1 {
		c.mu.Lock()
		c.violation(12200, "TwiML schema: the simulated phone dials exactly one number, not %d", len(nouns))
		c.unlock()
		return nil
	}
	d := &targetCall{c: c, t: c.opt.Targets[nouns[0].text], noun: nouns[0], base: base, report: &Dialed{Number: nouns[0].text, CallSID: newSID("CA")}}
	timeout := d.check(v)
	c.mu.Lock()
	d.report.At = c.sinceAnswer(time.Now())
	c.record.dialed = append(c.record.dialed, d.report)
	c.tell(EventDialed, d.report.Number)
	c.unlock()
	d.run(ctx, timeout)
	return c.afterDial(ctx, v, base, d)
}

// check applies Twilio's rules for a Dial and returns how long it rings.
func (d *targetCall) check(v verb) time.Duration {
	c := d.c
	c.mu.Lock()
	defer c.unlock()
	timeout := defaultDialTimeout
	if raw, ok := v.attrs["timeout"]; ok {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 5 || n > 600 {
			c.violation(12200, "Dial timeout %q is not 5 to 600 seconds", raw)
		} else {
			timeout = time.Duration(n) * time.Second
		}
	}
	if raw, ok := v.attrs["answerOnBridge"]; ok && raw != "true" && raw != "false" {
		c.violation(12200, "Dial answerOnBridge %q is not true or false", raw)
	}
	if !phoneNumber.MatchString(d.report.Number) {
		c.violation(13224, "invalid phone number %q", d.report.Number)
		d.t = Target{Status: "failed"}
	}
	d.report.CallerID = c.opt.From
	if id := v.attrs["callerId"]; id != "" {
		d.report.CallerID = id
	}
	if !phoneNumber.MatchString(d.report.CallerID) {
		c.violation(13214, "invalid callerId %q", d.report.CallerID)
		d.t = Target{Status: "failed"}
	}
	return timeout
}

// run is the life of the dialed call.
func (d *targetCall) run(ctx context.Context, timeout time.Duration) {
	d.tell("initiated", "initiated")
	d.tell("ringing", "ringing")
	if d.t.Rings > timeout {
		d.t.Rings, d.t.Status = timeout, "no-answer"
	}
	sleep(ctx, d.t.Rings)
	switch {
	case ctx.Err() != nil:
		d.ends("canceled")
	case d.t.Status != "":
		d.ends(d.t.Status)
	default:
		d.ends("completed")
		d.answered = time.Now()
		d.tell("answered", "in-progress")
		if d.listens(ctx) {
			d.c.mu.Lock()
			d.report.Bridged = true
			d.c.tell(EventBridged, d.report.Number)
			d.c.unlock()
			began := time.Now()
			sleep(ctx, d.t.Talks)
			d.c.mu.Lock()
			d.report.Talked = time.Since(began)
			d.c.unlock()
		}
	}
	d.tell("completed", d.report.Status)
}

// ends sets what the Dial's action will be told.
func (d *targetCall) ends(status string) {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	d.report.Status = status
}

// listens executes what the party hears before it is connected, and reports whether it is connected then.
func (d *targetCall) listens(ctx context.Context) bool {
	if d.t.Leaves > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.t.Leaves)
		defer cancel()
	}
	ref := d.noun.attrs["url"]
	if ref == "" {
		return ctx.Err() == nil
	}
	next := d.c.lead(d.base, ref, d.noun.attrs["method"], d.form("in-progress", nil))
	for n := 0; next != nil; n++ {
		if n == maxTargetDocuments {
			d.violation(12100, "the dialed party is redirected in circles")
			return false
		}
		verbs, base, err := d.c.fetch(ctx, next)
		if err != nil {
			if ctx.Err() == nil {
				d.violation(11200, "what a dialed party hears: %v", err)
			}
			return false
		}
		var goesOn bool
		if next, goesOn = d.execute(ctx, verbs, base); !goesOn {
			return false
		}
	}
	return ctx.Err() == nil
}

// execute does the verbs of such a document. It returns the document they led to, and false when the party was hung up on
// or has hung up.
func (d *targetCall) execute(ctx context.Context, verbs []verb, base string) (next *document, goesOn bool) {
	for _, v := range verbs {
		switch v.name {
		case "Say":
			d.hears(ctx, v)
		case "Play", "Pause":
			pause(ctx, v)
		case "Gather":
			if next := d.gather(ctx, v, base); next != nil {
				return next, true
			}
		case "Redirect":
			return d.c.lead(base, v.text, v.attrs["method"], d.form("in-progress", nil)), true
		case "Hangup":
			return nil, false
		default:
			d.violation(12200, "%s is not possible before a dialed party is connected", v.name)
		}
		if ctx.Err() != nil {
			return nil, false
		}
	}
	return nil, true
}

// hears is a Say.
func (d *targetCall) hears(ctx context.Context, v verb) {
	d.c.mu.Lock()
	d.report.Heard = append(d.report.Heard, v.text)
	d.c.unlock()
	sleep(ctx, audio.Duration(len(Hum(v.text))))
}

// gather speaks and waits for keys. The document is that of its action, nil when none were pressed.
func (d *targetCall) gather(ctx context.Context, v verb, base string) *document {
	if input := v.attrs["input"]; input != "" && input != "dtmf" {
		d.violation(12200, "the simulated phone gathers keys only, not %q", input)
	}
	for _, inside := range v.children {
		if inside.name == "Say" {
			d.hears(ctx, inside)
		} else {
			pause(ctx, inside)
		}
	}
	keys := d.t.Press
	if n, err := strconv.Atoi(v.attrs["numDigits"]); err == nil && n > 0 {
		keys = keys[:min(n, len(keys))]
	} else {
		finish := "#"
		if f, ok := v.attrs["finishOnKey"]; ok {
			finish = f
		}
		keys = strings.TrimSuffix(keys, finish)
	}
	if keys == "" {
		wait := defaultGatherTime
		if n, err := strconv.Atoi(v.attrs["timeout"]); err == nil && n > 0 {
			wait = time.Duration(n) * time.Second
		}
		sleep(ctx, wait)
		return nil
	}
	action, ok := v.attrs["action"]
	if !ok {
		action = base
	}
	return d.c.lead(base, action, v.attrs["method"], d.form("in-progress", url.Values{"Digits": {keys}, "FinishedOnKey": {""}, "msg": {"Gather End"}}))
}

// form are the fields of a request about the dialed call.
func (d *targetCall) form(status string, extra url.Values) url.Values {
	form := url.Values{
		"CallSid": {d.report.CallSID}, "ParentCallSid": {d.c.opt.CallSID}, "Direction": {"outbound-dial"}, "CallStatus": {status},
		"From": {d.report.CallerID}, "Caller": {d.report.CallerID}, "To": {d.report.Number}, "Called": {d.report.Number},
	}
	maps.Copy(form, extra)
	return form
}

// tell queues the status callback that the Number asked for.
func (d *targetCall) tell(event, status string) {
	address := d.noun.attrs["statusCallback"]
	asked := strings.Fields(d.noun.attrs["statusCallbackEvent"])
	if len(asked) == 0 {
		asked = []string{"completed"}
	}
	if address == "" || !slices.Contains(asked, event) {
		return
	}
	c := d.c
	if next := c.lead(d.base, address, "", nil); next != nil {
		address = next.url
	}
	c.mu.Lock()
	defer c.unlock()
	form := c.form(status)
	maps.Copy(form, d.form(status, url.Values{
		"CallbackSource": {"call-progress-events"}, "SequenceNumber": {strconv.Itoa(d.events)}, "Timestamp": {time.Now().UTC().Format(time.RFC1123Z)},
	}))
	if event == "completed" {
		form.Set("CallDuration", strconv.Itoa(d.seconds()))
	}
	d.events++
	c.queue(callback{address, form})
}

// seconds is how long the dialed call has lasted.
func (d *targetCall) seconds() int {
	if d.answered.IsZero() {
		return 0
	}
	return int(time.Since(d.answered).Round(time.Second).Seconds())
}

func (d *targetCall) violation(code int, format string, args ...any) {
	d.c.mu.Lock()
	defer d.c.unlock()
	d.c.violation(code, format, args...)
}

// afterDial asks the Dial's action what follows. When the caller has hung up, the action is told, but its answer leads
// nowhere.
func (c *Call) afterDial(ctx context.Context, v verb, base string, d *targetCall) *document {
	action, ok := v.attrs["action"]
	if !ok {
		return nil
	}
	next := c.lead(base, action, v.attrs["method"], url.Values{
		"DialCallStatus": {d.report.Status}, "DialCallSid": {d.report.CallSID}, "DialCallDuration": {strconv.Itoa(d.seconds())},
		"DialBridged": {strconv.FormatBool(d.report.Bridged)},
	})
	if ctx.Err() == nil || next == nil {
		return next
	}
	c.mu.Lock()
	defer c.unlock()
	if c.endedBy != "" {
		form := c.form("completed")
		maps.Copy(form, next.extra)
		target, _, _ := strings.Cut(next.url, "#")
		c.queue(callback{target, form})
	}
	return nil
}

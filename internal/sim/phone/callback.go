package phone

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// callback is a status callback that waits to be delivered.
type callback struct {
	url  string // public
	form url.Values
}

// callbackTimeout bounds one delivery; a call's end waits for its last one.
const callbackTimeout = 5 * time.Second

// report queues the number's status callback for an event: initiated, ringing, answered or completed.
func (c *Call) report(event string) {
	c.mu.Lock()
	defer c.unlock()
	c.reportLocked(event)
}

func (c *Call) reportLocked(event string) {
	if c.opt.StatusCallbackURL == "" || !slices.Contains(c.opt.StatusEvents, event) {
		return
	}
	status := c.status
	switch event {
	case "initiated", "ringing":
		status = event
	case "answered":
		status = "in-progress"
	}
	form := c.form(status)
	form.Set("CallbackSource", "call-progress-events")
	form.Set("SequenceNumber", strconv.Itoa(c.callSeq))
	form.Set("Timestamp", time.Now().UTC().Format(time.RFC1123Z))
	if event == "completed" {
		form.Set("CallDuration", strconv.Itoa(int(c.ended.Sub(c.answeredOrStart()).Round(time.Second).Seconds())))
	}
	c.callSeq++
	c.queue(callback{c.opt.StatusCallbackURL, form})
}

func (c *Call) answeredOrStart() time.Time {
	if c.answered.IsZero() {
		return c.started
	}
	return c.answered
}

// reportStream queues the callback that a <Stream> asked for; the lock must be held.
func (c *Call) reportStream(s *stream, event, reason string) {
	if s.statusURL == "" {
		return
	}
	form := url.Values{
		"AccountSid": {c.opt.AccountSID}, "CallSid": {c.opt.CallSID}, "StreamSid": {s.sid}, "StreamName": {s.name},
		"StreamEvent": {event}, "Timestamp": {time.Now().UTC().Format(time.RFC3339)},
	}
	if reason != "" {
		form.Set("StreamError", reason)
	}
	c.queue(callback{s.statusURL, form})
}

func (c *Call) queue(cb callback) {
	select {
	case c.callbacks <- cb:
	default:
		c.violation(11200, "status callbacks are answered so slowly that one was dropped")
	}
}

// deliver sends the callbacks in order until the channel is closed. Twilio does not care for the answer
// beyond its status.
func (c *Call) deliver(ctx context.Context) {
	for cb := range c.callbacks {
		if err := c.deliverOne(ctx, cb); err != nil {
			c.mu.Lock()
			c.violation(11200, "status callback: %v", err)
			c.unlock()
		}
	}
}

func (c *Call) deliverOne(ctx context.Context, cb callback) error {
	ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
	defer cancel()
	signature, err := c.signature(ctx, cb.url, cb.form, false)
	if err != nil {
		return err
	}
	local, err := c.reach(cb.url)
	if err != nil {
		return err
	}
	res, failure := c.request(ctx, local, false, cb.form, signature, newSID(""))
	if failure != nil {
		return failure
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return &Failure{Code: 11200, HTTPStatus: res.StatusCode, Message: cb.url + ": HTTP status " + strconv.Itoa(res.StatusCode)}
	}
	return nil
}

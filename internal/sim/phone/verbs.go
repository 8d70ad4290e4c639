package phone

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"parley/internal/audio"
)

// execute does a document's verbs in order. It returns the document that a verb led to, or nil at their end.
func (c *Call) execute(ctx context.Context, verbs []verb, base string) *document {
	for _, v := range verbs {
		if ctx.Err() != nil {
			return nil
		}
		switch v.name {
		case "Say":
			c.say(ctx, v)
		case "Play", "Pause":
			pause(ctx, v)
		case "Connect":
			if next := c.connect(ctx, v, base); next != nil {
				return next
			}
		case "Dial":
			if next := c.dial(v, base); next != nil {
				return next
			}
		case "Redirect":
			return c.lead(base, v.text, v.attrs["method"], nil)
		case "Hangup":
			c.end("hangup verb", false)
			return nil
		case "Reject":
			c.reject(v)
			return nil
		}
	}
	return nil
}

// lead makes the document of a URL that a verb names, relative to the document it stands in.
func (c *Call) lead(base, ref, method string, extra url.Values) *document {
	b, err := url.Parse(base)
	if err == nil {
		b, err = b.Parse(ref)
	}
	if err != nil || ref == "" {
		c.fail(&Failure{Code: 11100, Message: "invalid URL in TwiML: " + strconv.Quote(ref)})
		return nil
	}
	return &document{url: b.String(), get: strings.EqualFold(method, "GET"), extra: extra}
}

// say speaks a notice: it is recorded, and heard as a hum of the length that the words would take.
func (c *Call) say(ctx context.Context, v verb) {
	hum := Hum(v.text)
	c.mu.Lock()
	c.record.notices = append(c.record.notices, v.text)
	c.tell(EventNotice, v.text)
	c.speaker.push(hum)
	c.unlock()
	sleep(ctx, audio.Duration(len(hum)))
	if ctx.Err() != nil {
		c.mu.Lock()
		c.speaker.clear()
		c.unlock()
	}
}

// pause waits as long as a Pause, or as the digits of a Play, take; a file is taken to last one second.
func pause(ctx context.Context, v verb) {
	d := time.Second
	if n, err := strconv.Atoi(v.attrs["length"]); err == nil && n > 0 && n <= 3600 {
		d = time.Duration(n) * time.Second
	}
	if digits := v.attrs["digits"]; digits != "" {
		d = time.Duration(len(digits)) * 200 * time.Millisecond
	}
	sleep(ctx, d)
}

// connect attaches the stream of a Connect and waits for its end.
func (c *Call) connect(ctx context.Context, v verb, base string) *document {
	if len(v.children) != 1 {
		c.mu.Lock()
		c.violation(12200, "TwiML schema: Connect needs exactly one Stream")
		c.unlock()
		return nil
	}
	c.attach(ctx, v.children[0])
	if action, ok := v.attrs["action"]; ok && ctx.Err() == nil {
		return c.lead(base, action, v.attrs["method"], nil)
	}
	return nil
}

// dial records who was to be called. The other party answers and hangs up at once.
func (c *Call) dial(v verb, base string) *document {
	numbers := []string{}
	if v.text != "" {
		numbers = append(numbers, v.text)
	}
	for _, n := range v.children {
		numbers = append(numbers, n.text)
	}
	c.mu.Lock()
	c.record.dialed = append(c.record.dialed, numbers...)
	c.tell(EventDialed, strings.Join(numbers, ", "))
	c.unlock()
	if action, ok := v.attrs["action"]; ok {
		return c.lead(base, action, v.attrs["method"], url.Values{"DialCallStatus": {"completed"}, "DialCallDuration": {"0"}})
	}
	return nil
}

func (c *Call) reject(v verb) {
	c.mu.Lock()
	defer c.unlock()
	if c.answered.IsZero() {
		c.status = "no-answer"
		if v.attrs["reason"] == "busy" {
			c.status = "busy"
		}
	}
	c.endLocked("rejected", false)
}

// sleep waits for d or for ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

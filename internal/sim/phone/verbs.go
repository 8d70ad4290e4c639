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
			c.press(v)
			pause(ctx, v)
		case "Gather":
			c.mu.Lock()
			c.violation(12200, "the simulated phone gathers keys of dialed parties only")
			c.unlock()
		case "Connect":
			if next := c.connect(ctx, v, base); next != nil {
				return next
			}
		case "Dial":
			if next := c.dial(ctx, v, base); next != nil {
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

// press records the keys of a Play.
func (c *Call) press(v verb) {
	digits, ok := v.attrs["digits"]
	if v.name != "Play" || !ok {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if !playDigits.MatchString(digits) {
		c.violation(12200, "Play digits %q: only 0-9, *, # and w", digits)
		return
	}
	c.record.pressed = append(c.record.pressed, digits)
	c.tell(EventPressed, digits)
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

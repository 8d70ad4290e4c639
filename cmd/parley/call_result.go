package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"parley"
	"parley/internal/sim/phone"
)

// callResult is what --json prints. Lists are never null.
type callResult struct {
	OK             bool        `json:"ok"`
	Error          string      `json:"error,omitempty"`
	ConversationID string      `json:"conversationId"`
	CallSID        string      `json:"callSid"`
	Seconds        float64     `json:"seconds"`      // from the answer to the end
	HeardSeconds   float64     `json:"heardSeconds"` // of audible speech
	Turns          []callTurn  `json:"turns"`
	LatencyMs      latencyMs   `json:"latencyMs"`
	Transcript     []callWords `json:"transcript"` // needs a key
	Notices        []string    `json:"notices"`    // spoken by the carrier, not by the agent
	Violations     []string    `json:"violations"`
	Underruns      int         `json:"underruns"` // short holes in the agent's speech
	EndedBy        string      `json:"endedBy"`
	SavedTo        string      `json:"savedTo,omitempty"`
}

// callTurn is one thing the caller said. LatencyMs, from the end of the caller's sound to the agent's, is null
// when no answer was heard.
type callTurn struct {
	SaidMs    int64  `json:"saidMs"`
	LatencyMs *int64 `json:"latencyMs"`
	HeardMs   int64  `json:"heardMs"`
	Text      string `json:"text,omitempty"` // the agent's words
}

type latencyMs struct {
	P50 *int64 `json:"p50"`
	Max *int64 `json:"max"`
}

// callWords is one message of the record.
type callWords struct {
	Role        string  `json:"role"`
	Text        string  `json:"text"`
	Interrupted bool    `json:"interrupted"`
	HeardText   *string `json:"heardText"`
}

func newCallResult(r *phone.Report, record []parley.Event, conversation string) callResult {
	out := callResult{
		OK: true, ConversationID: conversation, CallSID: r.CallSID, Seconds: seconds(r.Duration), EndedBy: r.EndedBy,
		Turns: []callTurn{}, Transcript: []callWords{}, Violations: []string{}, Notices: append([]string{}, r.Notices...), Underruns: len(r.Underruns),
	}
	var heard time.Duration
	for _, s := range r.Spurts {
		heard += s.Duration
	}
	out.HeardSeconds = seconds(heard)
	for _, v := range r.Violations {
		out.Violations = append(out.Violations, v.String())
	}
	var latencies []int64
	for _, t := range r.Turns {
		turn := callTurn{SaidMs: t.Said.Milliseconds(), HeardMs: t.Heard.Milliseconds()}
		if t.Answered {
			turn.LatencyMs = new(t.Latency.Milliseconds())
			latencies = append(latencies, *turn.LatencyMs)
		}
		out.Turns = append(out.Turns, turn)
	}
	if slices.Sort(latencies); len(latencies) > 0 {
		out.LatencyMs = latencyMs{&latencies[(len(latencies)-1)/2], &latencies[len(latencies)-1]}
	}
	turn := -1
	for _, m := range parley.Project(record).Messages {
		out.Transcript = append(out.Transcript, callWords{m.Role, m.Text, m.Interrupted, m.HeardText})
		switch {
		case m.Role == "user":
			turn++
		case m.Role == "assistant" && turn >= 0 && turn < len(out.Turns):
			out.Turns[turn].Text = join(out.Turns[turn].Text, m.Text)
		}
	}
	return out
}

// seconds has three decimals: more would be noise.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + " " + b
}

// judge says in one sentence what was wrong with a call, the most telling thing first.
func (c *callCmd) judge(r *phone.Report, record []parley.Event, turns int) error {
	answered := 0
	for _, t := range r.Turns {
		if t.Answered {
			answered++
		}
	}
	switch {
	case r.Failure != nil:
		return c.failure(r.Failure)
	case len(r.Notices) > 0 && len(r.Streams) == 0: // with a stream it may be the notice of a recording
		return fmt.Errorf("no agent took the call; the caller heard: “%s”", r.Notices[0])
	case r.EndedBy == "canceled":
		return errors.New("interrupted: the call was hung up")
	case r.EndedBy == "rejected":
		return errors.New("the server rejected the call")
	case r.EndedBy == "max duration":
		return fmt.Errorf("the call was still going after %v (--timeout), with %d of %d turns answered", c.Timeout, answered, turns)
	case len(r.Violations) > 0:
		return fmt.Errorf("the server broke the carrier's protocol: %s", r.Violations[0])
	case len(r.Streams) == 0:
		return errors.New("the server took the call but opened no media stream")
	case r.GaveUp != "":
		return fmt.Errorf("the caller gave up: %s", r.GaveUp)
	case answered < turns:
		return fmt.Errorf("the call ended early (by %s), with %d of %d turns answered", r.EndedBy, answered, turns)
	}
	for _, e := range slices.Backward(record) {
		if e.Type != parley.EventConversationEnded {
			continue // the last end counts: an earlier one was taken back
		}
		if end := readEnd(e); parley.EndFailed(end.Reason) {
			return fmt.Errorf("the call is on record as failed: %s %s", end.Reason, end.Message)
		}
		break
	}
	return nil
}

// failure explains an application error of the carrier.
func (c *callCmd) failure(f *phone.Failure) error {
	switch {
	case f.HTTPStatus == http.StatusForbidden:
		return fmt.Errorf("the server refused the call (403): it was not signed with the right token or for the right address: pass --key, or --data with the server's data folder, or --public-url with its PARLEY_PUBLIC_URL")
	case f.HTTPStatus == 0 && (f.Code == 11205 || f.Code == 11210):
		return noServer(c.URL, errors.New("no connection"))
	case f.HTTPStatus == http.StatusNotFound:
		return fmt.Errorf("there is no Parley server at %s (404 for /twilio/voice): check --url", c.URL)
	}
	return fmt.Errorf("the server could not take the call: %w", f)
}

func readEnd(e parley.Event) (d parley.EndData) {
	_ = json.Unmarshal(e.Data, &d) // written by the server from this very type
	return d
}

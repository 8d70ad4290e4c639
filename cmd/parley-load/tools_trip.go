package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	warmTrips     = time.Second // before anything is measured
	turnsTogether = 20          // of one conversation; a longer history would be measured too
	bareRequests  = 2000
)

// toolAdds is what is added to a tool's own time.
type toolAdds struct {
	Trips  int    `json:"trips"`
	Before spread `json:"modelCallsUntilToolIsAsked"` // with the commit of what is about to be done
	After  spread `json:"toolAnswersUntilModelIsTold"`
	Both   spread `json:"both"`
	Bare   spread `json:"bareRequest"` // the same tool asked by this program: what HTTP on this machine costs
	Turn   spread `json:"turn"`        // as the person sees it
}

// answered is one turn as a person sees it.
type answered struct {
	text, conversation string
	first, whole       time.Duration
}

// ask says something in a chat and reads the answer to its end.
func (r *toolRig) ask(ctx context.Context, agent, message, conversation string) (a answered, err error) {
	in := map[string]string{"message": message}
	if conversation != "" {
		in["conversationId"] = conversation
	}
	raw, err := json.Marshal(in)
	if err != nil {
		return a, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.server.url+"/api/v1/agents/"+agent+"/chat", bytes.NewReader(raw))
	if err != nil {
		return a, err
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream"}, "X-Api-Key": {r.server.key}}
	began := time.Now()
	res, err := r.client.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(res.Body, 300))
		return a, fmt.Errorf("%s: %s", res.Status, why)
	}
	s := sseReader{lines: bufio.NewScanner(res.Body)}
	var text strings.Builder
	for {
		piece, err := s.next()
		if err != nil {
			return a, err
		}
		if a.first == 0 {
			a.first = time.Since(began)
		}
		if piece == "" {
			break
		}
		text.WriteString(piece)
	}
	a.text, a.conversation, a.whole = text.String(), s.conversation, time.Since(began)
	return a, nil
}

// measureTrips has chats use a tool in every turn.
func (r *toolRig) measureTrips(ctx context.Context) (toolAdds, error) {
	var adds toolAdds
	var mu sync.Mutex
	var turns []time.Duration
	var next int
	running, stop := context.WithTimeout(ctx, warmTrips+r.Duration)
	defer stop()
	warm := time.Now().Add(warmTrips)
	var wg sync.WaitGroup
	for range r.Chats {
		wg.Go(func() {
			for n, conversation := 0, ""; running.Err() == nil; n++ {
				if n%turnsTogether == 0 {
					conversation = ""
				}
				mu.Lock()
				next++
				id := fmt.Sprintf("trip-%d", next)
				mu.Unlock()
				a, err := r.ask(ctx, r.quick, "Look up "+id, conversation)
				if err != nil || a.text != "done "+id {
					r.fault("a chat with a tool: %q %v", a.text, err)
					return
				}
				conversation = a.conversation
				mu.Lock()
				turns = append(turns, a.whole)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	var before, after, both []time.Duration
	r.mu.Lock()
	for id, t := range r.trips {
		if t.called.Before(warm) {
			continue
		}
		if t.asked.IsZero() || t.told.IsZero() {
			r.faults = append(r.faults, id+" never reached the tool")
			continue
		}
		b, a := t.asked.Sub(t.called), t.told.Sub(t.answered)
		before, after, both = append(before, b), append(after, a), append(both, a+b)
	}
	r.mu.Unlock()
	bare, err := r.bare(ctx)
	adds = toolAdds{len(both), spreadOf(before), spreadOf(after), spreadOf(both), spreadOf(bare), spreadOf(turns)}
	return adds, errors.Join(err, ctx.Err())
}

// bare asks the tool without the server: what remains of a request when the tool's own time is taken off.
func (r *toolRig) bare(ctx context.Context) (added []time.Duration, err error) {
	for range bareRequests {
		const id = "trip-0"
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.origin+"/quick?trip="+id, nil)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		res, err := r.client.Do(req)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if err != nil {
			return nil, err
		}
		whole := time.Since(began)
		r.note(id, func(t *trip) { added = append(added, whole-t.answered.Sub(t.asked)) })
	}
	return added, nil
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	warmTrips     = time.Second // before anything is measured
	turnsTogether = 20          // of one conversation; a longer history would be measured too
)

// toolAdds is what is added to a tool's own time, by the server or by a program that only passes on.
type toolAdds struct {
	Subject string `json:"subject"`
	Trips   int    `json:"trips"`
	Before  spread `json:"modelCallsUntilToolIsAsked"` // with the commit of what is about to be done
	After   spread `json:"toolAnswersUntilModelIsTold"`
	Both    spread `json:"both"`
	Commit  spread `json:"commit"` // of the person's message, in the server's words: what one commit costs here
	Turn    spread `json:"turn"`   // as the person sees it
}

// turnWith is a turn in which a tool is used: it returns what is passed on as history.
type turnWith func(ctx context.Context, message string, history any) (answered, any, error)

// answered is one turn as a person sees it.
type answered struct {
	text, conversation string
	first, whole       time.Duration
	commit             time.Duration
}

// ask says something in a chat and reads the answer to its end.
func (r *toolRig) ask(ctx context.Context, agent, message, conversation string) (a answered, err error) {
	req, err := r.server.chatRequest(ctx, agent, message, conversation)
	if err != nil {
		return a, err
	}
	began := time.Now()
	res, err := r.client.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	if err := refused(res); err != nil {
		return a, err
	}
	a.commit = serverTiming(res.Header.Get("Server-Timing"))
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

// measureTrips has chats use a tool in every turn, through the server and through as little as possible.
func (r *toolRig) measureTrips(ctx context.Context) ([]toolAdds, error) {
	bare := r.trip(ctx, "bare loop", r.bareTurn)
	parley := r.trip(ctx, subjectParley, func(ctx context.Context, message string, history any) (answered, any, error) {
		conversation, _ := history.(string)
		a, err := r.ask(ctx, r.quick, message, conversation)
		return a, a.conversation, err
	})
	return []toolAdds{bare, parley}, ctx.Err()
}

func (r *toolRig) trip(ctx context.Context, subject string, turn turnWith) toolAdds {
	var mu sync.Mutex
	var turns, commits []time.Duration
	r.mu.Lock()
	r.trips = map[string]*trip{}
	r.mu.Unlock()
	next := 0
	running, stop := context.WithTimeout(ctx, warmTrips+r.Duration)
	defer stop()
	warm := time.Now().Add(warmTrips)
	var wg sync.WaitGroup
	for range r.Chats {
		wg.Go(func() {
			var history any
			for n := 0; running.Err() == nil; n++ {
				if n%turnsTogether == 0 {
					history = nil
				}
				mu.Lock()
				next++
				id := fmt.Sprintf("trip-%d", next)
				mu.Unlock()
				a, after, err := turn(ctx, "Look up "+id, history)
				if err != nil || a.text != "done "+id {
					r.fault("a chat with a tool, %s: %q %v", subject, a.text, err)
					return
				}
				history = after
				mu.Lock()
				turns, commits = append(turns, a.whole), append(commits, a.commit)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	var before, after, both []time.Duration
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, t := range r.trips {
		switch {
		case t.called.Before(warm):
		case t.asked.IsZero() || t.told.IsZero():
			r.faults = append(r.faults, id+" never reached the tool")
		default:
			b, a := t.asked.Sub(t.called), t.told.Sub(t.answered)
			before, after, both = append(before, b), append(after, a), append(both, a+b)
		}
	}
	return toolAdds{subject, len(both), spreadOf(before), spreadOf(after), spreadOf(both), spreadOf(commits), spreadOf(turns)}
}

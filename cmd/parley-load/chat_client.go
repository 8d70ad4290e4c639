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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// opening is how fast chats are opened: slow enough that the measured first words are those of a server at its usual
// work, not of one that is being stormed.
const opening = 4 * time.Millisecond

// chatCounts is what all chats of a pass have seen.
type chatCounts struct {
	measuring atomic.Bool
	open      atomic.Int64
	words     atomic.Int64 // while measuring

	mu     sync.Mutex
	first  []time.Duration // from the request to the first word
	commit []time.Duration // of the acceptance, in the server's words
	beyond []time.Duration // first without commit
	faults []string
	turns  int
}

// measure opens the chats, waits until all are open, and measures for the duration.
func (p *chatPass) measure(ctx context.Context, client *http.Client) (r chatResult, err error) {
	before, err := p.server.rss()
	if err != nil {
		return r, err
	}
	c := &chatCounts{}
	running, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for range p.streams {
		wg.Go(func() { p.chat(running, client, c) })
		select {
		case <-time.After(opening):
		case <-ctx.Done():
		}
	}
	if p.streams < idleStreams { // of the slow ones the first words come while they are opened
		time.Sleep(time.Second)
		c.reset()
	}
	cpu, err := p.server.cpu()
	if err != nil {
		return r, err
	}
	c.words.Store(0)
	c.measuring.Store(true)
	profiled := func() error { return nil }
	if p.subject == subjectParley {
		profiled = p.server.profile(ctx, p.Profile, fmt.Sprintf("%s-%d", p.subject, p.streams), p.Duration)
	}
	began := time.Now()
	var open, rss int64
	for time.Since(began) < p.Duration && ctx.Err() == nil {
		time.Sleep(rssEvery)
		n, err := p.server.rss()
		if err != nil {
			return r, err
		}
		rss, open = max(rss, n), max(open, c.open.Load())
	}
	c.measuring.Store(false)
	took := time.Since(began)
	words := c.words.Load()
	used, err := p.server.cpu()
	if err = errors.Join(err, profiled()); err != nil {
		return r, err
	}
	stop()
	wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return chatResult{
		Streams: p.streams, Subject: p.subject, Open: int(open), Turns: c.turns, Faults: c.faults,
		First: spreadOf(c.first), Commit: spreadOf(c.commit), Beyond: spreadOf(c.beyond),
		WordsPerSecond: round(float64(words)/took.Seconds(), 0), CPU: round(float64(used-cpu)/float64(took), 3),
		BytesPerStream: (rss - before) / int64(p.streams), RSSBefore: before, RSSPeak: rss, LogLines: p.server.logLines(),
	}, ctx.Err()
}

func (c *chatCounts) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first, c.commit, c.beyond, c.turns = nil, nil, nil, 0
}

// chat asks and reads until ctx ends.
func (p *chatPass) chat(ctx context.Context, client *http.Client, c *chatCounts) {
	conversation := ""
	for ctx.Err() == nil {
		var err error
		conversation, err = p.turn(ctx, client, c, conversation)
		if ctx.Err() != nil {
			return
		}
		c.mu.Lock()
		c.turns++
		if err != nil {
			c.faults = append(c.faults, err.Error())
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// turn is one question and its answer, read to its end.
func (p *chatPass) turn(ctx context.Context, client *http.Client, c *chatCounts, conversation string) (string, error) {
	req, err := p.request(ctx, conversation)
	if err != nil {
		return "", err
	}
	asked := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if err := refused(res); err != nil {
		return "", err
	}
	c.open.Add(1)
	defer c.open.Add(-1)
	commit := serverTiming(res.Header.Get("Server-Timing"))
	s := sseReader{lines: bufio.NewScanner(res.Body)}
	var text strings.Builder
	for {
		piece, err := s.next()
		if err != nil {
			return "", err
		}
		if piece == "" {
			break
		}
		if text.Len() == 0 {
			c.began(time.Since(asked), commit, p.subject == subjectParley)
		}
		text.WriteString(piece)
		if c.measuring.Load() {
			c.words.Add(int64(max(strings.Count(piece, " "), 1)))
		}
	}
	if text.String() != answerText {
		return "", fmt.Errorf("the answer has %d characters instead of %d", text.Len(), len(answerText))
	}
	return s.conversation, nil
}

// began notes a first word.
func (c *chatCounts) began(first, commit time.Duration, commits bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = append(c.first, first)
	if commits {
		c.commit, c.beyond = append(c.commit, commit), append(c.beyond, first-commit)
	}
}

// serverTiming reads how long the message waited for its commit.
func serverTiming(header string) time.Duration {
	_, ms, _ := strings.Cut(header, "commit;dur=")
	f, _ := strconv.ParseFloat(ms, 64)
	return time.Duration(f * float64(time.Millisecond))
}

func (p *chatPass) request(ctx context.Context, conversation string) (*http.Request, error) {
	const message = "Tell me something."
	if p.subject == subjectParley {
		return p.server.chatRequest(ctx, p.agent, message, conversation)
	}
	body := map[string]any{"model": "gpt-4o", "stream": true, "messages": []map[string]string{{"role": "user", "content": message}}}
	return jsonRequest(ctx, p.server.url+"/v1/chat/completions", body, http.Header{"Authorization": {"Bearer " + p.model.Key()}})
}

// chatRequest says something to an agent, in a conversation or, with none, in a new one.
func (s *server) chatRequest(ctx context.Context, agent, message, conversation string) (*http.Request, error) {
	in := map[string]string{"message": message}
	if conversation != "" {
		in["conversationId"] = conversation
	}
	return jsonRequest(ctx, s.url+"/api/v1/agents/"+agent+"/chat", in, http.Header{"Accept": {"text/event-stream"}, "X-Api-Key": {s.key}})
}

func jsonRequest(ctx context.Context, url string, body any, header http.Header) (*http.Request, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

// refused is the error of an answer that is no success, with the beginning of what it says.
func refused(res *http.Response) error {
	if res.StatusCode == http.StatusOK {
		return nil
	}
	why, _ := io.ReadAll(io.LimitReader(res.Body, 300))
	return fmt.Errorf("%s: %s", res.Status, why)
}

// sseReader reads the text of an answer, in the words of the server or of the model.
type sseReader struct {
	lines        *bufio.Scanner
	event        string
	conversation string
}

// sseData has the members of both that matter here.
type sseData struct {
	Text           string
	Status         string
	Message        string
	ConversationID string
	Choices        []struct{ Delta struct{ Content string } }
}

// next returns the next piece of text, "" at the regular end.
func (s *sseReader) next() (string, error) {
	for s.lines.Scan() {
		line := s.lines.Bytes()
		if name, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
			s.event = string(name)
			continue
		}
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		if string(data) == "[DONE]" {
			return "", nil
		}
		var d sseData
		if err := json.Unmarshal(data, &d); err != nil {
			return "", fmt.Errorf("an event that is not JSON: %.100s", data)
		}
		switch {
		case s.event == "run.started":
			s.conversation = d.ConversationID
		case s.event == "message.delta":
			return d.Text, nil
		case s.event == "error":
			return "", errors.New("the answer broke off: " + d.Message)
		case s.event == "run.completed" && d.Status == "completed":
			return "", nil
		case len(d.Choices) > 0 && d.Choices[0].Delta.Content != "":
			return d.Choices[0].Delta.Content, nil
		}
	}
	return "", errors.Join(errors.New("the stream ended too early"), s.lines.Err())
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// route is what clients ask for again and again.
type route struct {
	name    string
	status  int // of every answer
	request func(s subject) [][]byte
}

func getRoute(ids []string) route {
	return route{"GET /api/v1/agents/{id}", http.StatusOK, func(s subject) [][]byte {
		out := make([][]byte, len(ids))
		for i, id := range ids {
			out[i] = rawRequest(http.MethodGet, s.path+"/"+id, s.server.key, nil)
		}
		return out
	}}
}

func postRoute() route {
	return route{"POST /api/v1/agents", http.StatusCreated, func(s subject) [][]byte {
		out := make([][]byte, 500)
		for i := range out {
			body, _ := json.Marshal(map[string]any{ // what marshals always
				"name": fmt.Sprintf("Reception of branch %d", i), "type": "voice", "instructions": benchInstructions,
			})
			out[i] = rawRequest(http.MethodPost, s.path, s.server.key, body)
		}
		return out
	}}
}

const benchInstructions = "You answer the phone of a small company. Be friendly and brief. Ask for the caller's name and number."

// rawRequest is a request as it goes over the wire. Clients share the machine with the servers, so they do no more
// than write it: net/http's client would take more CPU time than what is measured.
func rawRequest(method, path, key string, body []byte) []byte {
	var b bytes.Buffer
	_, _ = fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\n", method, path)
	if key != "" {
		_, _ = fmt.Fprintf(&b, "X-Api-Key: %s\r\n", key)
	}
	if body != nil {
		_, _ = fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// turn is what one subject did in one round.
type turn struct {
	seconds float64
	times   []time.Duration // of every request
	cpu     time.Duration   // of the subject's process
	mallocs float64         // of the subject's process, without what it makes when nobody asks
}

func (t turn) perSecond() float64 { return float64(len(t.times)) / t.seconds }

// turn sends one round of requests.
func (b bench) turn(ctx context.Context, r route, s subject) (t turn, err error) {
	requests := r.request(s)
	before, err := s.server.spent(ctx)
	if err != nil {
		return t, err
	}
	ctx, cancel := context.WithTimeout(ctx, b.Round+10*time.Second)
	defer cancel()
	start := time.Now()
	results, failures := make([][]time.Duration, b.Clients), make([]error, b.Clients)
	var clients sync.WaitGroup
	for i := range b.Clients {
		clients.Go(func() {
			results[i], failures[i] = askUntil(ctx, s.server.address(), requests, r.status, start.Add(b.Round))
		})
	}
	clients.Wait()
	t.seconds = time.Since(start).Seconds()
	if err := errors.Join(failures...); err != nil {
		return t, err
	}
	after, err := s.server.spent(ctx)
	if err != nil {
		return t, err
	}
	for _, times := range results {
		t.times = append(t.times, times...)
	}
	t.cpu, t.mallocs = after.cpu-before.cpu, after.mallocs-before.mallocs
	return t, nil
}

// askUntil sends requests over one connection, one after the other in a random order.
func askUntil(ctx context.Context, address string, requests [][]byte, status int, end time.Time) ([]time.Duration, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	in := bufio.NewReaderSize(conn, 16<<10)
	var times []time.Duration
	for now := time.Now(); now.Before(end) && ctx.Err() == nil; {
		if _, err := conn.Write(requests[rand.IntN(len(requests))]); err != nil {
			return nil, fmt.Errorf("sending a request: %w", err)
		}
		got, err := readAnswer(in)
		if err != nil {
			return nil, fmt.Errorf("reading an answer: %w", err)
		}
		if got != status {
			return nil, fmt.Errorf("an answer has status %d, not %d", got, status)
		}
		asked := now
		now = time.Now()
		times = append(times, now.Sub(asked))
	}
	return times, ctx.Err()
}

// maxAnswer bounds the body of an answer.
const maxAnswer = 1 << 20

// readAnswer reads an HTTP/1.1 answer with a Content-Length and returns its status.
func readAnswer(in *bufio.Reader) (status int, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("%.40q is no status line", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("%.40q is no status line", line)
	}
	for length := -1; ; {
		if line, err = in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			if length < 0 || length > maxAnswer {
				return 0, fmt.Errorf("an answer of %d bytes", length)
			}
			_, err = in.Discard(length)
			return status, err
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(v)); err != nil {
				return 0, fmt.Errorf("%.40q is no length", v)
			}
		}
	}
}

// address is where the server listens.
func (s *server) address() string { return strings.TrimPrefix(s.url, "http://") }

// spending is what a process used so far.
type spending struct {
	cpu     time.Duration
	mallocs float64
}

func (s *server) spent(ctx context.Context) (spending, error) {
	page, err := s.get(ctx, "/metrics")
	if err != nil {
		return spending{}, err
	}
	mallocs, err := gauge(page, "go_memstats_mallocs_total")
	if err != nil {
		return spending{}, err
	}
	cpu, err := s.cpu()
	return spending{cpu, mallocs}, err
}

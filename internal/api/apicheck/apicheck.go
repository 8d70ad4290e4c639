// Package apicheck is an adversary for an HTTP API that knows nothing but its OpenAPI 3.1 document: it sends
// requests that the document allows, requests that it forbids, wrong methods and wrong keys, and checks every
// answer against the document. It is for tests only.
//
// It must import nothing of this repository: what it knows of the server would hide what the document lacks.
package apicheck

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
)

// Options name the API and say how hard to try.
type Options struct {
	Document []byte // OpenAPI 3.1, JSON
	BaseURL  string // origin
	Key      string // may do everything, at any rate, in an organization of its own
	Requests int    // at least so many are sent
	Seed     uint64 // the same seed and server send the same requests, but for ids

	// Client sends; it follows no redirects and has no deadline but its own and the context's.
	Client *http.Client

	// Exceptions are refusals of valid requests that the document states in words only.
	Exceptions []Exception
	// Omit names members of bodies that valid requests leave out, by operation: those that would change the run
	// itself, such as its rate limit.
	Omit map[string][]string
	// Only limits the run to these operations, for bisecting; nil = all.
	Only []string
}

// Exception lets an operation answer a valid request with a status whose message has these words.
type Exception struct {
	Operation string
	Status    int
	Message   string
	Why       string
}

// Report is what a run found.
type Report struct {
	Requests int
	Answers  map[string]map[int]int // operation id → status → how many; "" for unknown paths
	Failures []Failure              // each kind once
	Unproven []string               // operations that never succeeded: the run proved little about them
	Excused  map[string]int         // operation id → answers that an exception excused
}

// Failure is one kind of wrong answer.
type Failure struct {
	Operation, Problem string
	Count              int
	Curl               string // repeats the first one
	Status             int
	Answer             string // its beginning
}

func (f Failure) String() string {
	return fmt.Sprintf("%s: %s (%d times)\n  %s\n  → %d %s", f.Operation, f.Problem, f.Count, f.Curl, f.Status, f.Answer)
}

// checker is a run.
type checker struct {
	opt     Options
	base    string
	client  *http.Client
	doc     *document
	gen     *generator
	rnd     *rand.Rand
	pool    *pool
	report  Report
	looking bool              // at what was there before: it is never changed
	found   map[string]int    // kind of failure → index
	locked  map[string]string // the one answer to requests without a good key, its request id cut out
}

const maxFailures = 100 // kinds; a run that finds more has found enough

// Run checks an API. The error says that the run itself could not be made; findings are in the report.
func Run(ctx context.Context, opt Options) (Report, error) {
	doc, err := parse(opt.Document)
	if err != nil {
		return Report{}, err
	}
	if len(opt.Only) > 0 {
		doc.ops = slices.DeleteFunc(doc.ops, func(o *operation) bool { return !slices.Contains(opt.Only, o.id) })
	}
	if len(doc.ops) == 0 || doc.problem == "" {
		return Report{}, errors.New("the document has no operation, or none that documents 401")
	}
	client := *opt.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &checker{opt: opt, base: strings.TrimSuffix(opt.BaseURL, "/"), client: &client, doc: doc,
		rnd: rand.New(rand.NewPCG(opt.Seed, 0)), found: map[string]int{}, locked: map[string]string{},
		report: Report{Answers: map[string]map[int]int{}, Excused: map[string]int{}}}
	c.pool = newPool(doc.ops, c.rnd)
	c.gen = &generator{d: doc, rnd: c.rnd, id: c.pool.named, old: c.pool.text}
	if err := c.lookAround(ctx); err != nil {
		return c.report, err
	}
	for c.report.Requests < opt.Requests && len(c.report.Failures) < maxFailures {
		if err := c.round(ctx); err != nil {
			return c.report, err
		}
	}
	c.finish()
	return c.report, nil
}

// lookAround lists what is there before the run.
func (c *checker) lookAround(ctx context.Context) error {
	c.looking = true
	defer func() { c.looking = false }()
	for _, op := range c.doc.ops {
		if op.method != http.MethodGet || strings.Contains(op.path, "{") {
			continue
		}
		e := &exchange{op: op, want: accepted, note: "first look", method: op.method, target: op.path, header: http.Header{"X-Api-Key": {c.opt.Key}}}
		if err := c.try(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// round is one request to every operation, or a short story of several.
func (c *checker) round(ctx context.Context) error {
	for _, i := range c.rnd.Perm(len(c.doc.ops)) {
		op := c.doc.ops[i]
		var err error
		switch n := c.rnd.IntN(100); {
		case n < 42:
			err = c.valid(ctx, op)
		case n < 58 && op.body != nil:
			err = c.spoiledBody(ctx, op)
		case n < 68 && op.body != nil:
			err = c.spoiledBytes(ctx, op)
		case n < 74:
			err = c.spoiledQuery(ctx, op)
		case n < 76:
			err = c.spoiledHeader(ctx, op)
		case n < 80:
			err = c.spoiledPath(ctx, op)
		case n < 83 && op.body != nil:
			err = c.spoiledEnvelope(ctx, op)
		case n < 87:
			err = c.wrongMethod(ctx, op)
		case n < 91:
			err = c.withoutKey(ctx, op)
		case n < 93:
			err = c.nowhere(ctx, op)
		case op.method == http.MethodPost && c.pool.items[op.path] != "":
			err = c.life(ctx, op)
		default:
			err = c.valid(ctx, op)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// try sends a request, notes what is wrong with the answer and learns ids from it.
func (c *checker) try(ctx context.Context, e *exchange) error {
	if err := c.send(ctx, e); err != nil {
		return err
	}
	id := ""
	if e.op != nil {
		id = e.op.id
	}
	if c.report.Answers[id] == nil {
		c.report.Answers[id] = map[int]int{}
	}
	if e.op == nil || e.method == e.op.method {
		c.report.Answers[id][e.status]++
	}
	problems := c.judge(e)
	if len(problems) > 0 && c.excused(e) {
		c.report.Excused[id]++
		return nil
	}
	for _, p := range problems {
		c.fail(ctx, e, p)
	}
	c.pool.learn(e, c.looking)
	return nil
}

func (c *checker) excused(e *exchange) bool {
	return slices.ContainsFunc(c.opt.Exceptions, func(x Exception) bool {
		return e.want == accepted && e.op.id == x.Operation && e.status == x.Status && strings.Contains(string(e.answer), x.Message)
	})
}

// finish names the operations that the run proved nothing about.
func (c *checker) finish() {
	for _, op := range c.doc.ops {
		good := slices.ContainsFunc(slices.Collect(maps.Keys(c.report.Answers[op.id])), func(status int) bool { return status < 300 })
		if !good {
			c.report.Unproven = append(c.report.Unproven, op.id)
		}
	}
}

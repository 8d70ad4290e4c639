package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/auth"
	"parley/internal/respond"
)

// maxBody bounds a request body: 1.5 MiB, so that the longest instructions fit even when each character is sent as
// two escapes of six bytes. huma refuses a body that reaches its limit, hence the one.
const maxBody = 3<<19 + 1

// scopeAny is for operations that any live key may ask for.
const scopeAny = "any"

// operation describes one route. Its scope is required: route panics without one, so a test that builds the
// API finds a forgotten one.
type operation struct {
	method, path string
	id, tag      string
	summary      string
	description  string
	scope        string
	status       int          // of success; 0 = 200
	body         *huma.Schema // of the request; nil = none
	example      any          // of the request
	refusals     []int        // statuses beside 400, 401, 403, 429 and 500
	repeatable   bool         // a POST that may be repeated as it is: takes no Idempotency-Key
	etag         bool         // a success names the version of the resource
	conditional  bool         // takes If-Match (Precondition)
	secret       bool         // a success shows a secret: kept sealed
	heavy        bool         // an answer may be large: few at once for one organization
	spends       bool         // costs money: refused when the limits cannot be checked
	forgets      bool         // a success changes keys or limits, which authentication remembers
}

// success is the envelope of every good answer.
type success[T any] struct {
	Success  bool     `json:"success" enum:"true" doc:"Always true here; errors say false."`
	Data     T        `json:"data"`
	Message  string   `json:"message,omitempty" doc:"What was done, for people."`
	Warnings []string `json:"warnings,omitempty" nullable:"false" doc:"What was accepted but adjusted or ignored."`
}

// jsonBody is embedded in the input of every operation with a body, which is decoded strictly by fields.
type jsonBody struct {
	RawBody []byte `contentType:"application/json"`
}

func (b *jsonBody) fields() (*parley.Input, error) { return parley.ParseInput(b.RawBody) }

// raw is the body as it was sent. It must not be kept beyond the request: huma uses its memory again.
func (b *jsonBody) raw() []byte { return b.RawBody }

// output lets an operation write its own answer, once, as bytes.
type output struct {
	Body func(huma.Context)
}

// reply is what an operation answers.
type reply[T any] struct {
	data     T
	message  string
	warnings []string
	etag     string // of the resource in data; "" = none
	note     *note  // for the audit log; every write has one, or several
	notes    []*note

	// after runs after the commit, outside any transaction, for what must not wait inside one, such as telling the
	// carrier. It may renew data and add warnings. nil = nothing. A crash may prevent it.
	after func(ctx context.Context, r *reply[T])
}

func data[T any](v T) (reply[T], error) { return reply[T]{data: v}, nil }

func refuse[T any](err error) (reply[T], error) { return reply[T]{}, err }

// rendered is an answer ready to be sent.
type rendered struct {
	body []byte
	etag string
}

func (r *reply[T]) render() (rendered, error) {
	body, err := respond.Encode(success[T]{Success: true, Data: r.data, Message: r.message, Warnings: r.warnings})
	if err != nil {
		return rendered{}, fmt.Errorf("encoding the answer: %w", err)
	}
	return rendered{body: body, etag: r.etag}, nil
}

// read mounts an operation that changes nothing. The organization is the caller's.
func read[I, T any](a *API, o operation, handle func(ctx context.Context, orgID string, in *I) (reply[T], error)) {
	mount(a, o, reflect.TypeFor[success[T]](), func(ctx context.Context, in *I) (*output, error) {
		r, err := handle(ctx, auth.Principal(ctx).OrgID, in)
		if err != nil {
			return nil, err
		}
		out, err := r.render()
		return a.sends(o, out, false), err
	})
}

// mount registers an operation whose success is JSON of type shape.
func mount[I any](a *API, o operation, shape reflect.Type, handle func(ctx context.Context, in *I) (*output, error)) {
	op := a.describe(o)
	op.Responses[strconv.Itoa(o.success())] = &huma.Response{
		Description: http.StatusText(o.success()), Headers: headerRefs(o.headers()...),
		Content: map[string]*huma.MediaType{"application/json": {Schema: a.schemaOf(shape)}},
	}
	huma.Register(a.api, op, func(ctx context.Context, in *I) (*output, error) {
		ctx, cancel := context.WithTimeout(ctx, a.opt.Patience)
		defer cancel()
		out, err := handle(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
	documentBody(op, o)
}

// success is the status of a good answer.
func (o operation) success() int {
	if o.status == 0 {
		return http.StatusOK
	}
	return o.status
}

// sends writes an answer.
func (a *API) sends(o operation, out rendered, replayed bool) *output {
	return &output{Body: func(hc huma.Context) {
		_, w := unwrap(hc)
		if out.etag != "" {
			w.Header().Set("ETag", out.etag)
		}
		if replayed {
			w.Header().Set(headerReplayed, "true")
		}
		respond.Bytes(w, o.success(), out.body)
	}}
}

// problem turns an operation's error into the envelope and logs what the client does not see.
func (a *API) problem(ctx context.Context, err error) *respond.Problem {
	p := respond.NewProblem(ctx, err)
	respond.Log(ctx, a.opt.Logger, p)
	return p
}

// describe makes the huma operation with its chain of middleware, outermost first. Rate limits stand between
// authentication, which names the organization, and everything that costs.
func (a *API) describe(o operation) huma.Operation {
	if o.scope == "" {
		panic("api: operation " + o.id + " names no scope")
	}
	op := huma.Operation{
		OperationID: o.id, Method: o.method, Path: o.path, Tags: []string{o.tag},
		Summary: o.summary, Description: strings.TrimSpace(o.description + "\n\n" + scopeNote(o.scope)),
		DefaultStatus: o.status, MaxBodyBytes: maxBody, SkipValidateBody: true, // bodies are decoded by parley.Input
		Security:    security(o.scope),
		Responses:   a.refusals(o),
		Middlewares: huma.Middlewares{a.admit(o), a.strictQuery(o.id)},
	}
	if o.heavy {
		op.Middlewares = append(op.Middlewares, a.few)
	}
	if o.keyed() {
		op.Parameters = append(op.Parameters, idempotencyParameter)
	}
	if o.body != nil {
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
		op.Middlewares = append(op.Middlewares, a.requireJSON)
	}
	return op
}

func scopeNote(scope string) string {
	if scope == scopeAny {
		return "Any API key may ask."
	}
	return "Needs the scope `" + scope + "`."
}

// documentBody puts the real schema where huma documented raw bytes.
func documentBody(op huma.Operation, o operation) {
	if op.RequestBody != nil {
		op.RequestBody.Content = map[string]*huma.MediaType{"application/json": {Schema: o.body, Example: o.example}}
	}
}

// requireJSON refuses bodies that say they are something else, or too large, before any of it is read.
func (a *API) requireJSON(ctx huma.Context, next func(huma.Context)) {
	if r, _ := unwrap(ctx); r.ContentLength >= maxBody {
		a.writeError(ctx, tooLarge())
		return
	}
	media, _, _ := strings.Cut(strings.ToLower(ctx.Header("Content-Type")), ";")
	media = strings.TrimSpace(media)
	isJSON := media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
	if ctx.Header("Content-Type") != "" && !isJSON {
		a.writeError(ctx, respond.WithStatus(
			parley.Errorf(parley.CodeInvalid, "The body must be JSON. Send it with Content-Type: application/json."), http.StatusUnsupportedMediaType))
		return
	}
	if enc := ctx.Header("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		a.writeError(ctx, respond.WithStatus(
			parley.Errorf(parley.CodeInvalid, "Compressed bodies are not accepted. Send plain JSON."), http.StatusUnsupportedMediaType))
		return
	}
	next(ctx)
}

// writeError answers from a middleware.
func (a *API) writeError(ctx huma.Context, err error) {
	r, w := unwrap(ctx)
	respond.Error(w, r.WithContext(ctx.Context()), a.opt.Logger, err)
}

func tooLarge() error {
	return respond.WithStatus(parley.Errorf(parley.CodeInvalid, "The body is larger than 1.5 MiB. Send less."), http.StatusRequestEntityTooLarge)
}

// humaProblem turns huma's own refusals (parameters, body size, time-outs) into the envelope.
func humaProblem(ctx context.Context, status int, message string, errs []error) *respond.Problem {
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return respond.NewProblem(ctx, tooLarge())
	case status == http.StatusRequestTimeout:
		return respond.NewProblem(ctx, respond.WithStatus(parley.Errorf(parley.CodeInvalid, "The body did not arrive in time."), status))
	case message == "cannot read request body": // the client broke it off, or its chunks are garbled
		return respond.NewProblem(ctx, parley.Errorf(parley.CodeInvalid, "The body did not arrive whole."))
	case status >= http.StatusInternalServerError:
		return respond.NewProblem(ctx, errors.Join(errs...))
	}
	var details []parley.FieldError
	for _, err := range errs {
		var d huma.ErrorDetailer
		if errors.As(err, &d) {
			details = append(details, fieldError(d.ErrorDetail()))
		}
	}
	if err := parley.Invalid(details); err != nil {
		return respond.NewProblem(ctx, err)
	}
	if message == "request body is required" {
		message = "The body is empty. Send a JSON object."
	}
	return respond.NewProblem(ctx, parley.Errorf(parley.CodeInvalid, "%s", message))
}

// fieldError names a parameter as the client wrote it: huma says "query.limit".
func fieldError(d *huma.ErrorDetail) parley.FieldError {
	field := d.Location
	for _, where := range []string{"query.", "path.", "header.", "body."} {
		field = strings.TrimPrefix(field, where)
	}
	return parley.FieldError{Field: field, Message: remedy(d.Message)}
}

// humaWords are the beginnings of huma's messages about parameters, and how this server says it.
var humaWords = []struct{ theirs, ours string }{
	{"expected value to be one of ", "must be one of "},
	{"expected number >= ", "must be at least "},
	{"expected number <= ", "must be at most "},
	{"expected length <= ", "must have at most this many characters: "},
	{"expected string to be RFC 4122 uuid", "must be a UUID"},
	{"invalid integer", "must be a whole number"},
	{"invalid boolean", "must be true or false"},
	{"invalid date/time", "must be a time such as 2026-01-31T09:00:00Z"},
}

func remedy(message string) string {
	for _, w := range humaWords {
		if rest, ok := strings.CutPrefix(message, w.theirs); ok {
			if strings.HasSuffix(w.ours, " ") {
				return w.ours + strings.ReplaceAll(rest, `"`, "") + "."
			}
			return w.ours + "."
		}
	}
	return message
}

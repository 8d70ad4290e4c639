// Package api is the REST API under /api/v1: its operations, their wire forms and the OpenAPI document that
// is generated from them.
//
// Operations validate through the root package, read and write through store, and leave envelopes and errors
// to one place each (operation.go, respond). No SQL, no provider protocol and no rule of a call or chat here.
package api

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"parley/internal/auth"
	"parley/internal/call"
	"parley/internal/chat"
	"parley/internal/limit"
	"parley/internal/number"
	"parley/internal/record"
	"parley/internal/respond"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/tool"
)

// Options are what the operations need. Store, Auth and Logger must be set to serve; a document needs none.
type Options struct {
	Store     *store.Store
	Auth      *auth.Authenticator
	Logins    *auth.Logins    // nil: keys only
	Failures  *limit.Failures // of authentication, per client address; nil = its own
	Logger    *slog.Logger
	PublicURL string // origin without a final slash, for embed codes
	Version   string

	// Priced reports whether a model has a known price; nil = not asked. It warns of a maxCost that cannot work.
	Priced func(model string) bool

	RateLimit int // requests per minute of organizations without one of their own
	Limits    *limit.Limiter
	Ring      *secret.Ring // seals credentials, and answers that show a secret

	Patience time.Duration // with the database, for one request; 0 = 30 s

	Chat  *chat.Service
	Calls *call.Service // begins web calls, signs for the simulated phone
	// Recordings is where the sound of calls is kept; nil = nowhere.
	Recordings *record.Folder

	Tools *tool.Runner // tests tools, and refuses addresses that they may not reach

	Numbers *number.Service // tells the carrier where numbers' calls go
}

// heavyAtOnce bounds the memory that one organization's lists take: a page of the longest instructions is 40 MB, and
// as much again while it is sent. Others of the organization wait in line.
const heavyAtOnce = 2

// API is the mounted operations. Safe for concurrent use.
type API struct {
	opt Options
	mux *http.ServeMux
	api huma.API
	now func() time.Time

	heavy   *limit.Slots                       // large answers under way, per organization
	tests   *limit.Slots                       // of tools under way, per organization
	swept   atomic.Int64                       // when idempotency keys were last swept, in Unix microseconds
	queries map[string]map[string]*huma.Schema // operation id → its query parameters
}

// New mounts every operation.
func New(opt Options) *API {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Failures == nil {
		opt.Failures = limit.NewFailures(nil)
	}
	opt.Patience = cmp.Or(opt.Patience, 30*time.Second)
	a := &API{opt: opt, mux: http.NewServeMux(), now: time.Now, heavy: limit.NewSlots(heavyAtOnce), tests: newTests()}
	a.api = humago.New(a.mux, configuration(opt.Version))
	a.operations()
	a.readQueries()
	a.refineSchemas()
	a.finishDocument()
	a.addExamples()
	a.mountDocument()
	return a
}

// operations is the list of everything that the API can do.
func (a *API) operations() {
	a.agentOperations()
	a.visitorOperations()
	a.embedOperations()
	a.numberOperations()
	a.toolOperations()
	a.secretOperations()
	a.conversationOperations()
	a.recordingOperations()
	a.chatOperations()
	a.webCallOperations()
	a.testCallOperations()
	a.keyOperations()
	a.organizationOperations()
	a.auditOperations()
}

// Mux is the operations' own route table, for the server to mount: it must see patterns to answer unknown
// routes in the envelope.
func (a *API) Mux() *http.ServeMux { return a.mux }

// The huma hooks are package globals; they are set once, before any API exists.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return humaProblem(context.Background(), status, message, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		if ctx == nil {
			return humaProblem(context.Background(), status, message, errs)
		}
		return humaProblem(ctx.Context(), status, message, errs)
	}
}

var _ huma.StatusError = (*respond.Problem)(nil)

// Package mcp speaks to servers of the Model Context Protocol over streamable HTTP: it lists their functions and
// calls them, on sessions that it keeps for a while.
//
// It owns the protocol, not what comes of it: names for models, permissions, credentials and what a model is told
// belong to internal/tool. A server is untrusted: what it sends is bounded here, requests of its own (sampling,
// elicitation, roots) are refused, and it is reached only through the client that it is given with.
package mcp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Bounds of what a server may send and of what is kept of it.
const (
	MaxBody      = 1 << 20 // bytes of one answer, after decompression
	MaxFunctions = 512     // that are read of one server
	maxPages     = 16      // of a list
	maxRedirects = 3
	maxSessions  = 1024 // kept or in use
	maxEach      = 256  // of one owner
)

// Server says where a server is and how to come in.
type Server struct {
	Owner  string // whose connections these are: no session is shared between two owners
	Tool   string // nor between two tools
	URL    string
	Header map[string]string // goes with every request
	Client *http.Client      // the way out; never http.DefaultClient
}

// key tells sessions apart. It holds no header in the clear.
func (s Server) key() string {
	h := sha256.New()
	for _, part := range append([]string{s.URL}, pairs(s.Header)...) {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return s.Owner + "|" + s.Tool + "|" + hex.EncodeToString(h.Sum(nil))
}

func pairs(m map[string]string) (list []string) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, name, m[name])
	}
	return list
}

// Function is what a server offers, as it says it.
type Function struct {
	Name, Title, Description string
	Schema                   json.RawMessage // of the arguments
	ReadOnly                 bool            // the server's claim
}

// Result is what a function answered.
type Result struct {
	Text    string // of all its content, what is no text in words
	IsError bool   // the function says that it failed
}

// Options of a Pool; zero members take the defaults.
type Options struct {
	Version string        // of this program, told to servers; "dev"
	Idle    time.Duration // after which a session without calls is closed; 60 s
	Connect time.Duration // for beginning a session; 10 s
}

// connect begins a session. Its context bounds only the beginning.
func (p *Pool) connect(ctx context.Context, s Server) (*sdk.ClientSession, error) {
	client := sdk.NewClient(&sdk.Implementation{Name: "parley", Title: "Parley", Version: p.version}, &sdk.ClientOptions{
		Capabilities:   &sdk.ClientCapabilities{}, // none: not even roots
		MultiRoundTrip: &sdk.MultiRoundTripOptions{Disabled: true},
	})
	client.AddReceivingMiddleware(refuseRequests)
	transport := &sdk.StreamableClientTransport{
		Endpoint: s.URL, HTTPClient: &http.Client{Transport: &wire{client: s.Client, header: s.Header}, CheckRedirect: asItIs},
		MaxRetries:           1,
		DisableStandaloneSSE: true, // what a server would announce there, its list is read again for anyway
		MaxEventSize:         MaxBody,
	}
	return client.Connect(ctx, transport, nil)
}

func asItIs(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// List reads the functions of a server, on a session of its own, so that nothing kept stands between. more says
// that it has others beyond the bounds.
func (p *Pool) List(ctx context.Context, s Server) (functions []Function, more bool, err error) {
	ctx, t := withTrip(ctx)
	defer t.cancel()
	if !p.enter() {
		return nil, false, errClosed
	}
	defer p.wg.Done()
	session, err := p.connect(ctx, s)
	if err != nil {
		return nil, false, t.explain(err)
	}
	defer p.discard(session)
	if c := session.InitializeResult().Capabilities; c == nil || c.Tools == nil {
		return nil, false, nil // it has other things than functions
	}
	cursor, size := "", 0
	for page := 0; ; page++ {
		list, err := session.ListTools(ctx, &sdk.ListToolsParams{Cursor: cursor})
		if err != nil {
			return nil, false, t.explain(err)
		}
		for _, f := range list.Tools {
			if len(functions) == MaxFunctions || size > MaxBody {
				return functions, true, nil
			}
			read, err := readFunction(f)
			if err != nil {
				return nil, false, err
			}
			size += len(read.Schema) + len(read.Description)
			functions = append(functions, read)
		}
		if list.NextCursor == "" || list.NextCursor == cursor || page+1 == maxPages {
			return functions, list.NextCursor != "" && list.NextCursor != cursor, nil
		}
		cursor = list.NextCursor
	}
}

func readFunction(f *sdk.Tool) (Function, error) {
	schema, err := json.Marshal(f.InputSchema)
	if err != nil {
		return Function{}, fmt.Errorf("schema of a function: %w", err)
	}
	read := Function{Name: f.Name, Title: f.Title, Description: f.Description, Schema: schema}
	if a := f.Annotations; a != nil {
		read.ReadOnly = a.ReadOnlyHint
		if read.Title == "" {
			read.Title = a.Title
		}
	}
	return read, nil
}

// Call calls a function with arguments, which are one JSON object. A session that the server has forgotten is
// begun again, once: nothing of the call had been looked at. A *Failure says what else went wrong.
func (p *Pool) Call(ctx context.Context, s Server, name string, arguments json.RawMessage) (Result, error) {
	for again := true; ; again = false {
		e, kept, err := p.take(ctx, s)
		if err != nil {
			return Result{}, err
		}
		res, t, err := p.call(ctx, e.session, name, arguments)
		p.leave(e, err != nil && t.broken(err))
		if err != nil && again && kept && t.untouched(err) {
			continue
		}
		return res, err
	}
}

func (p *Pool) call(ctx context.Context, session *sdk.ClientSession, name string, arguments json.RawMessage) (Result, *trip, error) {
	ctx, t := withTrip(ctx)
	defer t.cancel()
	defer context.AfterFunc(p.ctx, t.cancel)() // the pool's end is the call's, too
	res, err := session.CallTool(ctx, &sdk.CallToolParams{Name: name, Arguments: arguments})
	if err != nil {
		return Result{}, t, t.explain(err)
	}
	if res.NeedsInput() {
		return Result{}, t, &Failure{Kind: FailureNeedsInput}
	}
	return Result{Text: text(res), IsError: res.IsError}, t, nil
}

package tool

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"parley"
	"parley/internal/store"
)

// When and for how long MCP servers are asked what they have.
const (
	mcpFresh      = 10 * time.Minute // a list older than that is read again, in the background
	mcpRetry      = time.Minute      // as one of a server that failed
	mcpFirst      = 3 * time.Second  // that the start of a conversation waits for a first list
	mcpFinding    = 10 * time.Second // for reading a list
	maxFindings   = 16               // at once
	mcpSavingTime = 5 * time.Second
)

// findings are the servers being asked at the moment: each tool once.
type findings struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[string]*finding
}

type finding struct {
	done   chan struct{}
	server parley.MCPServer
	err    error
}

// Refresh asks the server of a tool, which is opened, what it has, keeps that and returns it. It waits no longer than
// its context; the server is asked on meanwhile. The error is the context's or the store's: what is wrong with the
// server stands in the result.
func (r *Runner) Refresh(ctx context.Context, t parley.Tool) (parley.MCPServer, error) {
	f := r.refresh(t)
	if f == nil && r.egress == nil {
		return parley.MCPServer{State: parley.MCPUnknown, Error: "This server makes no requests for tools."}, nil
	}
	if f == nil {
		return parley.MCPServer{State: parley.MCPUnknown, Error: "Too many servers are being asked at the moment. Try again in some seconds."}, nil
	}
	select {
	case <-f.done:
		return f.server, f.err
	case <-ctx.Done():
		return parley.MCPServer{State: parley.MCPUnknown, Error: "The server has not answered yet."}, ctx.Err()
	}
}

// refreshLater asks a server in the background.
func (r *Runner) refreshLater(t parley.Tool) { _ = r.refresh(t) }

// refresh begins to ask a server, or finds that it is being asked. nil = too many are.
func (r *Runner) refresh(t parley.Tool) *finding {
	key := t.ID + t.UpdatedAt.String()
	r.finding.mu.Lock()
	defer r.finding.mu.Unlock()
	if f := r.finding.open[key]; f != nil {
		return f
	}
	if r.finding.closed || r.egress == nil || r.store == nil || len(r.finding.open) >= maxFindings {
		return nil
	}
	f := &finding{done: make(chan struct{})}
	r.finding.open[key] = f
	r.finding.wg.Go(func() {
		defer func() {
			r.finding.mu.Lock()
			delete(r.finding.open, key)
			r.finding.mu.Unlock()
			close(f.done)
		}()
		f.server, f.err = r.askAndKeep(t)
		if f.err != nil {
			r.log.Warn("what an MCP server has is not kept", slog.String("org_id", t.OrgID), slog.String("tool_id", t.ID), slog.Any("error", f.err))
		}
	})
	return f
}

// askAndKeep asks one server and keeps what it says.
func (r *Runner) askAndKeep(t parley.Tool) (parley.MCPServer, error) {
	ctx, cancel := context.WithTimeout(r.finding.ctx, mcpFinding)
	defer cancel()
	m := r.ask(ctx, t)
	ctx, cancel = context.WithTimeout(context.WithoutCancel(r.finding.ctx), mcpSavingTime)
	defer cancel()
	if m.State == parley.MCPFailing { // the functions of before stay
		before, err := r.store.FindMCPServers(ctx, t.OrgID, []string{t.ID})
		if err != nil {
			return m, err
		}
		m.Functions, m.More = before[t.ID].Functions, before[t.ID].More
	}
	return m, r.store.Write(ctx, func(tx *store.Tx) error { return tx.SaveMCPServer(ctx, t.OrgID, t.ID, t.UpdatedAt, m) })
}

// ask reads the list of a server.
func (r *Runner) ask(ctx context.Context, t parley.Tool) parley.MCPServer {
	m := parley.MCPServer{State: parley.MCPFailing, CheckedAt: r.now().UTC().Truncate(time.Microsecond)}
	v, err := r.values(ctx, job{Call: Call{OrgID: t.OrgID}, tool: t, arguments: json.RawMessage(`{}`)})
	if err != nil {
		a, _ := failed(err, nil)
		m.Error = a.detail.Error
		return m
	}
	server, err := r.server(t, v, true)
	if err != nil {
		m.Error = v.mask(err.Error())
		return m
	}
	listed, more, err := r.servers.List(ctx, server)
	if err != nil {
		m.Error = mcpDetail(err, v).Error
		return m
	}
	for i := range listed { // a server that echoes a secret does not bring it into prompts
		listed[i].Description, listed[i].Title = v.mask(listed[i].Description), v.mask(listed[i].Title)
		listed[i].Schema = json.RawMessage(v.mask(string(listed[i].Schema)))
	}
	kept, cut := functionsOf(t, listed)
	m.State, m.Functions, m.More = parley.MCPOK, kept, more || cut
	return m
}

// mcpServers returns what is known of the servers of tools. One that was never asked is asked now, for a short time;
// an old list is read again in the background, so that no conversation waits for it.
func (r *Runner) mcpServers(ctx context.Context, orgID string, tools []store.SealedTool) (map[string]parley.MCPServer, error) {
	var ids []string
	for _, t := range tools {
		if t.Kind == parley.ToolMCP {
			ids = append(ids, t.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	known, err := r.store.FindMCPServers(ctx, orgID, ids)
	if err != nil {
		return known, err
	}
	ctx, cancel := context.WithTimeout(ctx, mcpFirst)
	defer cancel()
	waiting := map[string]*finding{}
	for _, sealed := range tools {
		m, asked := known[sealed.ID]
		if sealed.Kind != parley.ToolMCP || asked && r.now().Sub(m.CheckedAt) < freshFor(m) {
			continue
		}
		t, err := Open(r.ring, sealed)
		if err != nil {
			return known, err
		}
		if f := r.refresh(t); f != nil && !asked {
			waiting[t.ID] = f
		}
	}
	for id, f := range waiting {
		select {
		case <-f.done:
			known[id] = f.server
		case <-ctx.Done():
		}
	}
	return known, nil
}

func freshFor(m parley.MCPServer) time.Duration {
	if m.State == parley.MCPOK {
		return mcpFresh
	}
	return mcpRetry
}

// Close ends what the runner does in the background and its sessions with MCP servers, some seconds at most.
func (r *Runner) Close() {
	r.finding.mu.Lock()
	r.finding.closed = true
	r.finding.mu.Unlock()
	r.finding.cancel()
	r.finding.wg.Wait()
	_ = r.servers.Close()
}

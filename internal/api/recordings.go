package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/auth"
	"parley/internal/record"
	"parley/internal/respond"
	"parley/internal/store"
)

// writePatience is how long a client may take nothing of a recording before it is cut off.
const writePatience = 30 * time.Second

const recordingPath = "/api/v1/conversations/{conversationId}/recording"

var noRecording = parley.Errorf(parley.CodeNotFound, "This conversation has no recording. Switch on recording in the agent's config to keep the sound of its calls.")

// recordingInput names a recording. Range is documented here and read by net/http.
type recordingInput struct {
	ConversationPath
	Range string `header:"Range" doc:"A part of the file, such as bytes=0-65535: the answer is then 206."`
}

func (a *API) recordingOperations() {
	o := operation{method: http.MethodGet, path: recordingPath, id: "getRecording", tag: "Conversations", scope: parley.ScopeConversationsRead,
		summary: "Get the sound of a call", refusals: []int{404, 416},
		description: "A WAV file of two channels, the caller on the left and the agent, as the caller heard it, on the right: µ-law, 8 kHz. " +
			"It can be read while the call goes on. Ranges are served, so that players can seek. Calls that were interrupted and came back are one file."}
	op := a.describe(o)
	sound := map[string]*huma.MediaType{"audio/wav": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary", Description: "The file, or the part that was asked for."}, Example: "RIFF…WAVEfmt …"}}
	op.Responses["200"] = &huma.Response{Description: "The whole file", Headers: headerRefs(o.headers()...), Content: sound}
	op.Responses["206"] = &huma.Response{Description: "A part of the file", Headers: headerRefs(o.headers()...), Content: sound}
	huma.Register(a.api, op, a.getRecording)
	write(a, operation{method: http.MethodDelete, path: recordingPath, id: "deleteRecording", tag: "Conversations", scope: parley.ScopeConversationsWrite,
		summary: "Delete the sound of a call", description: "The words stay. A call must have ended.", refusals: []int{404, 409}}, a.deleteRecording)
}

func (a *API) getRecording(ctx context.Context, in *recordingInput) (*output, error) {
	orgID := auth.Principal(ctx).OrgID
	finding, cancel := context.WithTimeout(ctx, a.opt.Patience)
	defer cancel()
	c, err := a.findConversation(finding, orgID, in.ConversationID)
	if err != nil {
		return nil, a.problem(ctx, err)
	}
	if a.opt.Recordings == nil {
		return nil, a.problem(ctx, noRecording)
	}
	r, err := a.opt.Recordings.Open(orgID, c.ID)
	if errors.Is(err, record.ErrNone) {
		err = noRecording
	}
	if err != nil {
		return nil, a.problem(ctx, err)
	}
	return &output{Body: func(hc huma.Context) {
		defer func() { _ = r.Close() }()
		a.sendRecording(hc, c, r)
	}}, nil
}

// sendRecording serves the file. A refused range is answered in the envelope.
func (a *API) sendRecording(hc huma.Context, c parley.Conversation, r *record.Reader) {
	req, w := unwrap(hc)
	h := w.Header()
	h.Set("Content-Type", "audio/wav")
	h.Set("Content-Disposition", `inline; filename="call-`+c.ID+`.wav"`)
	if c.EndedAt != nil {
		h.Set("Last-Modified", c.EndedAt.UTC().Format(http.TimeFormat))
	}
	http.ServeContent(&patient{ResponseWriter: w, rc: http.NewResponseController(w), refuse: func() {
		for _, name := range []string{"Content-Type", "Content-Disposition", "Last-Modified"} {
			h.Del(name)
		}
		respond.Error(w, req.WithContext(hc.Context()), a.opt.Logger, respond.WithStatus(
			parley.Errorf(parley.CodeInvalid, "The recording has no such range. It has %d bytes.", r.Size()), http.StatusRequestedRangeNotSatisfiable))
	}}, req, "", time.Time{}, r)
}

// patient gives a slow client time for each piece in place of a deadline for the whole, and says our words when
// http.ServeContent refuses a range.
type patient struct {
	http.ResponseWriter
	rc      *http.ResponseController
	refuse  func()
	refused bool
}

func (p *patient) WriteHeader(status int) {
	if status == http.StatusRequestedRangeNotSatisfiable {
		p.refused = true
		p.refuse()
		return
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *patient) Write(b []byte) (int, error) {
	if p.refused {
		return len(b), nil
	}
	_ = p.rc.SetWriteDeadline(time.Now().Add(writePatience)) // replaces the server's, which would cut long files
	return p.ResponseWriter.Write(b)
}

func (a *API) deleteRecording(ctx context.Context, orgID string, in *ConversationPath) (effect[Deleted], error) {
	c, err := a.findConversation(ctx, orgID, in.ConversationID)
	switch {
	case err != nil:
		return nil, err
	case a.opt.Recordings == nil || !a.opt.Recordings.Exists(orgID, c.ID):
		return nil, noRecording
	case c.Status == parley.ConversationActive:
		return nil, parley.Errorf(parley.CodeConflict, "This call is still being recorded. Delete its recording when it has ended.")
	}
	return func(context.Context, *store.Tx) (reply[Deleted], error) {
		if err := a.opt.Recordings.Delete(orgID, c.ID); err != nil { // deleting twice does no harm
			return refuse[Deleted](err)
		}
		return reply[Deleted]{data: Deleted{ID: c.ID, Deleted: true}, message: "Recording deleted successfully",
			note: &note{action: "delete_recording", resource: parley.AuditResource{Type: "conversation", ID: c.ID, Name: c.AgentName}}}, nil
	}, nil
}

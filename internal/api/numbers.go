package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"parley"
	"parley/internal/number"
	"parley/internal/respond"
	"parley/internal/store"
)

// NumberPath names a phone number.
type NumberPath struct {
	PhoneNumberID string `path:"phoneNumberId" doc:"The phone number's id."`
}

type numberUpdate struct {
	NumberPath
	Precondition
	jsonBody
}

type numberDelete struct {
	NumberPath
	Precondition
}

type numberQuery struct {
	AgentID    string `query:"agentId" format:"uuid" doc:"Only numbers of this agent."`
	Unassigned bool   `query:"unassigned" doc:"Only numbers that no agent answers."`
	Search     string `query:"search" maxLength:"255" doc:"Part of the number or the label; case does not matter."`
	Limit      int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many to list at most."`
	Offset     int    `query:"offset" minimum:"0" default:"0" doc:"How many to skip."`
}

// PhoneNumberList is a page of phone numbers.
type PhoneNumberList struct {
	PhoneNumbers []PhoneNumber `json:"phoneNumbers" nullable:"false"`
	Pagination   Pagination    `json:"pagination"`
}

func (a *API) numberOperations() {
	const path, one = "/api/v1/phone-numbers", "/api/v1/phone-numbers/{phoneNumberId}"
	read(a, operation{method: http.MethodGet, path: path, id: "listPhoneNumbers", tag: "Phone numbers", scope: parley.ScopeAgentsRead,
		summary: "List phone numbers", description: "Oldest first."}, a.listNumbers)
	write(a, operation{method: http.MethodPost, path: path, id: "addPhoneNumber", etag: true, tag: "Phone numbers", scope: parley.ScopeAgentsWrite, status: http.StatusCreated,
		summary: "Add a phone number by hand", description: "A number that is taken on this server is a conflict, whoever has it.\n\n" + toldNote, body: a.numberBody(true),
		example: map[string]any{"number": "+14155550123", "label": "Front desk", "agentId": exampleID}, refusals: []int{409}}, a.addNumber)
	read(a, operation{method: http.MethodGet, path: path + "/available", id: "listAvailablePhoneNumbers", tag: "Phone numbers", scope: parley.ScopeAgentsWrite,
		summary: "List what the Twilio account has", description: "In the order of the numbers. Without a Twilio account the list is empty, and a warning says what to do.",
		refusals: []int{409, 503}}, a.listAvailable)
	write(a, operation{method: http.MethodPost, path: path + "/import", id: "importPhoneNumbers", tag: "Phone numbers", scope: parley.ScopeAgentsWrite, status: http.StatusCreated,
		summary: "Import numbers of the Twilio account", description: "All of them or none. One that the organization has already is marked as imported, and given to the agent unless another one has it.\n\n" + toldNote,
		body: a.importBody(), example: map[string]any{"numbers": []string{"+14155550123"}}, refusals: []int{409, 503}}, a.importNumbers)
	read(a, operation{method: http.MethodGet, path: one, id: "getPhoneNumber", etag: true, tag: "Phone numbers", scope: parley.ScopeAgentsRead,
		summary: "Get a phone number", refusals: []int{404}}, a.getNumber)
	write(a, operation{method: http.MethodPatch, path: one, id: "updatePhoneNumber", etag: true, conditional: true, tag: "Phone numbers", scope: parley.ScopeAgentsWrite,
		summary: "Update a phone number", description: "Absent members keep their value. `agentId` assigns the number, null releases it; one that another agent has is a conflict: release it first. The same agent again repeats its setup at Twilio.\n\n" + toldNote,
		body: a.numberBody(false), example: map[string]any{"agentId": exampleID}, refusals: []int{404, 409}}, a.updateNumber)
	write(a, operation{method: http.MethodDelete, path: one, id: "deletePhoneNumber", conditional: true, tag: "Phone numbers", scope: parley.ScopeAgentsWrite,
		summary: "Delete a phone number", description: "This server forgets it; it stays in the Twilio account, without our addresses.", refusals: []int{404, 409}}, a.deleteNumber)
	a.notIDs(path, map[string]string{"available": "GET, HEAD", "import": "POST"})
}

// notIDs makes the fixed words below phone-numbers refuse what can be asked of a number, as other addresses do: they
// are no ids of numbers.
func (a *API) notIDs(path string, words map[string]string) {
	for word, allow := range words {
		for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodDelete} {
			if strings.Contains(allow, method) {
				continue
			}
			a.mux.HandleFunc(method+" "+path+"/"+word, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Allow", allow)
				err := parley.Errorf(parley.CodeInvalid, "%s is not allowed here. Use %s.", r.Method, strings.ReplaceAll(allow, ", ", " or "))
				respond.Error(w, r, a.opt.Logger, respond.WithStatus(err, http.StatusMethodNotAllowed))
			})
		}
	}
}

const toldNote = "When an agent gets or loses a number, its voice URL, fallback URL and status callback are set or cleared at Twilio after the change. What could not be done is in `warnings` and in the number's `setup`; the change itself stands."

func (a *API) listNumbers(ctx context.Context, orgID string, in *numberQuery) (reply[PhoneNumberList], error) {
	found, total, err := a.opt.Store.ListNumbers(ctx, orgID, parley.NumberFilter{AgentID: strings.ToLower(in.AgentID), Unassigned: in.Unassigned,
		Search: in.Search, Limit: in.Limit, Offset: in.Offset})
	list := PhoneNumberList{PhoneNumbers: make([]PhoneNumber, len(found)), Pagination: page(in.Limit, in.Offset, len(found), total)}
	for i, n := range found {
		list.PhoneNumbers[i] = numberView(n)
	}
	return reply[PhoneNumberList]{data: list}, err
}

func (a *API) getNumber(ctx context.Context, orgID string, in *NumberPath) (reply[PhoneNumber], error) {
	if err := notFoundID(in.PhoneNumberID, "Phone number"); err != nil {
		return refuse[PhoneNumber](err)
	}
	n, err := a.opt.Store.FindNumber(ctx, orgID, in.PhoneNumberID)
	return reply[PhoneNumber]{data: numberView(n), etag: numberTag(n)}, err
}

func (a *API) addNumber(ctx context.Context, orgID string, in *jsonBody) (effect[PhoneNumber], error) {
	fields, err := in.fields()
	if err != nil {
		return nil, err
	}
	n, err := parley.NewPhoneNumber(orgID, fields, a.instant(), a.numberProblem(ctx, &a.opt.Store.Reader, orgID))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[PhoneNumber], error) {
		if err := voiceAgent(ctx, tx, orgID, n.AgentID); err != nil {
			return refuse[PhoneNumber](err)
		}
		if err := tx.AddNumber(ctx, orgID, n); err != nil {
			return refuse[PhoneNumber](err)
		}
		n, err := tx.FindNumber(ctx, orgID, n.ID)
		r := reply[PhoneNumber]{data: numberView(n), warnings: doubts(n.Number), etag: numberTag(n), note: numberNote("create", n, nil, &n)}
		if n.AgentID != "" {
			r.after = func(ctx context.Context, r *reply[PhoneNumber]) {
				r.warnings = append(r.warnings, a.opt.Numbers.Settle(ctx, orgID, []string{n.Number})...)
				a.renewSetup(ctx, n, &r.data)
			}
		} else {
			return a.notNeeded(ctx, tx, r, n)
		}
		return r, err
	}, nil
}

// voiceAgent refuses an agent that cannot answer phones; "" is none.
func voiceAgent(ctx context.Context, tx *store.Tx, orgID, agentID string) error {
	if agentID == "" {
		return nil
	}
	agent, err := tx.FindAgent(ctx, orgID, agentID)
	switch {
	case parley.IsNotFound(err):
		return parley.Invalid([]parley.FieldError{{Field: "agentId", Message: "is not an agent of this organization. GET /api/v1/agents?type=voice lists those that can have it."}})
	case err == nil && agent.Type != parley.AgentVoice:
		return parley.Invalid([]parley.FieldError{{Field: "agentId", Message: "is a chat agent. Only voice agents answer phones."}})
	}
	return err
}

// notNeeded notes of a number without an agent that the carrier need not be told.
func (a *API) notNeeded(ctx context.Context, tx *store.Tx, r reply[PhoneNumber], n parley.PhoneNumber) (reply[PhoneNumber], error) {
	n.Setup = parley.NumberSetup{State: parley.SetupNotNeeded}
	_, err := tx.SetNumberSetup(ctx, n.OrgID, n.ID, n.Revision, "", n.Setup)
	r.data.Setup = setupView(n.Setup)
	return r, err
}

func (a *API) updateNumber(_ context.Context, orgID string, in *numberUpdate) (effect[UpdatedPhoneNumber], error) {
	if err := notFoundID(in.PhoneNumberID, "Phone number"); err != nil {
		return nil, err
	}
	body, err := in.fields()
	if err != nil {
		return nil, err
	}
	wanted, err := parley.PhoneNumber{}.Apply(body.Again(), a.instant())
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[UpdatedPhoneNumber], error) {
		if err := voiceAgent(ctx, tx, orgID, wanted.AgentID); err != nil {
			return refuse[UpdatedPhoneNumber](err)
		}
		before, err := tx.HoldNumber(ctx, orgID, in.PhoneNumberID, wanted.AgentID)
		if err != nil {
			return refuse[UpdatedPhoneNumber](err)
		}
		if err := in.match(numberTag(before)); err != nil {
			return refuse[UpdatedPhoneNumber](err)
		}
		fields := body.Again() // this may run twice
		n, err := before.Apply(fields, a.instant())
		if err != nil {
			return refuse[UpdatedPhoneNumber](err)
		}
		if err := tx.UpdateNumber(ctx, orgID, before, n); err != nil {
			return refuse[UpdatedPhoneNumber](err)
		}
		if n, err = tx.FindNumber(ctx, orgID, n.ID); err != nil {
			return refuse[UpdatedPhoneNumber](err)
		}
		r := reply[UpdatedPhoneNumber]{data: UpdatedPhoneNumber{PhoneNumber: numberView(n), Updated: true}, message: "Phone number updated successfully",
			etag: numberTag(n), note: numberNote("update", n, &before, &n)}
		if fields.Has("agentId") {
			r.after = func(ctx context.Context, r *reply[UpdatedPhoneNumber]) {
				r.warnings = append(r.warnings, a.opt.Numbers.Settle(ctx, orgID, []string{n.Number})...)
				a.renewSetup(ctx, n, &r.data.PhoneNumber)
			}
		}
		return r, nil
	}, nil
}

func (a *API) deleteNumber(_ context.Context, orgID string, in *numberDelete) (effect[Deleted], error) {
	if err := notFoundID(in.PhoneNumberID, "Phone number"); err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[Deleted], error) {
		n, err := tx.HoldNumber(ctx, orgID, in.PhoneNumberID, "")
		if err != nil {
			return refuse[Deleted](err)
		}
		if err := in.match(numberTag(n)); err != nil {
			return refuse[Deleted](err)
		}
		err = tx.DeleteNumber(ctx, orgID, n, a.instant())
		r := reply[Deleted]{data: Deleted{ID: n.ID, Deleted: true}, message: "Phone number deleted successfully", note: numberNote("delete", n, &n, nil)}
		r.after = settles[Deleted](a, orgID, []string{n.Number})
		return r, err
	}, nil
}

// numberTag is the ETag of a number: it changes with every change but those of its setup, which the server makes.
func numberTag(n parley.PhoneNumber) string { return `"` + strconv.FormatInt(n.Revision, 10) + `"` }

// settles tells the carrier about numbers after the commit, and adds what it could not do to the warnings.
func settles[T any](a *API, orgID string, numbers []string) func(context.Context, *reply[T]) {
	if len(numbers) == 0 {
		return nil
	}
	return func(ctx context.Context, r *reply[T]) {
		r.warnings = append(r.warnings, a.opt.Numbers.Settle(ctx, orgID, numbers)...)
	}
}

// renewSetup shows what became of a number's setup, unless somebody changed the number meanwhile.
func (a *API) renewSetup(ctx context.Context, n parley.PhoneNumber, view *PhoneNumber) {
	if now, err := a.opt.Store.FindNumber(ctx, n.OrgID, n.ID); err == nil && now.Revision == n.Revision {
		view.Setup, view.TwilioSID = setupView(now.Setup), orNull(now.CarrierSID)
	}
}

// numberProblem judges numbers with what the organization has as a hint.
func (a *API) numberProblem(ctx context.Context, r *store.Reader, orgID string) func(string) string {
	var known []string
	return func(text string) string {
		if parley.IsE164(text) {
			return ""
		}
		if known == nil {
			known = []string{}
			list, _, err := r.ListNumbers(ctx, orgID, parley.NumberFilter{Limit: 50})
			for _, n := range list {
				known = append(known, n.Number)
			}
			if err != nil {
				a.opt.Logger.WarnContext(ctx, "no hint for a phone number", slog.Any("error", err))
			}
		}
		return number.Problem(text, known)
	}
}

// hinted adds to the error of an agent's request how its phone numbers should be written.
func (a *API) hinted(ctx context.Context, r *store.Reader, orgID string, in *parley.Input, err error) error {
	const list = "phoneNumbers["
	wrong, ok := errors.AsType[*parley.Error](err)
	if !ok || !slices.ContainsFunc(wrong.Details, func(d parley.FieldError) bool { return strings.HasPrefix(d.Field, list) }) {
		return err
	}
	again := in.Again()
	again.List("phoneNumbers", new([]string), parley.MaxAgentNumbers, a.numberProblem(ctx, r, orgID))
	better, ok := errors.AsType[*parley.Error](again.Done())
	if !ok {
		return err
	}
	details := slices.Clone(wrong.Details)
	for i, d := range details {
		j := slices.IndexFunc(better.Details, func(b parley.FieldError) bool { return b.Field == d.Field })
		if j >= 0 && strings.HasPrefix(d.Field, list) {
			details[i] = better.Details[j]
		}
	}
	return parley.Invalid(details)
}

// doubts warns of numbers that no phone is likely to have.
func doubts(numbers ...string) (warnings []string) {
	for _, n := range numbers {
		if d := number.Doubt(n); d != "" {
			warnings = append(warnings, fmt.Sprintf("%s: %s It is used as given; check it.", n, d))
		}
	}
	return warnings
}

// added are those of the numbers after a change that were not there before.
func added(before, after []string) (out []string) {
	for _, n := range after {
		if !slices.Contains(before, n) {
			out = append(out, n)
		}
	}
	return out
}

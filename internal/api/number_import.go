package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"parley"
	"parley/internal/number"
	"parley/internal/store"
	"parley/internal/twilio"
)

type availableQuery struct {
	Search string `query:"search" maxLength:"255" doc:"Part of the number or of its name at Twilio; case does not matter."`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many to list at most."`
	Offset int    `query:"offset" minimum:"0" default:"0" doc:"How many to skip."`
}

// AvailableNumberList is a page of what the Twilio account has.
type AvailableNumberList struct {
	PhoneNumbers []AvailableNumber `json:"phoneNumbers" nullable:"false"`
	Pagination   Pagination        `json:"pagination"`
}

// ImportedNumbers are the numbers of an import.
type ImportedNumbers struct {
	PhoneNumbers []PhoneNumber `json:"phoneNumbers" nullable:"false" doc:"In the order of the request."`
}

func (a *API) listAvailable(ctx context.Context, orgID string, in *availableQuery) (reply[AvailableNumberList], error) {
	all, warnings, err := a.opt.Numbers.Available(ctx, orgID)
	if err != nil {
		return refuse[AvailableNumberList](err)
	}
	part := strings.ToLower(in.Search)
	all = slices.DeleteFunc(all, func(n number.Available) bool {
		return !strings.Contains(strings.ToLower(n.PhoneNumber+"\n"+n.FriendlyName), part)
	})
	shown := all[min(in.Offset, len(all)):]
	shown = shown[:min(in.Limit, len(shown))]
	list := AvailableNumberList{PhoneNumbers: make([]AvailableNumber, len(shown)), Pagination: page(in.Limit, in.Offset, len(shown), len(all))}
	for i, n := range shown {
		list.PhoneNumbers[i] = availableView(n)
	}
	return reply[AvailableNumberList]{data: list, warnings: warnings}, nil
}

func (a *API) importNumbers(ctx context.Context, orgID string, in *jsonBody) (effect[ImportedNumbers], error) {
	fields, err := in.fields()
	if err != nil {
		return nil, err
	}
	numbers, agentID, err := parley.ParseNumberImport(fields, a.numberProblem(ctx, &a.opt.Store.Reader, orgID))
	if err != nil {
		return nil, err
	}
	owned, err := a.opt.Numbers.Owned(ctx, orgID, numbers)
	if err != nil {
		return nil, err
	}
	var problems []parley.FieldError
	for i, n := range numbers {
		if _, ok := owned[n]; !ok {
			problems = append(problems, parley.FieldError{Field: fmt.Sprintf("numbers[%d]", i), Message: "is not in the Twilio account. GET /api/v1/phone-numbers/available lists what is."})
		}
	}
	if err := parley.Invalid(problems); err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[ImportedNumbers], error) {
		if err := voiceAgent(ctx, tx, orgID, agentID); err != nil {
			return refuse[ImportedNumbers](err)
		}
		made := map[string]PhoneNumber{}
		r := reply[ImportedNumbers]{}
		var settle []parley.PhoneNumber
		for _, text := range slices.Sorted(slices.Values(numbers)) { // in one order, so that two imports do not wait for each other in a ring
			before, n, err := a.importNumber(ctx, tx, orgID, agentID, owned[text])
			if err != nil {
				return refuse[ImportedNumbers](err)
			}
			made[text] = numberView(n)
			r.notes = append(r.notes, numberNote("import", n, before, &n))
			settle = append(settle, n)
		}
		for _, text := range numbers {
			r.data.PhoneNumbers = append(r.data.PhoneNumbers, made[text])
		}
		r.after = func(ctx context.Context, r *reply[ImportedNumbers]) {
			r.warnings = append(r.warnings, a.opt.Numbers.Settle(ctx, orgID, numbers)...)
			for _, n := range settle {
				i := slices.Index(numbers, n.Number)
				a.renewSetup(ctx, n, &r.data.PhoneNumbers[i])
			}
		}
		return r, nil
	}, nil
}

// importNumber adds a number of the Twilio account, or marks the organization's own as such; before is nil for a new
// one. An agent gets it unless it has one.
func (a *API) importNumber(ctx context.Context, tx *store.Tx, orgID, agentID string, from twilio.Number) (before *parley.PhoneNumber, n parley.PhoneNumber, err error) {
	now := a.instant()
	holders, err := tx.FindNumberHolders(ctx, orgID, []string{from.PhoneNumber})
	if err != nil {
		return nil, n, err
	}
	if h, ok := holders[from.PhoneNumber]; ok && h.ID != "" {
		old, err := tx.HoldNumber(ctx, orgID, h.ID, agentID)
		if err != nil {
			return nil, n, err
		}
		n = old
		n.Source, n.CarrierSID, n.UpdatedAt = parley.NumberTwilio, from.SID, now
		if agentID != "" {
			n.AgentID = agentID
		}
		if err := tx.UpdateNumber(ctx, orgID, old, n); err != nil {
			return nil, n, err
		}
		n, err = tx.FindNumber(ctx, orgID, h.ID)
		return &old, n, err
	}
	n = parley.PhoneNumber{ID: parley.NewID(), OrgID: orgID, Number: from.PhoneNumber, Label: labelOf(from), AgentID: agentID,
		Source: parley.NumberTwilio, CarrierSID: from.SID, CreatedAt: now, UpdatedAt: now}
	if err := tx.AddNumber(ctx, orgID, n); err != nil {
		return nil, n, err
	}
	n, err = tx.FindNumber(ctx, orgID, n.ID)
	return nil, n, err
}

// labelOf is the name that people gave a number at Twilio; by default it is the number itself in some form.
func labelOf(n twilio.Number) string {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, n.FriendlyName)
	name := strings.ReplaceAll(strings.ToValidUTF8(n.FriendlyName, ""), "\x00", "")
	if len(digits) >= 7 && strings.HasSuffix(n.PhoneNumber, digits) || utf8.RuneCountInString(name) > parley.MaxNumberLabel {
		return ""
	}
	return name
}

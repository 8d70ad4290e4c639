package number

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"parley"
	"parley/internal/store"
	"parley/internal/twilio"
)

// Available is a number of the organization's Twilio account.
type Available struct {
	twilio.Number
	Holder *store.NumberHolder // on this server; nil = nobody
	Here   bool                // calls to it come to this server
	URL    string              // where its calls go, as far as the organization may know; "" = nowhere, or not said
}

// Available lists what the organization's Twilio account has, in the order of the numbers. Without an account it
// is empty. Warnings say what is left out, and why.
func (s *Service) Available(ctx context.Context, orgID string) ([]Available, []string, error) {
	account, err := s.account(ctx, orgID)
	if err != nil {
		return nil, nil, err
	}
	if account.client == nil {
		return nil, []string{account.reason}, nil
	}
	numbers, more, err := account.client.ListNumbers(ctx)
	if err != nil {
		return nil, nil, s.failed(ctx, err)
	}
	var warnings []string
	if more {
		warnings = append(warnings, "The Twilio account has more than 10,000 numbers; the others are not shown.")
	}
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = n.PhoneNumber
	}
	holders, err := s.opt.Store.FindNumberHolders(ctx, orgID, texts)
	if err != nil {
		return nil, nil, err
	}
	out := make([]Available, 0, len(numbers))
	for _, n := range numbers {
		if !parley.IsE164(n.PhoneNumber) { // short codes and the like take no calls
			continue
		}
		a := Available{Number: n, Here: s.here(n.VoiceURL, voicePath) && n.VoiceApplicationSID == "" && n.TrunkSID == ""}
		if h, ok := holders[n.PhoneNumber]; ok {
			a.Holder = &h
		}
		if account.shared && a.Holder != nil && a.Holder.ID == "" { // another organization's, which shares the account
			continue
		}
		if !account.shared || a.Here {
			a.URL = shown(n.VoiceURL)
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Available) int { return strings.Compare(a.PhoneNumber, b.PhoneNumber) })
	return out, warnings, nil
}

// Owned returns those of the numbers (E.164) that the organization's Twilio account has. Without an account it is a
// conflict.
func (s *Service) Owned(ctx context.Context, orgID string, numbers []string) (map[string]twilio.Number, error) {
	account, err := s.account(ctx, orgID)
	if err != nil {
		return nil, err
	}
	if account.client == nil {
		return nil, parley.Errorf(parley.CodeConflict, "There is nothing to import from. %s", account.reason)
	}
	all, more, err := account.client.ListNumbers(ctx)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	out := map[string]twilio.Number{}
	for _, n := range all {
		if slices.Contains(numbers, n.PhoneNumber) {
			out[n.PhoneNumber] = n
		}
	}
	for _, wanted := range numbers {
		if _, ok := out[wanted]; ok || !more {
			continue
		}
		n, err := account.client.FindNumber(ctx, wanted)
		if err != nil {
			return nil, s.failed(ctx, err)
		}
		if n != nil {
			out[wanted] = *n
		}
	}
	return out, nil
}

// failed is the error for a client that asked for what only Twilio knows.
func (s *Service) failed(ctx context.Context, err error) error {
	s.opt.Logger.WarnContext(ctx, "reading the numbers of the Twilio account failed", slog.Any("error", err))
	code := parley.CodeUnavailable
	if refused(err) {
		code = parley.CodeConflict // the state of the credentials: trying again does not help
	}
	return &parley.Error{Code: code, Message: s.refusal(ctx, err), Cause: err}
}

package number

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/twilio"
)

// Bounds of telling the carrier about the numbers of one change.
const (
	settleAtOnce = 4
	settleRounds = 5                // of one number that is changed meanwhile
	databaseTime = 10 * time.Second // of one statement: it has its own time, whatever the carrier took
)

// Settle tells the carrier what this server now does with numbers (E.164) that an organization changed: those with an
// agent send their calls here, others no longer do. It reads what is to be done from the database, and looks again
// afterwards: whatever changes cross, the carrier ends at what the last one says. What it did is kept with
// the number; warnings say what could not be done, and are empty when all was. It goes on when ctx is canceled.
func (s *Service) Settle(ctx context.Context, orgID string, numbers []string) (warnings []string) {
	if len(numbers) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opt.Patience)
	defer cancel()
	said := make([]string, len(numbers))
	places := make(chan struct{}, settleAtOnce)
	var work sync.WaitGroup
	for i, number := range numbers {
		places <- struct{}{}
		work.Go(func() {
			defer func() { <-places }()
			said[i] = s.settle(ctx, orgID, number)
		})
	}
	work.Wait()
	return gather(numbers, said)
}

// gather makes one warning of the numbers about which the same is to be said, in their order.
func gather(numbers, said []string) (warnings []string) {
	var texts []string
	about := map[string][]string{}
	for i, text := range said {
		if text == "" {
			continue
		}
		if about[text] == nil {
			texts = append(texts, text)
		}
		about[text] = append(about[text], numbers[i])
	}
	for _, text := range texts {
		slices.Sort(about[text])
		warnings = append(warnings, strings.Join(about[text], ", ")+": "+text)
	}
	return warnings
}

// outcome is what was done about one number.
type outcome struct {
	state   parley.SetupState
	message string // kept with the number
	warning string // said now
	sid     string
}

// settle tells the carrier about one number, and returns what to warn the organization of.
func (s *Service) settle(ctx context.Context, orgID, e164 string) (warning string) {
	for round := range settleRounds {
		n, err := s.now(ctx, e164)
		if err != nil && !parley.IsNotFound(err) {
			return s.broken(ctx, e164, err)
		}
		n.Number = e164
		assigned, acting := n.AgentID != "", orgID
		if assigned {
			acting = n.OrgID
		}
		if acting != orgID && round == 0 { // another organization was faster, and settles it itself
			return ""
		}
		done := s.tell(ctx, acting, e164, assigned)
		settled, err := s.note(ctx, acting, n, done)
		switch {
		case err != nil:
			return s.broken(ctx, e164, err)
		case settled && acting != orgID: // it got back what our release took away; the rest is not ours to know
			return ""
		case settled:
			return done.warning
		}
	}
	return "It is being changed by others, so it is not certain what Twilio was told. Assign it again."
}

// now reads a number, also when the carrier took all the time.
func (s *Service) now(ctx context.Context, e164 string) (parley.PhoneNumber, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), databaseTime)
	defer cancel()
	return s.opt.Store.FindPhoneNumber(ctx, e164)
}

// note keeps the outcome with the number, and reports whether that is still as it was read.
func (s *Service) note(ctx context.Context, orgID string, n parley.PhoneNumber, done outcome) (settled bool, err error) {
	if n.OrgID != orgID { // it was deleted, or is another organization's by now
		now, err := s.now(ctx, n.Number)
		if parley.IsNotFound(err) {
			return n.ID == "", nil
		}
		return err == nil && now.ID == n.ID && now.Revision == n.Revision, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), databaseTime)
	defer cancel()
	at := time.Now().UTC().Truncate(time.Microsecond)
	err = s.opt.Store.Write(ctx, func(tx *store.Tx) (err error) {
		settled, err = tx.SetNumberSetup(ctx, orgID, n.ID, n.Revision, done.sid, parley.NumberSetup{State: done.state, Message: done.message, At: &at})
		return err
	})
	return settled, err
}

func (s *Service) broken(ctx context.Context, e164 string, err error) string {
	s.opt.Logger.ErrorContext(ctx, "phone number not settled", slog.String("number", e164), slog.Any("error", err))
	return "This server could not find out what to tell Twilio about it. Assign it again."
}

// tell makes the carrier send a number's calls here, or no longer.
func (s *Service) tell(ctx context.Context, orgID, e164 string, assigned bool) outcome {
	account, err := s.account(ctx, orgID)
	var n *twilio.Number
	var done outcome
	switch {
	case err != nil:
	case account.client == nil && assigned:
		return outcome{state: account.state, message: account.reason, warning: account.reason}
	case account.client == nil:
		return outcome{state: parley.SetupNotNeeded}
	case assigned && s.unreachable() != "":
		return failed(s.unreachable(), "")
	default:
		if n, err = account.client.FindNumber(ctx, e164); err == nil && assigned {
			done, err = s.claim(ctx, account, n)
		} else if err == nil {
			done, err = s.release(ctx, account, n)
		}
	}
	if err == nil {
		return done
	}
	s.opt.Logger.WarnContext(ctx, "telling Twilio about a phone number failed", slog.String("number", e164), slog.String("org_id", orgID), slog.Any("error", err))
	sid := ""
	if n != nil {
		sid = n.SID
	}
	if assigned {
		return failed("Its voice URL was not set. "+s.refusal(ctx, err)+" Assign it again to try again, or set it in the Twilio console to "+s.opt.PublicURL+voicePath+" (POST).", sid)
	}
	return failed("Its voice URL was not cleared, so Twilio may still send its calls here. "+s.refusal(ctx, err), sid)
}

func failed(text, sid string) outcome {
	return outcome{state: parley.SetupFailed, message: text, warning: text, sid: sid}
}

// claim sets a number's addresses, unless something speaks against it.
func (s *Service) claim(ctx context.Context, account account, n *twilio.Number) (outcome, error) {
	if n == nil {
		return failed("The Twilio account "+account.client.AccountSID+" does not have it, so nobody sends its calls here. Buy it there or move it there, then assign it again.", ""), nil
	}
	elsewhere := n.VoiceURL != "" && !s.here(n.VoiceURL, voicePath) && !isDemo(n.VoiceURL)
	switch {
	case !n.Capabilities.Voice:
		return failed("It cannot take calls at Twilio. Choose a number with voice.", n.SID), nil
	case n.VoiceApplicationSID != "":
		return failed("At Twilio its calls go to the TwiML App "+n.VoiceApplicationSID+", which overrides a voice URL. Take it off the number in the Twilio console, then assign it again.", n.SID), nil
	case n.TrunkSID != "":
		return failed("At Twilio its calls go to the SIP trunk "+n.TrunkSID+", which overrides a voice URL. Take it off the number in the Twilio console, then assign it again.", n.SID), nil
	case elsewhere && account.shared:
		return failed("It is in the server's own Twilio account, and its calls go elsewhere there. Ask the operator of the server to free it, or use the organization's own account.", n.SID), nil
	}
	want := url.Values{
		"VoiceUrl": {s.opt.PublicURL + voicePath}, "VoiceMethod": {http.MethodPost},
		"VoiceFallbackUrl": {s.opt.PublicURL + fallbackPath}, "VoiceFallbackMethod": {http.MethodPost},
		"StatusCallback": {s.opt.PublicURL + statusPath}, "StatusCallbackMethod": {http.MethodPost},
	}
	if !differs(n, want) {
		return outcome{state: parley.SetupConfigured, sid: n.SID}, nil
	}
	now, err := account.client.UpdateNumber(ctx, n.SID, want)
	if err != nil {
		return outcome{}, err
	}
	if differs(now, want) {
		return outcome{}, errors.New("twilio answer: the number does not have what was set")
	}
	done := outcome{state: parley.SetupConfigured, sid: n.SID}
	if elsewhere {
		done.warning = fmt.Sprintf("At Twilio its calls went to %s until now; they come here from now on.", hostOf(n.VoiceURL))
		done.message = done.warning
	}
	return done, nil
}

// isDemo reports whether an address is the one that Twilio gives new numbers.
func isDemo(address string) bool { return hostOf(address) == "demo.twilio.com" }

// differs reports whether a number has other values than those that were sent.
func differs(n *twilio.Number, want url.Values) bool {
	return n.VoiceURL != want.Get("VoiceUrl") || n.VoiceMethod != want.Get("VoiceMethod") ||
		n.VoiceFallbackURL != want.Get("VoiceFallbackUrl") || n.VoiceFallbackMethod != want.Get("VoiceFallbackMethod") ||
		n.StatusCallback != want.Get("StatusCallback") || n.StatusCallbackMethod != want.Get("StatusCallbackMethod")
}

// release clears those of a number's addresses that are ours.
func (s *Service) release(ctx context.Context, account account, n *twilio.Number) (outcome, error) {
	done := outcome{state: parley.SetupNotNeeded}
	if n == nil {
		return done, nil
	}
	done.sid = n.SID
	clear := url.Values{}
	for _, field := range []struct{ name, value, path string }{
		{"VoiceUrl", n.VoiceURL, voicePath}, {"VoiceFallbackUrl", n.VoiceFallbackURL, fallbackPath}, {"StatusCallback", n.StatusCallback, statusPath},
	} {
		if s.here(field.value, field.path) {
			clear.Set(field.name, "")
		}
	}
	if len(clear) == 0 {
		return done, nil
	}
	_, err := account.client.UpdateNumber(ctx, n.SID, clear)
	return done, err
}

// refused reports whether Twilio would answer the same again.
func refused(err error) bool {
	rest, ok := errors.AsType[*twilio.RESTError](err)
	return ok && rest.Status >= 400 && rest.Status < 500 && rest.Status != http.StatusTooManyRequests
}

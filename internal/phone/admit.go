package phone

import (
	"context"
	"log/slog"
	"net/url"

	"parley"
	"parley/internal/capacity"
)

// admit promises a new call its slot. Beyond the limit the caller is better off with the fallback number or a notice
// than with a bad call.
func (h *Handler) admit(callSID, orgID, agentID string) bool {
	why := h.opt.Capacity.Admit(callSID, orgID)
	if why == capacity.Admitted {
		return true
	}
	h.opt.Logger.Warn("call refused: no capacity", slog.String("call_sid", callSID), slog.String("org_id", orgID),
		slog.String("agent_id", agentID), slog.String("why", string(why)), slog.Int("used", h.opt.Capacity.Used()))
	return false
}

// goesOn reports whether a webhook that looks like a new call's is of one that is on record and has not ended: it was
// sent back to the beginning, and is never refused.
func (h *Handler) goesOn(ctx context.Context, orgID string, form url.Values) bool {
	c, err := h.opt.Calls.BySID(ctx, form.Get("CallSid"))
	if err != nil || c.OrgID != orgID || c.State == parley.CallEnded && form.Get("CallStatus") != "in-progress" {
		return false
	}
	h.opt.Capacity.Expect(c.CallSID, c.OrgID)
	return true
}

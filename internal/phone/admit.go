package phone

import (
	"log/slog"

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

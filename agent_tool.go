package parley

import (
	"fmt"
	"strings"
)

// KeepTools reduces the agent's tools to those that exist, in the order given. known holds, by id, what was
// found in the catalog of the agent's organization. The warnings name what was left out and what will not
// work as one may expect.
func (a *Agent) KeepTools(known map[string]Tool) (warnings []string) {
	var missing []string
	kept := make([]string, 0, len(a.ToolIDs))
	for _, id := range a.ToolIDs {
		t, ok := known[id]
		if !ok {
			missing = append(missing, fmt.Sprintf("%q", id))
			continue
		}
		kept = append(kept, id)
		if t.Control && a.Type == AgentChat {
			warnings = append(warnings, fmt.Sprintf("toolIds: %q works in phone calls only; this chat agent will not use it.", id))
		}
		if t.Kind == ToolClient && a.Type == AgentVoice {
			warnings = append(warnings, fmt.Sprintf("toolIds: %q needs a web page with the chat; this voice agent will not use it.", t.Name))
		}
	}
	a.ToolIDs = kept
	if len(missing) > 0 {
		warnings = append(warnings, "toolIds: unknown tools were ignored: "+strings.Join(missing, ", ")+".")
	}
	if len(kept) > MaxUsefulTools {
		warnings = append(warnings, fmt.Sprintf("toolIds: the agent has %d tools. Models choose better among at most %d.", len(kept), MaxUsefulTools))
	}
	return warnings
}

package voice

import (
	"slices"

	"parley"
)

// reachable leaves out the tools that need a telephone line behind the caller: a browser's call cannot be connected
// elsewhere and has no keys to press. It can end.
func reachable(tools []parley.Tool, c parley.Call) []parley.Tool {
	if !c.FromBrowser() {
		return tools
	}
	return slices.DeleteFunc(slices.Clone(tools), func(t parley.Tool) bool { return t.Control && t.ID != parley.ToolEndCall })
}

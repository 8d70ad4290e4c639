package voice

import (
	"slices"

	"parley"
	"parley/internal/tool"
)

// reachable leaves out the tools that a call cannot use: those that a page with a chat runs, and in a browser those that
// need a telephone line behind the caller. A browser's call cannot be connected elsewhere and has no keys to press. It
// can end.
func reachable(tools []parley.Tool, c parley.Call) []parley.Tool {
	return slices.DeleteFunc(slices.Clone(tools), func(t parley.Tool) bool {
		return tool.IsClient(t) || c.FromBrowser() && t.Control && t.ID != parley.ToolEndCall
	})
}

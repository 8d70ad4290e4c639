package tool

import (
	"fmt"
	"strings"

	"parley"
)

// maxOffered is how many functions model providers take.
const maxOffered = 128

// expand puts the functions of MCP servers in the places of their tools. Other tools keep their names.
func expand(tools []parley.Tool, servers map[string]parley.MCPServer) []parley.Tool {
	names := newNames(tools, servers)
	offered := make([]parley.Tool, 0, len(tools))
	for _, t := range tools {
		if t.Kind != parley.ToolMCP {
			offered = append(offered, t)
			continue
		}
		for _, f := range servers[t.ID].Functions {
			if !IsOffered(t, f) || len(offered) >= maxOffered {
				continue
			}
			one := t
			one.MCP = nil // holds an address, which is nothing for a model
			one.FunctionName, one.Remote, one.Description, one.Parameters = names.of(t, f.Name), f.Name, f.Description, f.Parameters
			offered = append(offered, one)
		}
	}
	return offered
}

// names gives every function of an agent a name of its own.
type names struct {
	taken map[string]bool // by tools, and by functions that were named
	wish  map[string]int  // how many functions have the name at their servers
}

func newNames(tools []parley.Tool, servers map[string]parley.MCPServer) names {
	n := names{map[string]bool{}, map[string]int{}}
	for _, t := range tools {
		if t.Kind != parley.ToolMCP {
			n.taken[t.FunctionName] = true
			continue
		}
		for _, f := range servers[t.ID].Functions {
			if IsOffered(t, f) {
				n.wish[f.Name]++
			}
		}
	}
	return n
}

// of is the function's own name, unless models could not use it or something else has it: then the tool's function
// name stands before it. Nothing is taken for one of the server's own tools.
func (n names) of(t parley.Tool, name string) string {
	if parley.IsFunctionName(name) && n.wish[name] <= 1 && !n.taken[name] && !parley.IsReservedFunction(name) {
		n.taken[name] = true
		return name
	}
	plain := strings.Map(func(c rune) rune {
		if c < 0x80 && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-') {
			return c
		}
		return '_'
	}, name)
	const longest = 64
	plain = plain[:min(len(plain), longest-4)]
	for try := 1; ; try++ {
		suffix := ""
		if try > 1 {
			suffix = fmt.Sprintf("_%d", try)
		}
		room := longest - len(plain) - len("_") - len(suffix)
		full := t.FunctionName[:min(len(t.FunctionName), max(room, 1))] + "_" + plain
		full = full[:min(len(full), longest-len(suffix))] + suffix
		if !n.taken[full] && n.wish[full] == 0 && !parley.IsReservedFunction(full) {
			n.taken[full] = true
			return full
		}
	}
}

// IsOffered reports whether models are offered a function of a tool's server.
func IsOffered(t parley.Tool, f parley.MCPFunction) bool {
	return f.Problem == "" && t.MCP.Allows(f.Name)
}

// MCPName is the name under which a function is offered to models where nothing else has it.
func MCPName(t parley.Tool, name string) string {
	return names{map[string]bool{}, map[string]int{}}.of(t, name)
}

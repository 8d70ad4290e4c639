package mcp

import (
	"fmt"
	"net/http"
)

// What can go wrong with a server.
const (
	FailureUnreachable = "unreachable"    // no answer came, or not a whole one
	FailureStatus      = "http_status"    // an HTTP status that is no success
	FailureRedirected  = "redirected"     // a redirect that is not followed
	FailureTooLarge    = "too_large"      // an answer beyond MaxBody
	FailureRefused     = "refused"        // an error of the protocol, in the server's words
	FailureNeedsInput  = "needs_input"    // the function asks for more than arguments
	FailureProtocol    = "protocol_error" // an answer that is not of the protocol
)

// Failure is why a server could not be used.
type Failure struct {
	Kind   string
	Status int    // of FailureStatus and FailureRedirected
	Said   string // the server's words, untrusted; of FailureRefused
	err    error
}

// Error is for operators. It quotes the server only where it says so.
func (f *Failure) Error() string {
	switch f.Kind {
	case FailureUnreachable:
		return "The server cannot be reached, or broke its answer off."
	case FailureStatus:
		switch f.Status {
		case http.StatusUnauthorized, http.StatusForbidden:
			return fmt.Sprintf("The server refuses the credentials (HTTP %d). Correct the headers.", f.Status)
		case http.StatusNotFound, http.StatusMethodNotAllowed:
			return fmt.Sprintf("There is no MCP server at this address (HTTP %d). Correct url; it often ends in /mcp.", f.Status)
		}
		return fmt.Sprintf("The server answered HTTP %d.", f.Status)
	case FailureRedirected:
		return "The server redirects elsewhere, which is not followed. Give the final address as url."
	case FailureTooLarge:
		return fmt.Sprintf("The server's answer is larger than %d MiB.", MaxBody>>20)
	case FailureRefused:
		return fmt.Sprintf("The server refused the request: %q", f.Said)
	case FailureNeedsInput:
		return "The function asks for input beyond its arguments, which is not supported."
	}
	return "The server's answer is not of the Model Context Protocol (streamable HTTP)."
}

// Unwrap leads to what the connection said, such as an address that was blocked.
func (f *Failure) Unwrap() error { return f.err }

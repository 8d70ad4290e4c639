// Package browser is the carrier adapter of the browser phone: one WebSocket over which a page's microphone and
// loudspeaker take part in a call, by the protocol in docs/web-call.md.
//
// Audio is binary, µ-law at 8 kHz both ways, so that the session passes it through as it does a telephone's;
// everything else is JSON text. The page says what was really played by echoing marks, because the heard text
// depends on it. The adapter knows nothing of tokens, origins or the call row (internal/phone and internal/call
// do), and what a page sends is never believed beyond its own call.
package browser

// Subprotocol names the protocol and its version in Sec-WebSocket-Protocol. A client that names none gets it too.
const Subprotocol = "parley.web-call.v1"

// version is what `welcome` says.
const version = 1

// Status codes of our close frames beside those of RFC 6455.
const (
	statusNormal   = 1000 // after `ended`
	statusPolicy   = 1008 // the client broke the protocol, after `error`
	statusTryAgain = 1013 // the stream ends here, the call does not: resume
)

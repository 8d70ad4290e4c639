// Package voice is the live call: a Session joins a carrier leg (the caller) and a model leg (the speech
// model) and owns everything between them: turns, the playout ledger, pacing, barge-in, tools, and what of it
// goes on record.
//
// A frame of the caller's audio goes carrier.Events → Session → model.AppendAudio. A frame of the agent's voice
// goes model.Events → ledger → pump, 20 ms at a time on an absolute clock, → carrier.SendMedia. One goroutine
// owns all state of a session; it waits for nothing but its inputs: not for tools, not for the database, not
// for a socket.
//
// The package must not speak any vendor's protocol (internal/twilio and internal/openai do), write SQL, or
// decide who owns a call (internal/call).
package voice

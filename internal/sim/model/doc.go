// Package model is the simulated OpenAI: a loopback HTTP server that speaks the Realtime protocol (GA) and
// Chat Completions, so that Parley runs end to end without a key through the same code as with one.
//
// It is strict: it refuses what the real API refuses, and it is no kinder than the real API (audio faster
// than real time, several items, late deltas after a cancel, transcripts after the answer). It hears only
// energy, never words, and says so. It shares no code with the adapters it tests and imports none of them.
// Facts come from github.com/openai/openai-openapi and, where marked "assumed", from reports of users.
package model

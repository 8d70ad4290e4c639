// Package openai is the model adapter: OpenAI's Realtime API for calls (realtime*.go) and streaming Chat
// Completions for chats (chat*.go). Any server that speaks the same protocols works.
//
// It translates and nothing else: it knows no agents, calls or conversations, and it decides nothing about
// turns. Facts about the protocol are from OpenAI's OpenAPI description (github.com/openai/openai-openapi,
// 2026-08) unless a comment says otherwise.
package openai

// Package webcall holds the client of the browser phone: an ES module for pages and the AudioWorklet behind it.
// It is served by internal/web and depends on nothing.
package webcall

import _ "embed" // for the two files

// Client is the ES module that pages import.
//
//go:embed webcall.js
var Client []byte

// Audio is the AudioWorklet that Client loads from beside itself.
//
//go:embed audio.js
var Audio []byte

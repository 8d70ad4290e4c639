// Package rehearsal holds calls over the real bridge (store, log, call, voice, HTTP) between the simulated phone and
// the simulated model, and measures what came through against what was meant: how much of an answer was heard when it
// was cut off, whether the caller's first words arrived, whether a stalling network left gaps, whether a broken one
// left anything behind. Its tests are scaled-down rehearsals; cmd/parley-load runs them at full size.
//
// It is not part of the server.
package rehearsal

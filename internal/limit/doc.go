// Package limit owns rate limits: how many requests an organization may make in a minute, and how many failed
// authentications an address.
//
// It counts in memory, or through PostgreSQL for several processes together. It decides nothing else: which key a
// request counts for, and what happens while the shared database does not answer, belong to the caller. It starts no
// goroutine.
package limit

// Package parley is the domain of Parley: organizations, agents, phone numbers, calls, conversations and
// the events they are made of, with their validation and their pure computations (transcript, cost).
//
// It imports the standard library only and does no I/O. Everything else lives under cmd/ and internal/;
// docs/architecture.md says which package may import which.
package parley

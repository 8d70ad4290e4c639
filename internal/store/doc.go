// Package store owns every SQL statement of Parley and the schema behind them, on SQLite and PostgreSQL
// with one text for both.
//
// It holds no policy: who may do what, which state follows which, and what an event means belong to the
// packages above. No transaction of this package waits for a network, a model or user code other than the
// function given to Write.
//
// Reads are methods of Reader, which *Store offers over its reader pool and *Tx inside its transaction;
// writes are methods of *Tx. The organization id is the first argument after the context of every method
// that touches a tenant's data. The exceptions find the organization or serve the whole server; each says
// so, and a test holds the complete list.
package store

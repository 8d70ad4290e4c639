package chat

import (
	"context"

	"parley/internal/store"
)

// deadBeats is how many looks at the database in a row must find another process's beat unchanged for it to count as
// dead. It beats once a second; there is no common clock.
const deadBeats = 7

// peers is what the keeper knows of the other processes that share the database.
type peers map[string]peer

type peer struct {
	beat  int64
	still int // looks since it changed
}

// look notes the beats and returns the processes that are dead, or were and are gone.
func (p peers) look(all []store.Process, me string) (dead []string) {
	present := map[string]bool{}
	for _, other := range all {
		present[other.ID] = true
		if other.ID == me {
			continue
		}
		known, met := p[other.ID]
		if !met || known.beat != other.Beat {
			known = peer{beat: other.Beat}
		} else {
			known.still++
		}
		p[other.ID] = known
		if known.still >= deadBeats {
			dead = append(dead, other.ID)
		}
	}
	for id := range p {
		if !present[id] {
			delete(p, id)
			dead = append(dead, id)
		}
	}
	return dead
}

// expireDead ends the leases of runs whose process is dead.
func (s *Service) expireDead(ctx context.Context) error {
	all, err := s.o.Store.ListProcesses(ctx)
	if err != nil {
		return err
	}
	for _, id := range s.peers.look(all, s.o.Owner) {
		if err := s.expire(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// expire ends the leases of a process's runs, of all processes for "".
func (s *Service) expire(ctx context.Context, owner string) error {
	for {
		var n int64
		err := s.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
			n, err = tx.ExpireRuns(ctx, owner)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// Recover ends the leases that an earlier process of this single-node server left: it is dead, or this one could not
// have opened its database. It must run before the first message is taken. Where several processes share the database
// it does nothing: they look after each other.
func (s *Service) Recover(ctx context.Context) error {
	if s.o.Store.Shared() {
		return nil
	}
	return s.expire(ctx, "")
}

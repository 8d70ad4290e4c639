package voice

import "time"

// lost forgets the speech that the lost model had not yet made an item of: its successor hears it again. A pause for it
// is taken back meanwhile. Items that are still undecided are told the successor under their ids.
func (b *barge) lost(s *Session, now time.Time) {
	if b.paused {
		u := b.current
		if u == nil {
			u = &utterance{}
		}
		s.resume(u, now)
	}
	b.current = nil
	b.dropUncommitted()
}

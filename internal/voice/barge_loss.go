package voice

import "time"

// upstreamLost forgets the speech that the lost model had not yet made an item of: its successor hears it again. A
// pause for it is taken back meanwhile. Items that are still undecided are told the successor under their ids.
func (s *Session) upstreamLost(now time.Time) {
	s.resume(now)
	s.barge.current = nil
	s.barge.dropUncommitted()
}

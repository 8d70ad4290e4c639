package voice

// Counts is what sessions had to do so that nobody was left in silence.
type Counts struct {
	Lost     int64 // model sessions that were lost
	Redials  int64 // of them replaced by a new one
	Swaps    int64 // replaced by one that was opened before
	Fillers  int64 // times that the waiting tune was played
	Prompts  int64 // times that the agent was asked to speak of its own accord
	Replayed int64 // items of conversations that were told again
}

func (c *Counts) add(o Counts) {
	c.Lost += o.Lost
	c.Redials += o.Redials
	c.Swaps += o.Swaps
	c.Fillers += o.Fillers
	c.Prompts += o.Prompts
	c.Replayed += o.Replayed
}

// takeCounts returns what has not been returned before.
func (s *Session) takeCounts() Counts {
	c := s.counts
	s.counts = Counts{}
	return c
}

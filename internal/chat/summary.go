package chat

import "parley"

// summarize continues a conversation's summary with the events of one turn. When the whole log before the
// turn is at hand the summary is exact. Otherwise counts, usage and cost are added up, and the percentiles of
// the latency are those of the turns in the tail (dozens), because reading the rest would make every turn
// dearer than the one before.
func summarize(before *parley.Summary, t tail, turn []parley.Event) *parley.Summary {
	recent := parley.Project(append(t.events[:len(t.events):len(t.events)], turn...)).Summary
	if t.whole {
		return &recent
	}
	sum := parley.Project(turn).Summary
	if before != nil {
		latency := before.Latency
		sum.MessageCount += before.MessageCount
		sum.Usage = sum.Usage.Add(before.Usage)
		sum.Cost += before.Cost
		if sum.Prices == "" {
			sum.Prices = before.Prices
		}
		sum.Latency.Turns += latency.Turns
		sum.Latency.MaxMs = max(sum.Latency.MaxMs, latency.MaxMs)
	}
	sum.Latency.P50Ms, sum.Latency.P95Ms, sum.Latency.Hops = recent.Latency.P50Ms, recent.Latency.P95Ms, recent.Latency.Hops
	return &sum
}

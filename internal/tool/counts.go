package tool

import (
	"parley"
	"parley/internal/metric"
)

// Counts is what a process counts of tool calls, for metrics. Make it with NewCounts. Safe for concurrent use.
type Counts struct {
	Calls   *metric.Vec // by channel, tool and outcome
	Seconds *metric.Histogram
}

// NewCounts makes zero counts.
func NewCounts() *Counts {
	return &Counts{
		Calls:   metric.NewVec("channel", "tool", "outcome"),
		Seconds: metric.NewHistogram(.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30),
	}
}

// Count takes note of a call as it goes on record. The channel is one of parley's.
func (c *Counts) Count(channel parley.Channel, d parley.ToolCompletedData) {
	name := d.Name
	if d.Outcome == OutcomeUnknownTool {
		name = "unknown" // a model may invent any name
	}
	c.Calls.Add(1, string(channel), name, d.Outcome)
	c.Seconds.Observe(float64(d.Ms) / 1000)
}

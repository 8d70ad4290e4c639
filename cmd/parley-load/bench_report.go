package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// The subjects of `api`.
const (
	subjectParley = "parley" // the real server
	subjectStore  = "store"  // net/http and this repository's store: every statement, no API around it
	subjectBare   = "bare"   // net/http and database/sql: the one statement
)

// benchRow is what one subject did on one route and database.
type benchRow struct {
	Database  string  `json:"database"`
	Route     string  `json:"route"`
	Subject   string  `json:"subject"`
	PerSecond float64 `json:"requestsPerSecond"` // median of the rounds
	Latency   spread  `json:"latency"`           // of all rounds
	Allocs    float64 `json:"allocationsPerRequest"`
	CPU       float64 `json:"cpuMicrosecondsPerRequest"`
	Ratio     float64 `json:"throughputOfBare"` // median of the rounds' ratios
}

func newBenchRow(db, route, name string, turns, bare []turn) benchRow {
	var rates, ratios []float64
	var times []time.Duration
	var cpu time.Duration
	mallocs := 0.0
	for i, t := range turns {
		rates, ratios = append(rates, t.perSecond()), append(ratios, t.perSecond()/bare[i].perSecond())
		times = append(times, t.times...)
		cpu += t.cpu
		mallocs += t.mallocs
	}
	n := float64(max(1, len(times)))
	return benchRow{Database: db, Route: route, Subject: name, PerSecond: round(median(rates), 0), Latency: spreadOf(times),
		Allocs: round(mallocs/n, 1), CPU: round(float64(cpu.Microseconds())/n, 1), Ratio: round(median(ratios), 3)}
}

// median is the middle of the values, or the mean of the two in the middle; 0 for none.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if len(s) == 0 {
		return 0
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// benchReport is what `api` prints.
type benchReport struct {
	CPUs    int        `json:"cpus"`
	Clients int        `json:"clients"`
	Rounds  int        `json:"rounds"`
	Seconds float64    `json:"roundSeconds"`
	Agents  int        `json:"agents"`
	Rows    []benchRow `json:"rows"`
	Notes   []string   `json:"notes"`
}

func newBenchReport(o benchOptions) benchReport {
	return benchReport{CPUs: runtime.NumCPU(), Clients: o.Clients, Rounds: o.Rounds, Seconds: o.Round.Seconds(), Agents: o.Agents,
		Rows: []benchRow{}, Notes: []string{}}
}

func (r benchReport) table(out io.Writer) error {
	_, _ = fmt.Fprintf(out, "\n%d clients, %d rounds of %v s each, %d agents at first, %d CPUs for clients and servers together\n\n",
		r.Clients, r.Rounds, r.Seconds, r.Agents, r.CPUs)
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "database\troute\tsubject\trequests/s\tof bare\tp50 ms\tp99 ms\tallocations\tCPU µs\t")
	for _, w := range r.Rows {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%.0f\t%.0f %%\t%.2f\t%.2f\t%.0f\t%.0f\t\n",
			w.Database, w.Route, w.Subject, w.PerSecond, 100*w.Ratio, w.Latency.P50, w.Latency.P99, w.Allocs, w.CPU)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprint(out, `
parley  the server: authentication, rate limit, access log, audit log, search index, counters
store   net/http and the server's store package: the same statements without the API around them
bare    net/http and database/sql: the one prepared statement on agent, committed as durably
Allocations and CPU time (the server's process) are per request; "of bare" is the median over the rounds.
`)
	for _, n := range r.Notes {
		_, _ = fmt.Fprintln(out, n)
	}
	return err
}

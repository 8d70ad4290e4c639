package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"
)

// shownFaults bounds what the table lists of one pass; JSON has them all.
const shownFaults = 20

// busy is the lateness of the phones' clock from which the figures say more about the machine.
const busy = 20.0 // ms, one frame

// writeJSON prints a report of any command as one JSON object.
func writeJSON(out io.Writer, report any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(report)
}

// report is what the command prints.
type report struct {
	OK       bool     `json:"ok"`
	Calls    int      `json:"calls"`
	Duration float64  `json:"durationSeconds"`
	CPUs     int      `json:"cpus"`
	Notes    []string `json:"notes"`
	Passes   []result `json:"passes"`
}

func newReport(opt options, passes []result) report {
	r := report{OK: true, Calls: opt.Calls, Duration: opt.Duration.Seconds(), CPUs: runtime.NumCPU(), Notes: []string{}, Passes: passes}
	for _, p := range passes {
		if len(p.Faults) > 0 {
			r.OK = false
		}
		if p.Late.Max > busy {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: the phones' own clock was up to %.0f ms late, so its latencies also show how busy this machine was.", p.Name, p.Late.Max))
		}
	}
	return r
}

// row is one line of the table.
type row struct {
	name string
	cell func(result) string
}

var rows = []row{
	{"calls without a fault", func(r result) string { return fmt.Sprintf("%d of %d", r.Clean, r.Calls) }},
	{"call time, turns", func(r result) string { return fmt.Sprintf("%.1f min, %d", r.CallMinutes, r.Turns) }},
	{"frames up, down", func(r result) string { return fmt.Sprintf("%d, %d", r.FramesUp, r.FramesDown) }},
	{"added latency up p50", func(r result) string { return fmt.Sprintf("%.2f ms", r.Up.P50) }},
	{"  p99", func(r result) string { return fmt.Sprintf("%.2f ms", r.Up.P99) }},
	{"  max", func(r result) string { return fmt.Sprintf("%.1f ms", r.Up.Max) }},
	{"added latency down p50", func(r result) string { return fmt.Sprintf("%.2f ms", r.Down.P50) }},
	{"  p99", func(r result) string { return fmt.Sprintf("%.2f ms", r.Down.P99) }},
	{"  max", func(r result) string { return fmt.Sprintf("%.1f ms", r.Down.Max) }},
	{"underruns (longest)", func(r result) string { return fmt.Sprintf("%d (%.0f ms)", r.Underruns, r.UnderrunMs) }},
	{"clears", func(r result) string { return fmt.Sprint(r.Clears) }},
	{"CPU per call-minute", func(r result) string { return fmt.Sprintf("%.3f s", r.CPUPerMin) }},
	{"CPU of server, of simulators", func(r result) string { return fmt.Sprintf("%.0f %%, %.0f %%", 100*r.ServerCPU, 100*r.LoadCPU) }},
	{"CPU of others, stolen", func(r result) string { return fmt.Sprintf("%.0f %%, %.0f %%", 100*r.OtherCPU, 100*r.StolenCPU) }},
	{"memory per call", func(r result) string { return fmt.Sprintf("%d KiB", r.RSSPerCall>>10) }},
	{"memory before, peak", func(r result) string { return fmt.Sprintf("%d, %d MiB", r.RSSBefore>>20, r.RSSPeak>>20) }},
	{"goroutines before, after", func(r result) string { return fmt.Sprintf("%d, %d", r.Before.Goroutines, r.After.Goroutines) }},
	{"descriptors before, after", func(r result) string { return fmt.Sprintf("%d, %d", r.Before.Files, r.After.Files) }},
	{"sockets before, after", func(r result) string { return fmt.Sprintf("%d, %d", r.Before.Sockets, r.After.Sockets) }},
	{"commits, events", func(r result) string { return fmt.Sprintf("%.0f, %.0f", r.Commits, r.LogRows) }},
	{"slowest commit", func(r result) string { return fmt.Sprintf("%.0f ms", r.SlowestMs) }},
	{"telemetry dropped", func(r result) string { return fmt.Sprintf("%.0f", r.Dropped) }},
	{"server's log lines", func(r result) string { return fmt.Sprint(r.LogLines) }},
	{"phones late p50, max", func(r result) string { return fmt.Sprintf("%.1f, %.1f ms", r.Late.P50, r.Late.Max) }},
}

// table prints the figures, a column for each pass, and then what was wrong.
func (r report) table(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintf(t, "\n%d calls, %v on %d CPUs\t", r.Calls, time.Duration(r.Duration*float64(time.Second)), r.CPUs)
	for _, p := range r.Passes {
		_, _ = fmt.Fprintf(t, "%s\t", p.Name)
	}
	_, _ = fmt.Fprintln(t)
	for _, row := range rows {
		_, _ = fmt.Fprintf(t, "%s\t", row.name)
		for _, p := range r.Passes {
			_, _ = fmt.Fprintf(t, "%s\t", row.cell(p))
		}
		_, _ = fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out)
	for _, p := range r.Passes {
		p.complain(out)
	}
	for _, n := range r.Notes {
		_, _ = fmt.Fprintln(out, n)
	}
	verdict := "No frame was lost, no protocol violated, nothing left over."
	if !r.OK {
		verdict = "FAILED"
	}
	_, err := fmt.Fprintln(out, verdict)
	return err
}

func (r result) complain(out io.Writer) {
	for i, f := range r.Faults {
		if i == shownFaults {
			_, _ = fmt.Fprintf(out, "%s: … and %d more\n", r.Name, len(r.Faults)-i)
			break
		}
		_, _ = fmt.Fprintf(out, "%s: %s\n", r.Name, f)
	}
	if r.LogTail != "" {
		_, _ = fmt.Fprintf(out, "%s: the end of the server's log:\n%s\n", r.Name, r.LogTail)
	}
}

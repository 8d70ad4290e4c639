package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
)

// toolReport is what `tools` has shown.
type toolReport struct {
	OK       bool          `json:"ok"`
	CPUs     int           `json:"cpus"`
	Adds     toolAdds      `json:"adds"`
	Beside   []besidePhase `json:"beside"`
	LogLines int           `json:"serverLogLines"`
	Faults   []string      `json:"faults"`
}

func (r *toolReport) finish(rig *toolRig) {
	rig.mu.Lock()
	defer rig.mu.Unlock()
	r.CPUs, r.LogLines, r.Faults = runtime.NumCPU(), rig.server.logLines(), append([]string{}, rig.faults...)
	r.OK = len(r.Faults) == 0
}

func (r toolReport) json(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r toolReport) table(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(t, "%d tool calls\tp50\tp99\tmax\t\n", r.Adds.Trips)
	for _, row := range []struct {
		name string
		s    spread
	}{
		{"the model calls → the tool is asked", r.Adds.Before}, {"the tool answers → the model is told", r.Adds.After}, {"both: added to the tool's own time", r.Adds.Both},
		{"a bare request to the tool adds", r.Adds.Bare}, {"the person's whole turn", r.Adds.Turn},
	} {
		_, _ = fmt.Fprintf(t, "%s\t%.2f ms\t%.2f ms\t%.2f ms\t\n", row.name, row.s.P50, row.s.P99, row.s.Max)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	t = tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "\nothers\tslow calls\tseconds\tchat turns\tfirst token p50\tp99\tturn p50\tp99\tvoice up p50\tp99\tdown p50\tp99\tserver CPU\t")
	for _, p := range r.Beside {
		_, _ = fmt.Fprintf(t, "%s\t%d\t%.1f\t%d\t%.2f ms\t%.2f ms\t%.1f ms\t%.1f ms\t", p.Name, p.Slow, p.Seconds, p.First.Count, p.First.P50, p.First.P99, p.Turn.P50, p.Turn.P99)
		if p.Up.Count > 0 {
			_, _ = fmt.Fprintf(t, "%.2f ms\t%.2f ms\t%.2f ms\t%.2f ms\t", p.Up.P50, p.Up.P99, p.Down.P50, p.Down.P99)
		} else {
			_, _ = fmt.Fprint(t, "\t\t\t\t")
		}
		_, _ = fmt.Fprintf(t, "%.0f %%\t\n", 100*p.CPU)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i, f := range r.Faults {
		if i == shownFaults {
			break
		}
		_, _ = fmt.Fprintln(out, f)
	}
	_, err := fmt.Fprintf(out, "%d processors, shared by people, model, tools and server: times show the machine too.\n", r.CPUs)
	return err
}

package main

import (
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
)

// toolReport is what `tools` has shown.
type toolReport struct {
	OK       bool          `json:"ok"`
	CPUs     int           `json:"cpus"`
	Adds     []toolAdds    `json:"adds"`
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

// compare says what the server adds to the loop that only passes on. It commits what it is about to do before it does it.
func (r toolReport) compare(out io.Writer) {
	if len(r.Adds) != 2 {
		return
	}
	bare, ours := r.Adds[0], r.Adds[1]
	p50, p99 := ours.Both.P50-bare.Both.P50, ours.Both.P99-bare.Both.P99
	_, _ = fmt.Fprintf(out, "a tool call takes %.2f ms (p50), %.2f ms (p99) longer than in the bare loop; beyond a commit %.2f ms (p50)\n",
		p50, p99, p50-ours.Commit.P50)
}

func (r toolReport) table(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "tool calls through\tcalls\tuntil the tool is asked p50\tp99\tuntil the model is told p50\tp99\tboth p50\tp99\ta commit p50\tp99\twhole turn p50\tp99\t")
	for _, a := range r.Adds {
		_, _ = fmt.Fprintf(t, "%s\t%d\t", a.Subject, a.Trips)
		for _, s := range []spread{a.Before, a.After, a.Both, a.Commit, a.Turn} {
			_, _ = fmt.Fprintf(t, "%.2f ms\t%.2f ms\t", s.P50, s.P99)
		}
		_, _ = fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	r.compare(out)
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

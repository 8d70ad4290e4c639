package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// peerRelayCPU is what the reference's minimal Go copier needs at 50 calls, in CPU seconds per call-minute, on
// the reference's machine. It is printed beside our relay's figure, which says what this machine is worth.
const peerRelayCPU = 0.21

// voiceSpread is a distribution of times, in milliseconds.
type voiceSpread struct {
	spread
	P999 float64 `json:"p999Ms"`
}

func voiceSpreadOf(times []time.Duration) voiceSpread {
	s := slices.Sorted(slices.Values(times))
	return voiceSpread{spread: spreadOf(s), P999: ms(percentile(s, 99.9))}
}

// voiceRow is what one subject did with so many calls, over all rounds. Times are of all frames together,
// costs the median of the rounds.
type voiceRow struct {
	Calls    int         `json:"calls"`
	Subject  string      `json:"subject"`
	Trip     voiceSpread `json:"roundTrip"` // without the model's 20 ms
	Up       voiceSpread `json:"callerToModel"`
	Down     voiceSpread `json:"modelToCaller"`
	Frames   int         `json:"frames"`
	Lost     int         `json:"lostFrames"`
	Late     int         `json:"lateFrames"` // more than 20 ms
	CPU      float64     `json:"cpuSecondsPerCallMinute"`
	CPUShare float64     `json:"cpuShare"` // of its processor
	Memory   float64     `json:"memoryPerCallKB"`
	Clear    voiceSpread `json:"speechStartedToClear"`
	Missed   int         `json:"interruptionsWithoutClear"`
	Clock    voiceSpread `json:"phonesLate"`
	Echo     voiceSpread `json:"modelLate"`
	RigShare float64     `json:"loadCPUShare"` // of its processor
	Skipped  int         `json:"loadSkippedFrames"`
	CPURatio float64     `json:"cpuOfRelay,omitempty"`
	Extra    float64     `json:"memoryOverRelayKB,omitempty"`
	Further  float64     `json:"memoryPerFurtherCallKB,omitempty"` // than the number of calls before
	Faults   []string    `json:"faults"`
	rounds   []voiceRound
}

// voiceReport is what `voice` prints.
type voiceReport struct {
	OK       bool        `json:"ok"`
	CPUs     int         `json:"cpus"`
	Rounds   int         `json:"rounds"`
	Duration float64     `json:"durationSeconds"`
	Rows     []*voiceRow `json:"rows"`
	Notes    []string    `json:"notes"`
}

func newVoiceReport(o voiceOptions) *voiceReport {
	return &voiceReport{OK: true, CPUs: runtime.NumCPU(), Rounds: o.Rounds, Duration: o.Duration.Seconds(), Notes: []string{}}
}

func (r *voiceReport) row(calls int, subject string) *voiceRow {
	for _, w := range r.Rows {
		if w.Calls == calls && w.Subject == subject {
			return w
		}
	}
	return nil
}

// add takes in one round.
func (r *voiceReport) add(calls int, subject string, m voiceRound) {
	w := r.row(calls, subject)
	if w == nil {
		w = &voiceRow{Calls: calls, Subject: subject, Faults: []string{}}
		r.Rows = append(r.Rows, w)
	}
	w.rounds = append(w.rounds, m)
}

// finish makes the figures of the rounds.
func (r *voiceReport) finish() {
	before := map[string]*voiceRow{}
	for _, w := range r.Rows {
		w.sum()
		if b := before[w.Subject]; b != nil && w.Calls > b.Calls {
			w.Further = round((w.Memory*float64(w.Calls)-b.Memory*float64(b.Calls))/float64(w.Calls-b.Calls), 1)
		}
		before[w.Subject] = w
		r.OK = r.OK && len(w.Faults) == 0
		if w.Clock.P99 > 5 || w.Echo.P99 > 5 || w.RigShare > 0.9 || w.Skipped > 0 {
			r.Notes = append(r.Notes, fmt.Sprintf("%d calls, %s: the load generator itself was late (p99 %.1f ms, model %.1f ms) and used %.0f %% of its processor; the times also show that.",
				w.Calls, w.Subject, w.Clock.P99, w.Echo.P99, 100*w.RigShare))
		}
		relay := r.row(w.Calls, subjectRelay)
		if w.Subject == subjectRelay || relay == nil {
			continue
		}
		var ratios, extra []float64
		for i, m := range w.rounds {
			ratios = append(ratios, perMinute(m)/perMinute(relay.rounds[i]))
			extra = append(extra, float64(m.memory-relay.rounds[i].memory)/1000)
		}
		w.CPURatio, w.Extra = round(median(ratios), 3), round(median(extra), 1)
	}
}

func perMinute(m voiceRound) float64 { return m.cpu.Seconds() / m.callMinutes }

func (w *voiceRow) sum() {
	var up, down, trip, clears, late, echo []time.Duration
	var cpu, share, rig, memory []float64
	for _, m := range w.rounds {
		up, down, trip = append(up, m.up...), append(down, m.down...), append(trip, m.trip...)
		clears, late, echo = append(clears, m.clears...), append(late, m.late...), append(echo, m.echoLate...)
		w.Frames, w.Lost, w.Late, w.Missed = w.Frames+m.sent, w.Lost+m.lost, w.Late+m.tooLate, w.Missed+m.missed
		w.Skipped += m.skipped
		cpu, memory = append(cpu, perMinute(m)), append(memory, float64(m.memory)/1000)
		share, rig = append(share, m.cpu.Seconds()/m.took.Seconds()), append(rig, m.rigCPU.Seconds()/m.took.Seconds())
		w.Faults = append(w.Faults, m.faults...)
	}
	w.Up, w.Down, w.Trip = voiceSpreadOf(up), voiceSpreadOf(down), voiceSpreadOf(trip)
	w.Clear, w.Clock, w.Echo = voiceSpreadOf(clears), voiceSpreadOf(late), voiceSpreadOf(echo)
	w.CPU, w.CPUShare, w.RigShare, w.Memory = round(median(cpu), 4), round(median(share), 3), round(median(rig), 3), round(median(memory), 1)
}

// voiceLine is one line of the table.
type voiceLine struct {
	name string
	cell func(*voiceRow) string
}

func spreadCell(of func(*voiceRow) voiceSpread) func(*voiceRow) string {
	return func(w *voiceRow) string {
		s := of(w)
		return fmt.Sprintf("%.2f  %.2f  %.2f  %.1f", s.P50, s.P99, s.P999, s.Max)
	}
}

var voiceLines = []voiceLine{
	{"round trip, ms: p50 p99 p99.9 max", spreadCell(func(w *voiceRow) voiceSpread { return w.Trip })},
	{"  caller to model", spreadCell(func(w *voiceRow) voiceSpread { return w.Up })},
	{"  model to caller", spreadCell(func(w *voiceRow) voiceSpread { return w.Down })},
	{"frames, lost, late", func(w *voiceRow) string { return fmt.Sprintf("%d, %d, %d", w.Frames, w.Lost, w.Late) }},
	{"CPU s per call-minute", func(w *voiceRow) string { return fmt.Sprintf("%.4f", w.CPU) }},
	{"  of the relay's", func(w *voiceRow) string { return ratioCell(w, "%.2f ×", w.CPURatio) }},
	{"  of its processor", func(w *voiceRow) string { return fmt.Sprintf("%.0f %%", 100*w.CPUShare) }},
	{"memory per call, kB", func(w *voiceRow) string { return fmt.Sprintf("%.0f", w.Memory) }},
	{"  over the relay's", func(w *voiceRow) string { return ratioCell(w, "%.0f", w.Extra) }},
	{"  per further call, kB", func(w *voiceRow) string {
		if w.Further == 0 {
			return ""
		}
		return fmt.Sprintf("%.0f", w.Further)
	}},
	{"speech_started to clear, ms", spreadCell(func(w *voiceRow) voiceSpread { return w.Clear })},
	{"  clears, without one", func(w *voiceRow) string { return fmt.Sprintf("%d, %d", w.Clear.Count, w.Missed) }},
	{"load: phones late, ms", spreadCell(func(w *voiceRow) voiceSpread { return w.Clock })},
	{"load: model late, ms", spreadCell(func(w *voiceRow) voiceSpread { return w.Echo })},
	{"load: frames skipped", func(w *voiceRow) string { return fmt.Sprint(w.Skipped) }},
	{"load: of its processor", func(w *voiceRow) string { return fmt.Sprintf("%.0f %%", 100*w.RigShare) }},
}

func ratioCell(w *voiceRow, format string, v float64) string {
	if w.Subject == subjectRelay || v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}

// table prints a table for each number of calls, a column for each subject, and then what was wrong.
func (r *voiceReport) table(out io.Writer) error {
	_, _ = fmt.Fprintf(out, "\n%d rounds of %v s; server and relay on one processor, load generator on another, of %d\n", r.Rounds, r.Duration, r.CPUs)
	for i := 0; i < len(r.Rows); {
		end := i + 1
		for end < len(r.Rows) && r.Rows[end].Calls == r.Rows[i].Calls {
			end++
		}
		t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
		_, _ = fmt.Fprintf(t, "\n%d calls\t", r.Rows[i].Calls)
		for _, w := range r.Rows[i:end] {
			_, _ = fmt.Fprintf(t, "%s\t", w.Subject)
		}
		_, _ = fmt.Fprintln(t)
		for _, line := range voiceLines {
			_, _ = fmt.Fprintf(t, "%s\t", line.name)
			for _, w := range r.Rows[i:end] {
				_, _ = fmt.Fprintf(t, "%s\t", line.cell(w))
			}
			_, _ = fmt.Fprintln(t)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		i = end
	}
	if w := r.row(50, subjectRelay); w != nil {
		_, _ = fmt.Fprintf(out, "\nAt 50 calls this relay needs %.3f CPU seconds per call-minute here; the reference's needs %.2f on its machine.\n", w.CPU, peerRelayCPU)
	}
	_, _ = fmt.Fprintln(out, "\nThe round trip is without the 20 ms that the model waits. A frame is late when it took more than 20 ms.")
	for _, w := range r.Rows {
		for i, f := range w.Faults {
			if i == shownFaults {
				_, _ = fmt.Fprintf(out, "%d calls, %s: … and %d more\n", w.Calls, w.Subject, len(w.Faults)-i)
				break
			}
			_, _ = fmt.Fprintf(out, "%d calls, %s: %s\n", w.Calls, w.Subject, f)
		}
	}
	for _, n := range r.Notes {
		_, _ = fmt.Fprintln(out, n)
	}
	verdict := "No frame was lost, none came back changed."
	if !r.OK {
		verdict = "FAILED"
	}
	_, err := fmt.Fprintln(out, verdict)
	return err
}
